/** One attempt at some recipients of a submission: those who live here by the pipeline, the others by the relay. */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Account } from '../../storage/account/api.ts';
import type { Clock } from '../../storage/clock.ts';
import type { SubmissionRecord } from '../../storage/outbox/record.ts';
import type { DeliveryResult } from '../delivery.ts';
import type { Pipeline } from '../pipeline.ts';
import type { RecipientDirectory } from '../routing.ts';
import { type OutboundPorts, passOutbound } from '../rules/outbound.ts';
import { mailDate } from './delivery-report.ts';
import { hopsMax } from './limits.ts';
import { hopsOf, withoutPrivateFields } from './outgoing-message.ts';
import type { Relay, RelayMessage } from './relay.ts';
import type { Restraint } from './restraint.ts';
import type { Outcome } from './settle.ts';

export interface HandoverPorts {
  readonly pipeline: Pick<Pipeline, 'deliver'>;
  readonly directory: RecipientDirectory & { isLocalDomain(address: string): boolean };
  readonly relay: Relay;
  readonly clock: Clock;
  /** The organisation's rules on what its users send. */
  readonly rules?: OutboundPorts;
  readonly restraint?: Pick<Restraint, 'ofAddress' | 'ofAccount' | 'ofSender'>;
  /** What we call ourselves in Received and in reports. */
  readonly hostName: string;
}

type Outcomes = Map<number, Outcome>;

const away: Outcome = { kind: 'deferred', smtpReply: '451 4.3.0 The store is not available' };

/** Is told of outcomes as they come, in the turn in which they are known: each is written down without waiting for the others. */
export type TellOutcomes = (outcomes: ReadonlyMap<number, Outcome>) => Promise<void>;

/** Resolves when every outcome is told. Never rejects for what a relay does. Rejects with StorageError when the bytes cannot be read. */
export async function handOver(
  ports: HandoverPorts,
  account: Account,
  id: string,
  record: SubmissionRecord,
  indexes: readonly number[],
  tell: TellOutcomes,
): Promise<void> {
  const bytes = withoutPrivateFields(await account.blobBytes(record.blob));
  // RFC 5321 §6.3.
  if (hopsOf(bytes) > hopsMax) return tell(all(indexes, { kind: 'failed', smtpReply: '554 5.4.6 The message goes round in circles' }));
  const restrained = restrain(ports, account, record, indexes);
  const free = indexes.filter((index) => !restrained.has(index));
  const { outcomes, groups } = await passRules(ports, account.id, id, record, free, bytes);
  const kept = new Map([...restrained, ...outcomes]);
  const parts = [...groups].flatMap(([copy, group]) => handOverCopy(ports, account.id, id, record, group, copy, tell));
  // All of them end before anybody claims the submission anew, also when one fails.
  const ends = await Promise.allSettled([...(kept.size === 0 ? [] : [tell(kept)]), ...parts]);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

function restrain(
  { restraint, directory }: HandoverPorts,
  account: Account,
  { envelope }: SubmissionRecord,
  indexes: readonly number[],
): Outcomes {
  const outcomes: Outcomes = new Map();
  const elsewhere = indexes.filter((index) => !directory.isLocalDomain(envelope.rcptTo[index]!.email));
  if (restraint === undefined || elsewhere.length === 0) return outcomes;
  const ofSender = restraint.ofAccount(account) ?? restraint.ofSender(envelope.mailFrom.email);
  for (const index of elsewhere) {
    const outcome = restraint.ofAddress(envelope.rcptTo[index]!.email) ?? ofSender;
    if (outcome !== undefined) outcomes.set(index, outcome);
  }
  return outcomes;
}

interface Ruled {
  readonly outcomes: Outcomes;
  /** Recipients by the bytes that they are to get. */
  readonly groups: ReadonlyMap<Buffer, readonly number[]>;
}

/** Users' own mail is asked about; what the server writes itself is not. */
async function passRules(
  { rules }: HandoverPorts,
  account: AccountId,
  id: string,
  { origin, envelope }: SubmissionRecord,
  indexes: readonly number[],
  bytes: Buffer,
): Promise<Ruled> {
  if (indexes.length === 0) return { outcomes: new Map(), groups: new Map() };
  if (rules === undefined || (origin !== 'jmap' && origin !== 'smtp')) return { outcomes: new Map(), groups: new Map([[bytes, indexes]]) };
  const recipients = indexes.map((index) => envelope.rcptTo[index]!.email);
  const outcomes: Outcomes = new Map();
  const groups = new Map<Buffer, number[]>();
  try {
    const copies = await passOutbound(rules, {
      bytes,
      envelopeFrom: envelope.mailFrom.email,
      recipients,
      key: `outbound:${account}:${id}`,
    });
    for (const [at, index] of indexes.entries()) {
      const copy = copies[at]!;
      if (copy.kind === 'bounced') outcomes.set(index, { kind: 'failed', smtpReply: `550 5.7.1 ${copy.message.replace(/[\r\n]+/g, ' ')}` });
      else if (copy.kind === 'disposed')
        outcomes.set(index, { kind: 'delivered', smtpReply: '250 2.0.0 Disposed of by a rule of the organisation' });
      else groups.set(copy.bytes, [...(groups.get(copy.bytes) ?? []), index]);
    }
    return { outcomes, groups };
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    return { outcomes: all(indexes, { kind: 'deferred', smtpReply: `451 4.3.0 ${error.message.replace(/[\r\n]+/g, ' ')}` }), groups };
  }
}

function handOverCopy(
  ports: HandoverPorts,
  account: AccountId,
  id: string,
  record: SubmissionRecord,
  indexes: readonly number[],
  bytes: Buffer,
  tell: TellOutcomes,
): Promise<void>[] {
  const isLocal = (index: number) => ports.directory.isLocalDomain(record.envelope.rcptTo[index]!.email);
  const here = indexes.filter(isLocal);
  const elsewhere = indexes.filter((index) => !isLocal(index));
  return [
    ...(here.length === 0 ? [] : [deliverHere(ports, account, id, record, here, bytes).then(tell)]),
    ...callsOf(elsewhere, record, ports.relay).map((chunk) => relay(ports, account, id, record, chunk, bytes).then(tell)),
  ];
}

async function deliverHere(
  { pipeline, directory, clock, hostName }: HandoverPorts,
  account: AccountId,
  id: string,
  { envelope }: SubmissionRecord,
  indexes: readonly number[],
  bytes: Buffer,
): Promise<Outcomes> {
  const targets = new Map<AccountId, string>();
  const accountsOf = new Map<number, readonly AccountId[]>();
  const outcomes: Outcomes = new Map();
  for (const index of indexes) {
    const { email } = envelope.rcptTo[index]!;
    try {
      const resolution = await directory.resolveRecipient(email);
      if (resolution.kind === 'unknown') {
        outcomes.set(index, { kind: 'failed', smtpReply: '550 5.1.1 There is nobody here with this address' });
        continue;
      }
      accountsOf.set(index, resolution.accounts);
      for (const target of resolution.accounts) if (!targets.has(target)) targets.set(target, email);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      outcomes.set(index, away);
    }
  }
  if (targets.size === 0) return outcomes;
  const mailFrom = envelope.mailFrom.email;
  // RFC 5321 §4.4. Each passage leaves a line, so that circles are seen.
  const trace = `Return-Path: <${mailFrom}>\r\nReceived: by ${hostName} id ${id};\r\n\t${mailDate(clock.now())}\r\n`;
  const results = await pipeline.deliver({
    bytes: Buffer.concat([Buffer.from(trace), bytes]),
    targets,
    envelopeFrom: mailFrom,
    evidence: { results: {}, fields: [], isProven: true },
    source: 'submission',
    name: `submission-${account}-${id}`,
    ingestKey: `submission:${account}:${id}`,
  });
  for (const [index, accounts] of accountsOf) outcomes.set(index, outcomeOf(accounts.map((target) => results.get(target))));
  return outcomes;
}

function outcomeOf(results: readonly (DeliveryResult | undefined)[]): Outcome {
  if (results.some((result) => result === undefined || result.kind === 'unavailable')) return away;
  const full = results.find((result) => result?.kind === 'full');
  if (full?.kind === 'full') return { kind: 'deferred', smtpReply: `452 4.2.2 ${full.reason.replace(/[\r\n]+/g, ' ')}` };
  const refused = results.filter((result) => result?.kind === 'refused');
  if (refused.length === results.length) {
    const byRule = refused.find((result) => result?.kind === 'refused' && result.isByRule);
    if (byRule?.kind === 'refused') return { kind: 'failed', smtpReply: `550 5.7.1 ${byRule.reason.replace(/[\r\n]+/g, ' ')}` };
    return { kind: 'failed', smtpReply: '550 5.1.1 There is nobody here with this address' };
  }
  return { kind: 'delivered', smtpReply: '250 2.1.5 Delivered' };
}

async function relay(
  ports: HandoverPorts,
  account: AccountId,
  submission: string,
  { envelope }: SubmissionRecord,
  indexes: readonly number[],
  bytes: Buffer,
): Promise<Outcomes> {
  const rcptTo = indexes.map((index) => envelope.rcptTo[index]!);
  const message: RelayMessage = { account, submission, mailFrom: envelope.mailFrom, rcptTo, bytes };
  try {
    const results = await ports.relay.send(message);
    return new Map(
      indexes.map((index, at) => [index, results[at] ?? { kind: 'deferred', smtpReply: '451 4.3.0 The relay gave no answer' }]),
    );
  } catch (error) {
    return all(indexes, { kind: 'deferred', smtpReply: `451 4.4.0 ${error instanceof Error ? error.message : String(error)}` });
  }
}

const all = (indexes: readonly number[], outcome: Outcome): Outcomes => new Map(indexes.map((index) => [index, outcome]));

/** Recipients by the calls that they go in. */
function callsOf(indexes: readonly number[], { envelope }: SubmissionRecord, { recipientsMax, callKey }: Relay): number[][] {
  const groups = Map.groupBy(indexes, (index) => callKey?.(envelope.rcptTo[index]!) ?? '');
  return [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / recipientsMax) }, (_, at) => group.slice(at * recipientsMax, (at + 1) * recipientsMax)),
  );
}
