/**
 * Hands over what lies in the outboxes of this node's accounts: to accounts here through the pipeline, to others through the relay.
 *
 * An attempt is three steps: a commit claims the recipients that are due, the copies are handed over, and commits say what became of them, with the reports
 * that follow from it, as soon as it is known. So two nodes never hand over the same copy, and a crash leaves a claim behind, which its own node takes
 * over when it is back and others after claimMs. What the relay had said before the crash is in the node's journal, and is written down then. Where
 * it had said nothing yet the copy goes out again: into accounts here it is taken once, by its ingest key; a relay may have taken it in, and then it
 * arrives twice, which nobody can prevent, since SMTP has no name for a message that a relay would know again.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Account, Accounts, Effect } from '../../storage/account/api.ts';
import { countSending } from '../../storage/outbox/history.ts';
import { isSettled, submission, unfinishedSubmissions } from '../../storage/outbox/outbox.ts';
import { type RecipientStatus, type SubmissionRecord, submissionType } from '../../storage/outbox/record.ts';
import { forgetSentAs, rememberSentAs } from '../../storage/outbox/sent-as.ts';
import type { Answer, AnswerJournal } from './answers.ts';
import type { DomainStanding } from './domain-standing.ts';
import { type HandoverPorts, handOver } from './hand-over.ts';
import { accountHandoversMax, claimMs, faultPauseMs, handoversMax, markKeptMs, settledKeptMs } from './limits.ts';
import type { OutboxMarks } from './marks.ts';
import type { OutboxObserver } from './outbox-events.ts';
import { enqueueReports, prepareReports, type ReportPorts } from './reports.ts';
import { type Outcome, settle } from './settle.ts';

export interface DispatcherPorts extends HandoverPorts, ReportPorts {
  readonly accounts: Accounts;
  readonly marks: OutboxMarks;
  readonly answers: AnswerJournal;
  readonly standing: Pick<DomainStanding, 'noteRelayed'>;
  /** The name that claims carry; the same after a restart. */
  readonly node: string;
  /** Applies what other nodes have committed to an open account. */
  readonly catchUp: (account: Account) => Promise<void>;
  readonly observe: OutboxObserver;
}

interface Attached {
  readonly account: Account;
  readonly watch: Disposable;
  /** When each submission with work left is due, milliseconds since the epoch. */
  readonly due: Map<string, number>;
  readonly working: Set<string>;
}

interface Away {
  /** Submissions left, when the first is due, and since when it is away. */
  readonly count: number;
  readonly at: number;
  readonly since: number;
}

interface Claim {
  readonly record: SubmissionRecord;
  readonly indexes: readonly number[];
  readonly at: number;
}

export class Dispatcher implements AsyncDisposable {
  readonly #ports: DispatcherPorts;
  readonly #attached = new Map<AccountId, Attached>();
  /** Accounts that were put away with submissions left. */
  readonly #away = new Map<AccountId, Away>();
  readonly #running = new Set<Promise<void>>();
  #isStopped = false;
  #wake = Promise.withResolvers<void>();

  constructor(ports: DispatcherPorts) {
    this.#ports = ports;
  }

  /** Submissions with work left in the accounts that were opened here. */
  get pending(): number {
    const inMemory = [...this.#attached.values()].reduce((sum, { due }) => sum + due.size, 0);
    return [...this.#away.values()].reduce((sum, { count }) => sum + count, inMemory);
  }

  /** Takes an opened account in. Every account that this node opens is given, so that whatever is enqueued in it leaves. */
  attach(account: Account): void {
    const before = this.#attached.get(account.id);
    if (before?.account === account || this.#isStopped) return;
    // It was rebuilt: another stands in its place.
    before?.watch[Symbol.dispose]();
    const attached: Attached = {
      account,
      due: new Map(),
      // What is being handed over goes on, and must not be taken for a claim that was left behind.
      working: before?.working ?? new Set(),
      watch: account.watch(
        (effects) => this.#follow(attached, effects),
        () => this.#lookThrough(attached),
        { isBusy: () => attached.working.size > 0, onPutAway: () => this.#letGo(attached) },
      ),
    };
    this.#attached.set(account.id, attached);
    this.#away.delete(account.id);
    this.#lookThrough(attached);
    // Between two looks it may be in memory for a short time only.
    this.#own(account.id, () => this.#removeOldOf(account));
  }

  /** Before a commit that enqueues: resolves when the account would be found again after a crash right after it. */
  announce(account: AccountId): Promise<void> {
    return this.#ports.marks.mark(account);
  }

  /** Works until stopped. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    signal.addEventListener('abort', () => this.#wake.resolve(), { once: true });
    while (!signal.aborted && !this.#isStopped) {
      this.#wake = Promise.withResolvers<void>();
      const nextAt = this.#begin();
      const pause = new AbortController();
      const waits = [this.#wake.promise];
      if (nextAt !== undefined) waits.push(clock.sleep(Math.min(Math.max(1, nextAt - clock.now()), 60_000), pause.signal).catch(() => {}));
      await Promise.race(waits);
      pause.abort();
    }
  }

  /** Hands over everything that is due now, and what that brings. For tests and for tools that do not stay. */
  async turn(): Promise<void> {
    do {
      this.#begin();
      await Promise.all(this.#running);
      const now = this.#ports.clock.now();
      const times = [
        ...[...this.#attached.values()].flatMap(({ due }) => [...due.values()]),
        ...[...this.#away.values()].map(({ at }) => at),
      ];
      if (!times.some((at) => at <= now)) return;
    } while (!this.#isStopped);
  }

  /** Opens the accounts that are marked, and takes the marks of those away that have nothing left to do. One that cannot be opened holds up no other. */
  async look(): Promise<void> {
    for (const { account, lastModified } of await this.#ports.marks.list()) {
      if (this.#isStopped) return;
      // It was put away when all that the mark tells of was known: it comes back when something of it is due.
      if ((this.#away.get(account)?.since ?? 0) > lastModified + markKeptMs) continue;
      await this.#report(account, this.#lookAt(account, lastModified));
    }
  }

  async #lookAt(id: AccountId, markedAt: number): Promise<void> {
    const { marks, accounts, clock, catchUp } = this.#ports;
    const account = await accounts.open(id);
    this.attach(account);
    const isIdle = () => this.#attached.get(id)?.due.size === 0;
    if (!isIdle() || clock.now() - markedAt < markKeptMs) return;
    await catchUp(account);
    if (isIdle()) await marks.remove(id);
  }

  /** Removes submissions that nothing was left to do for, for long. */
  async removeOld(): Promise<void> {
    for (const { account } of [...this.#attached.values()]) await this.#report(account.id, this.#removeOldOf(account));
  }

  async #report(account: AccountId, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#ports.observe({ kind: 'faulted', account, error });
    }
  }

  async #removeOldOf(account: Account): Promise<void> {
    const before = this.#ports.clock.now() - settledKeptMs;
    const ids = account.read((reader) => [...reader.listed(submissionType, 'finished', before)]);
    if (ids.length === 0) return;
    await account.transact((tx) => {
      for (const id of ids) {
        const record = submission(tx, id);
        if (record === undefined || !isSettled(record)) continue;
        for (const { relayId } of record.recipients) if (relayId !== undefined) forgetSentAs(tx, relayId);
        tx.removeObject(submissionType, id);
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    this.#wake.resolve();
    for (const { watch } of this.#attached.values()) watch[Symbol.dispose]();
    await Promise.all(this.#running);
  }

  // What is due

  /** It is opened again when something of it is due, if nobody opens it before. */
  #letGo({ account: { id }, due }: Attached): void {
    this.#attached.delete(id);
    if (due.size === 0) return;
    this.#away.set(id, { count: due.size, at: Math.min(...due.values()), since: this.#ports.clock.now() });
    this.#wake.resolve();
  }

  #lookThrough(attached: Attached): void {
    attached.due.clear();
    attached.account.read((reader) => {
      for (const { id, value } of unfinishedSubmissions(reader)) this.#plan(attached, id, value);
    });
    this.#wake.resolve();
  }

  #follow(attached: Attached, effects: readonly Effect[]): void {
    const ids = new Set(effects.flatMap(({ objects }) => objects.filter(({ type }) => type === submissionType).map(({ id }) => id)));
    if (ids.size === 0) return;
    const hadWork = attached.due.size > 0;
    attached.account.read((reader) => {
      for (const id of ids) this.#plan(attached, id, submission(reader, id));
    });
    if (attached.due.size > 0 && !hadWork) void this.#mark(attached.account.id);
    this.#wake.resolve();
  }

  async #mark(account: AccountId): Promise<void> {
    await this.#report(account, this.#ports.marks.mark(account));
  }

  #plan({ due }: Attached, id: string, record: SubmissionRecord | undefined): void {
    const times = record?.recipients.flatMap((recipient) => this.#dueAt(recipient) ?? []) ?? [];
    if (times.length === 0) due.delete(id);
    else due.set(id, Math.min(...times));
  }

  #dueAt({ state, nextAt, claimedBy, claimedAt = 0 }: RecipientStatus): number | undefined {
    if (state === 'queued') return nextAt;
    if (state !== 'claimed') return undefined;
    // Our own: left behind by a crash, or being worked on, which #begin knows.
    return claimedBy === this.#ports.node ? claimedAt : claimedAt + claimMs;
  }

  /** Begins what is due, as far as there is room. Returns when the next is due that was not begun. */
  #begin(): number | undefined {
    const now = this.#ports.clock.now();
    let nextAt: number | undefined;
    for (const attached of this.#attached.values()) {
      for (const [id, at] of attached.due) {
        if (this.#isStopped) return undefined;
        if (attached.working.has(id)) continue;
        if (at > now) nextAt = Math.min(nextAt ?? at, at);
        // Who waits for room is woken by what finishes.
        else if (attached.working.size < accountHandoversMax && this.#running.size < handoversMax) this.#start(attached, id);
      }
    }
    for (const [id, away] of this.#away) {
      if (away.at > now) nextAt = Math.min(nextAt ?? away.at, away.at);
      else if (this.#running.size < handoversMax) this.#fetch(id, away);
    }
    return nextAt;
  }

  #fetch(id: AccountId, away: Away): void {
    const { accounts, clock } = this.#ports;
    this.#away.delete(id);
    this.#own(id, async () => {
      try {
        this.attach(await accounts.open(id));
      } catch (error) {
        this.#away.set(id, { ...away, at: clock.now() + faultPauseMs });
        throw error;
      }
    });
  }

  /** Work beside the handovers, which is waited for at the end. */
  #own(account: AccountId, work: () => Promise<void>): void {
    const running = this.#report(account, work()).then(() => {
      this.#running.delete(running);
      this.#wake.resolve();
    });
    this.#running.add(running);
  }

  #start(attached: Attached, id: string): void {
    attached.working.add(id);
    const work = this.#attempt(attached, id)
      .catch((error: unknown) => {
        this.#ports.observe({ kind: 'faulted', account: attached.account.id, submission: id, error });
        return faultPauseMs;
      })
      .then((pauseMs) => {
        attached.working.delete(id);
        this.#running.delete(work);
        attached.account.read((reader) => this.#plan(attached, id, submission(reader, id)));
        if (pauseMs !== undefined && attached.due.has(id)) attached.due.set(id, this.#ports.clock.now() + pauseMs);
        this.#wake.resolve();
      });
    this.#running.add(work);
  }

  // One attempt

  async #attempt({ account }: Attached, id: string): Promise<void> {
    const { answers } = this.#ports;
    for (const answer of answers.leftBehind(account.id, id)) await this.#writeDown(account, answer, new Map(answer.outcomes));
    const claim = await this.#claim(account, id);
    if (claim === undefined) return;
    const claimed = { account: account.id, submission: id, claimedAt: claim.at };
    // What a relay took is written down at once; the rest together, so that its sender gets one report.
    const rest = new Map<number, Outcome>();
    await handOver(this.#ports, account, id, claim.record, claim.indexes, async (outcomes) => {
      const relayed = [...outcomes].flatMap(([index, outcome]) => (outcome.kind === 'relayed' ? [[index, outcome] as const] : []));
      if (relayed.length === 0) {
        for (const [index, outcome] of outcomes) rest.set(index, outcome);
        return;
      }
      const answer = { ...claimed, outcomes: relayed };
      answers.note(answer);
      await this.#writeDown(account, answer, outcomes);
    });
    if (rest.size > 0) await this.#writeDown(account, { ...claimed, outcomes: [] }, rest);
  }

  /** What the relay has taken must not go to it again because the store is away: the answer is kept until it is written down. */
  async #writeDown(account: Account, answer: Answer, outcomes: ReadonlyMap<number, Outcome>): Promise<void> {
    const { answers, observe, clock } = this.#ports;
    const { submission: id, claimedAt } = answer;
    for (;;) {
      try {
        await this.#settle(account, id, claimedAt, outcomes);
        answers.forget(answer);
        return;
      } catch (error) {
        if (!(error instanceof StorageError) || this.#isStopped) throw error;
        observe({ kind: 'faulted', account: account.id, submission: id, error });
        await clock.sleep(faultPauseMs);
      }
    }
  }

  async #claim(account: Account, id: string): Promise<Claim | undefined> {
    const { clock, node, observe } = this.#ports;
    const now = clock.now();
    const takenFrom: string[] = [];
    const claim = await account.transact((tx): Claim | undefined => {
      takenFrom.length = 0;
      const record = submission(tx, id);
      if (record === undefined) return undefined;
      const indexes = [...record.recipients.keys()].filter((index) => (this.#dueAt(record.recipients[index]!) ?? Infinity) <= now);
      if (indexes.length === 0) return undefined;
      const recipients = record.recipients.map((recipient, index): RecipientStatus => {
        if (!indexes.includes(index)) return recipient;
        if (recipient.state === 'claimed') takenFrom.push(recipient.claimedBy ?? '');
        return { ...recipient, state: 'claimed', attempts: recipient.attempts + 1, claimedBy: node, claimedAt: now };
      });
      const claimed: SubmissionRecord = { ...record, undoStatus: 'final', recipients };
      tx.putObject(submissionType, id, claimed);
      return { record: claimed, indexes, at: now };
    });
    if (takenFrom.length > 0) observe({ kind: 'takenOver', account: account.id, submission: id, from: takenFrom[0]! });
    return claim;
  }

  async #settle(account: Account, id: string, at: number, outcomes: ReadonlyMap<number, Outcome>): Promise<void> {
    const { clock, random, observe, node, standing } = this.#ports;
    const now = clock.now();
    const record = account.read((reader) => submission(reader, id));
    if (record === undefined) return;
    const { recipients, reports } = settle(record, outcomes, now, random.fraction());
    const notices = await prepareReports(this.#ports, account, record, reports);
    const relayed = await account.transact(
      (tx): number => {
        const current = submission(tx, id);
        const isOurs = ({ state, claimedBy, claimedAt }: RecipientStatus) => state === 'claimed' && claimedBy === node && claimedAt === at;
        // Written down before, by a commit whose answer was lost; or taken over by another node while we were away: then what it says holds.
        const ours = [...recipients].filter(([index]) => current !== undefined && isOurs(current.recipients[index]!));
        if (current === undefined || ours.length === 0) return 0;
        const after: SubmissionRecord = {
          ...current,
          recipients: current.recipients.map((recipient, index) => (isOurs(recipient) ? (recipients.get(index) ?? recipient) : recipient)),
          dsnBlobs: [...current.dsnBlobs, ...notices.map(({ upload }) => upload.ref)],
        };
        if (after.isDestroyed && isSettled(after)) tx.removeObject(submissionType, id);
        else tx.putObject(submissionType, id, after);
        enqueueReports(tx, notices);
        for (const [, { relayId }] of ours) if (relayId !== undefined) rememberSentAs(tx, relayId, id, record.messageId);
        const left = ours.filter(([, { state }]) => state === 'relayed').length;
        if (left > 0) countSending(tx, { relayed: left });
        return left;
      },
      { uploads: notices.map(({ upload }) => upload) },
    );
    if (relayed > 0) standing.noteRelayed(record.envelope.mailFrom.email, relayed);
    const identity = { account: account.id, submission: id };
    for (const [index, outcome] of outcomes) {
      const after = recipients.get(index)!;
      // Time is up: what is told is what the record says.
      const { kind, smtpReply } = outcome.kind === 'deferred' && after.state === 'failed' ? { ...after, kind: after.state } : outcome;
      const latencyMs = Math.max(0, now - Math.max(record.sendAt, record.createdAt));
      const recipient = record.envelope.rcptTo[index]!.email;
      const { attempts, relayId } = after;
      observe({ kind, ...identity, recipient, smtpReply, attempts, latencyMs, ...(relayId === undefined ? {} : { relayId }) });
    }
    for (const { action } of notices) observe({ kind: 'reported', ...identity, to: record.envelope.mailFrom.email, action });
  }
}
