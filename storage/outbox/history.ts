/**
 * What an account has sent and what came of it, by day (UTC), and the steps that follow: an object of type `SendingHistory` under the id `history` in the
 * account's log. It is written in the commits that it counts, so it is as true as they are. Domains have the like under their names, in the log of the
 * account `outbox`.
 *
 * Rates are of the last seven days and of a representative volume, as SES reckons them: 5 % bounces or 0.1 % complaints bring a sender under review, 10 % or
 * 0.5 % end his sending. Before SES does that to everybody, the account is warned, slowed and stopped; and, at the same rates of ten times the volume, its
 * domain, so that one account is caught before the others of its domain pay for it. An administrator releases them.
 */
import { MailError } from '../../protocol/mail/errors.ts';
import type { AccountReader, AccountTransactor } from '../account/api.ts';

export interface DayCounts {
  /** Messages handed in by the user, and their recipients. */
  readonly messages: number;
  readonly recipients: number;
  /** Copies that a relay took, and what came back of them: permanent bounces, complaints, refusals for the content (SES's Reject). */
  readonly relayed: number;
  readonly bounced: number;
  readonly complained: number;
  readonly rejected: number;
}

export type ContainmentStep = 'warned' | 'slowed' | 'stopped';

export interface Containment {
  readonly step: ContainmentStep;
  readonly at: number;
  /** For people. */
  readonly reason: string;
}

export interface SendingHistory {
  /** By `2027-03-31`; kept for daysKept. */
  readonly days: Readonly<Record<string, DayCounts>>;
  readonly containment: Containment | null;
}

export interface SendingLimits {
  readonly messagesPerDayMax: number;
  readonly recipientsPerDayMax: number;
}

const historyType = 'SendingHistory';
const historyId = 'history';
const daysKept = 14;
const daysJudged = 7;
const dayMs = 24 * 60 * 60 * 1000;

/** Smaller volumes are reckoned as this: one bounce of one message is no rate. */
const bounceVolumeMin = 100;
const complaintVolumeMin = 1000;

/** Whose history it is. */
export interface HistoryScope {
  readonly id: string;
  /** Times the volumes, and the refusals for the content, that an account is judged by. */
  readonly factor: number;
}

const ofAccount: HistoryScope = { id: historyId, factor: 1 };
const domainPrefix = 'domain/';
/** `domain` in lower case, as A-labels. */
export const ofDomain = (domain: string): HistoryScope => ({ id: `${domainPrefix}${domain}`, factor: 10 });

const none: DayCounts = { messages: 0, recipients: 0, relayed: 0, bounced: 0, complained: 0, rejected: 0 };

/** Rates from which on a step is taken, the worst first. */
const steps: readonly {
  readonly step: ContainmentStep;
  readonly bounces: number;
  readonly complaints: number;
  readonly rejects: number;
}[] = [
  { step: 'stopped', bounces: 0.1, complaints: 0.005, rejects: 5 },
  { step: 'slowed', bounces: 0.075, complaints: 0.003, rejects: 3 },
  { step: 'warned', bounces: 0.05, complaints: 0.001, rejects: 1 },
];

export function sendingHistory(reader: AccountReader, { id }: HistoryScope = ofAccount): SendingHistory {
  return reader.object<SendingHistory>(historyType, id) ?? { days: {}, containment: null };
}

/** Of the account `outbox`. */
export function* domainHistories(reader: AccountReader): Iterable<{ readonly domain: string; readonly history: SendingHistory }> {
  for (const { id, value } of reader.objects<SendingHistory>(historyType)) {
    if (id.startsWith(domainPrefix)) yield { domain: id.slice(domainPrefix.length), history: value };
  }
}

/** Counts in the mutation's commit. Resolves the step that this leads to, where it is a worse one than before. */
export function countSending(tx: AccountTransactor, added: Partial<DayCounts>, scope = ofAccount): Containment | undefined {
  const before = sendingHistory(tx, scope);
  const today = dayOf(tx.at);
  const oldest = dayOf(tx.at - daysKept * dayMs);
  const days = Object.fromEntries(Object.entries(before.days).filter(([day]) => day > oldest));
  const counts = { ...none, ...days[today] };
  days[today] = Object.fromEntries(
    Object.keys(none).map((key) => [key, counts[key as keyof DayCounts] + (added[key as keyof DayCounts] ?? 0)]),
  ) as unknown as DayCounts;
  const judged = judge({ days, containment: before.containment }, tx.at, scope);
  const worse = judged !== undefined && rank(judged.step) > rank(before.containment?.step) ? judged : undefined;
  tx.putObject(historyType, scope.id, { days, containment: worse ?? before.containment } satisfies SendingHistory);
  return worse;
}

/** Refuses with MailError 'limit' what would be more than an account may send in a day, and with 'forbidden' an account that was stopped. */
export function requireMaySend(reader: AccountReader, at: number, recipients: number, limits: SendingLimits): void {
  const { days, containment } = sendingHistory(reader);
  if (containment?.step === 'stopped') throw new MailError('forbidden', 'Sending is suspended for this account: ask your administrator.');
  const today = days[dayOf(at)] ?? none;
  if (today.messages + 1 > limits.messagesPerDayMax)
    throw new MailError('limit', `This account may send ${limits.messagesPerDayMax} messages a day.`);
  if (today.recipients + recipients > limits.recipientsPerDayMax)
    throw new MailError('limit', `This account may send to ${limits.recipientsPerDayMax} recipients a day.`);
}

/** A user hands a message in: refused as requireMaySend says, counted otherwise. */
export function admitUserMail(tx: AccountTransactor, recipients: number, limits: SendingLimits): void {
  requireMaySend(tx, tx.at, recipients, limits);
  countSending(tx, { messages: 1, recipients });
}

/** The administrator has seen to it: what came back until now counts no more. */
export function releaseSending(tx: AccountTransactor, scope = ofAccount): boolean {
  const { days, containment } = sendingHistory(tx, scope);
  if (containment === null) return false;
  const forgiven = Object.entries(days).map(([day, counts]) => [day, { ...counts, bounced: 0, complained: 0, rejected: 0 }] as const);
  tx.putObject(historyType, scope.id, { days: Object.fromEntries(forgiven), containment: null } satisfies SendingHistory);
  return true;
}

export interface Rates {
  readonly relayed: number;
  readonly bounced: number;
  readonly complained: number;
  readonly rejected: number;
  /** Of 1. */
  readonly bounceRate: number;
  readonly complaintRate: number;
}

/** Of the last seven days. */
export function ratesOf({ days }: SendingHistory, at: number, { factor } = ofAccount): Rates {
  const oldest = dayOf(at - daysJudged * dayMs);
  const judged = Object.entries(days)
    .filter(([day]) => day > oldest)
    .map(([, counts]) => counts);
  const sum = (key: keyof DayCounts) => judged.reduce((total, counts) => total + counts[key], 0);
  const [relayed, bounced, complained, rejected] = [sum('relayed'), sum('bounced'), sum('complained'), sum('rejected')];
  return {
    relayed,
    bounced,
    complained,
    rejected,
    bounceRate: bounced / Math.max(relayed, bounceVolumeMin * factor),
    complaintRate: complained / Math.max(relayed, complaintVolumeMin * factor),
  };
}

function judge(history: SendingHistory, at: number, scope: HistoryScope): Containment | undefined {
  const { bounceRate, complaintRate, bounced, complained, rejected, relayed } = ratesOf(history, at, scope);
  const found = steps.find(
    ({ bounces, complaints, rejects }) => bounceRate >= bounces || complaintRate >= complaints || rejected >= rejects * scope.factor,
  );
  if (found === undefined) return undefined;
  const reason = `${bounced} bounces, ${complained} complaints and ${rejected} messages with harmful content, of ${relayed} sent in seven days`;
  return { step: found.step, at, reason };
}

const rank = (step: ContainmentStep | undefined) => (step === undefined ? 0 : { warned: 1, slowed: 2, stopped: 3 }[step]);
const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
