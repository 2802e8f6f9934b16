/**
 * Events of SES about mail that we sent: they come more than once, in any order, by any road. Each is taken once, by a key in the account's log, in one commit
 * with all that follows from it: the recipient's status, the report in the sender's INBOX, the counts that may stop the sender. The list of
 * suppressed addresses is in another log and comes first: adding to it twice changes nothing.
 *
 * A `Send` event also settles a claim whose node died before SES's answer was committed: then the copy is not sent again.
 */
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Account, Accounts } from '../../storage/account/api.ts';
import type { Directory } from '../../storage/directory/directory.ts';
import { type Containment, countSending, type DayCounts } from '../../storage/outbox/history.ts';
import { enqueue, serviceOutboxId, submission, submissions } from '../../storage/outbox/outbox.ts';
import { type RecipientStatus, type SubmissionRecord, submissionType } from '../../storage/outbox/record.ts';
import { rememberSentAs, submissionSentAs } from '../../storage/outbox/sent-as.ts';
import { suppress } from '../../storage/outbox/suppression.ts';
import type { FeedbackEvent } from '../ses/events.ts';
import { containmentNotice } from './containment-notice.ts';
import { type ReportedRecipient, statusOf, wantsReport } from './delivery-report.ts';
import type { DomainStanding } from './domain-standing.ts';
import { replyCharsMax } from './limits.ts';
import { enqueueReports, type PreparedReport, prepareReports, type ReportPorts } from './reports.ts';
import { decodeSesFeedback, type FeedbackRecipient, type SesFeedback } from './ses-feedback.ts';

export interface FeedbackPorts extends ReportPorts {
  readonly accounts: Accounts;
  readonly directory: Pick<Directory, 'accountById' | 'accountByAddress'>;
  readonly standing: Pick<DomainStanding, 'count'>;
  readonly observe: (event: FeedbackObservation) => void;
}

export type FeedbackObservation =
  | {
      readonly kind: 'taken' | 'repeated';
      readonly event: SesFeedback['kind'];
      readonly account: AccountId;
      readonly submission: string;
      readonly recipients: readonly string[];
      readonly detail: string;
    }
  /** Not ours, or too old: of an account that is gone, a submission that was forgotten. */
  | { readonly kind: 'unknown'; readonly event: SesFeedback['kind']; readonly sesMessageId: string }
  /** Opens, clicks and the like; or not as SES writes it. */
  | { readonly kind: 'ignored'; readonly type: string }
  | { readonly kind: 'suppressed'; readonly address: string; readonly reason: string }
  | ({ readonly kind: 'contained'; readonly account: AccountId } & Containment)
  | ({ readonly kind: 'domainContained'; readonly domain: string } & Containment);

interface Found {
  readonly account: Account;
  readonly id: string;
  readonly record: SubmissionRecord;
}

/** What an event says of one recipient. */
interface Change {
  readonly status: RecipientStatus;
  readonly report?: ReportedRecipient;
}

export class Feedback {
  readonly #ports: FeedbackPorts;

  constructor(ports: FeedbackPorts) {
    this.#ports = ports;
  }

  /** Takes an event in. Rejects with StorageError when the store is away: the event is to be shown again. */
  async take(event: FeedbackEvent): Promise<void> {
    const { observe } = this.#ports;
    const feedback = decodeSesFeedback(event);
    if (feedback === undefined) {
      observe({ kind: 'ignored', type: event.type });
      return;
    }
    await this.#suppress(feedback);
    const found = await this.#find(feedback);
    if (found === undefined) observe({ kind: 'unknown', event: feedback.kind, sesMessageId: feedback.sesMessageId });
    else {
      await this.#countForDomain(feedback, found.record);
      await this.#apply(feedback, found);
    }
  }

  /** In another log, like the list of suppressed addresses, and so before: its own key has it counted once. */
  async #countForDomain(feedback: SesFeedback, { envelope }: SubmissionRecord): Promise<void> {
    const { standing, observe, directory, accounts, reportDomain } = this.#ports;
    const counts = countsOf(feedback);
    if (counts === undefined) return;
    const contained = await standing.count(`feedback:${feedback.key}`, envelope.mailFrom.email, counts);
    if (contained === undefined) return;
    const { domain, ...containment } = contained;
    observe({ kind: 'domainContained', domain, ...containment });
    const postmasters = [domain, reportDomain].flatMap((name) => directory.accountByAddress(`postmaster@${name}`)?.address ?? []);
    await this.#notify(await accounts.open(serviceOutboxId), domain, [...new Set(postmasters)], containment);
  }

  /** Our tags name the submission. Without them the sender's outbox is asked for SES's id. */
  async #find({ account: tagged, submission: id, sesMessageId, source }: SesFeedback): Promise<Found | undefined> {
    const { accounts, directory } = this.#ports;
    if (tagged !== undefined && id !== undefined) {
      const isOurs = tagged === serviceOutboxId || directory.accountById(tagged as AccountId) !== undefined;
      if (!isOurs) return undefined;
      const account = await accounts.open(tagged as AccountId);
      const record = account.read((reader) => submission(reader, id));
      return record && { account, id, record };
    }
    const ids = [directory.accountByAddress(source)?.id, serviceOutboxId];
    for (const accountId of ids) {
      if (accountId === undefined) continue;
      const account = await accounts.open(accountId);
      const found = account.read((reader) => {
        const named = submissionSentAs(reader, sesMessageId);
        if (named === undefined) return undefined;
        const record = named === null ? undefined : submission(reader, named);
        if (named !== null) return record && { id: named, record };
        for (const { id: candidate, value } of submissions(reader)) {
          if (value.recipients.some(({ relayId }) => relayId === sesMessageId)) return { id: candidate, record: value };
        }
        return undefined;
      });
      if (found !== undefined) return { account, ...found };
    }
    return undefined;
  }

  async #suppress(feedback: SesFeedback): Promise<void> {
    const isForGood = feedback.kind === 'complaint' || (feedback.kind === 'bounce' && feedback.bounceType === 'Permanent');
    // Providers that hide who complained name everybody of their domain: only one who stands alone is meant for sure.
    if (!isForGood || (feedback.kind === 'complaint' && feedback.recipients.length > 1)) return;
    const reason = feedback.kind === 'complaint' ? 'complaint' : 'bounce';
    const service = await this.#ports.accounts.open(serviceOutboxId);
    const added = await service.transact((tx) =>
      feedback.recipients
        .filter(({ address, diagnostic }) => suppress(tx, address, { reason, detail: diagnostic ?? feedback.detail }))
        .map(({ address }) => address),
    );
    for (const address of added) this.#ports.observe({ kind: 'suppressed', address, reason });
  }

  async #apply(feedback: SesFeedback, { account, id, record: seen }: Found): Promise<void> {
    const { observe } = this.#ports;
    const key = `feedback:${feedback.key}`;
    const isRepeated = account.read((reader) => reader.ingested(key) !== undefined);
    const observation = {
      event: feedback.kind,
      account: account.id,
      submission: id,
      recipients: feedback.recipients.map(({ address }) => address),
      detail: feedback.detail,
    };
    if (isRepeated) {
      observe({ kind: 'repeated', ...observation });
      return;
    }
    const told = [...changesOf(feedback, seen).values()].flatMap(({ report }) => (report === undefined ? [] : [report]));
    const reports = await prepareReports(this.#ports, account, seen, told);
    const outcome = await account.transact((tx) => this.#commit(tx, key, id, feedback, reports), {
      uploads: reports.map(({ upload }) => upload),
    });
    if (outcome === 'repeated') {
      observe({ kind: 'repeated', ...observation });
      return;
    }
    observe({ kind: 'taken', ...observation });
    if (outcome === undefined) return;
    observe({ kind: 'contained', account: account.id, ...outcome });
    await this.#tellOfContainment(account, outcome);
  }

  /** The user, and the postmaster where there is one. What a crash swallows here is in the log and in `outbox reputation` all the same. */
  async #tellOfContainment(account: Account, containment: Containment): Promise<void> {
    const { directory, reportDomain } = this.#ports;
    const user = directory.accountById(account.id)?.address;
    // A warning is for the administrator: the user has just heard of the bounce or complaint itself.
    if (user === undefined || containment.step === 'warned') return;
    const postmaster = directory.accountByAddress(`postmaster@${reportDomain}`)?.address;
    await this.#notify(account, user, [...new Set([user, ...(postmaster === undefined ? [] : [postmaster])])], containment);
  }

  async #notify(outbox: Account, who: string, to: readonly string[], containment: Containment): Promise<void> {
    if (to.length === 0) return;
    const { random, clock, reportDomain } = this.#ports;
    const token = random.hex(12);
    const upload = await outbox.upload(containmentNotice(who, to, containment, { token, domain: reportDomain, now: clock.now() }));
    const rcptTo = to.map((email) => ({ email, parameters: null }));
    const envelope = { mailFrom: { email: '', parameters: null }, rcptTo };
    const messageId = `${token}.notice@${reportDomain}`;
    await outbox.transact((tx) => enqueue(tx, { id: `s${token}`, origin: 'bounce', blob: upload.ref, messageId, envelope }), {
      uploads: [upload],
    });
  }

  #commit(
    tx: Parameters<Parameters<Account['transact']>[0]>[0],
    key: string,
    id: string,
    feedback: SesFeedback,
    reports: readonly PreparedReport[],
  ): Containment | 'repeated' | undefined {
    if (tx.ingested(key) !== undefined) return 'repeated';
    tx.rememberIngest(key, null);
    const record = submission(tx, id);
    if (record === undefined) return undefined;
    const changes = changesOf(feedback, record);
    if (changes.size === 0) return undefined;
    const recipients = record.recipients.map((status, index) => changes.get(index)?.status ?? status);
    const dsnBlobs = [...record.dsnBlobs, ...reports.map(({ upload }) => upload.ref)];
    tx.putObject(submissionType, id, { ...record, recipients, dsnBlobs } satisfies SubmissionRecord);
    enqueueReports(tx, reports);
    rememberSentAs(tx, feedback.sesMessageId, id, record.messageId);
    const counts = countsOf(feedback);
    return counts && countSending(tx, counts);
  }
}

/** What of an event counts for the sender's standing. What SES's own list stopped was never sent. */
function countsOf({ kind, bounceType, detail, recipients }: SesFeedback): Partial<DayCounts> | undefined {
  if (kind === 'complaint') return { complained: 1 };
  if (kind === 'reject') return { rejected: 1 };
  const isCounted = kind === 'bounce' && bounceType === 'Permanent' && !/Suppress/.test(detail);
  return isCounted ? { bounced: recipients.length } : undefined;
}

/** By the index of the recipient. */
function changesOf(feedback: SesFeedback, record: SubmissionRecord): ReadonlyMap<number, Change> {
  const changes = new Map<number, Change>();
  for (const recipient of feedback.recipients) {
    for (const [index, status] of record.recipients.entries()) {
      if (record.envelope.rcptTo[index]!.email.toLowerCase() !== recipient.address.toLowerCase()) continue;
      if (status.relayId !== undefined && status.relayId !== feedback.sesMessageId) continue;
      const change = changeOf(feedback, recipient, record, index);
      if (change !== undefined) changes.set(index, change);
    }
  }
  return changes;
}

function changeOf(feedback: SesFeedback, recipient: FeedbackRecipient, record: SubmissionRecord, index: number): Change | undefined {
  const { claimedBy: _by, claimedAt: _at, ...status } = record.recipients[index]!;
  if (status.state === 'delivered') return undefined;
  const rcptTo = record.envelope.rcptTo[index]!;
  const sent: RecipientStatus = { ...status, state: 'relayed', delivered: 'unknown', relayId: feedback.sesMessageId };
  const reported = (action: ReportedRecipient['action'], smtpReply: string) => {
    const { reportingMta: remoteMta } = feedback;
    return wantsReport(rcptTo, action) ? { report: { rcptTo, action, smtpReply, ...(remoteMta === undefined ? {} : { remoteMta }) } } : {};
  };
  const smtpReply = replyOf(feedback, recipient);
  switch (feedback.kind) {
    case 'send':
      // Only of use where the answer to our call was lost.
      return status.state === 'relayed' || status.state === 'failed' ? undefined : { status: { ...sent, smtpReply } };
    case 'delivery':
      // RFC 8621 §7: the next server has it, which need not be the last.
      return status.state === 'failed' ? undefined : { status: { ...sent, smtpReply } };
    case 'bounce':
    case 'reject':
    case 'failure':
      if (status.state === 'failed' || feedback.bounceType === 'Undetermined') return undefined;
      return { status: { ...sent, state: 'failed', delivered: 'no', smtpReply }, ...reported('failed', smtpReply) };
    case 'complaint':
      return { status: sent, ...reported('complaint', smtpReply) };
    case 'delay':
      if (status.state === 'failed') return undefined;
      return { status: { ...sent, smtpReply, delayTold: true }, ...(status.delayTold === true ? {} : reported('delayed', smtpReply)) };
  }
}

function replyOf({ kind, smtpResponse, detail }: SesFeedback, { status, diagnostic }: FeedbackRecipient): string {
  const said = (smtpResponse ?? diagnostic ?? '').replace(/[\r\n]+/g, ' ').slice(0, replyCharsMax);
  if (/^\d{3}[ -]/.test(said)) return said;
  const [code, fallback] = {
    send: [250, '2.0.0'],
    delivery: [250, '2.0.0'],
    complaint: [250, '2.7.1'],
    delay: [450, '4.4.1'],
    bounce: [550, '5.0.0'],
    reject: [554, '5.7.1'],
    failure: [554, '5.6.0'],
  }[kind] as [number, string];
  const enhanced = status !== undefined && statusOf(`${code} ${status} `, 'failed') === status ? status : fallback;
  return `${code} ${enhanced} ${[detail, said].filter((part) => part !== '').join(': ')}`.trim();
}
