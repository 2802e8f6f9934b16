/**
 * Mail in: source → read raw → verdict → recipients → commit → acknowledge. All sources feed this one.
 *
 * An object leaves the inbound prefix only when every recipient's commit, or the record of why there is none, is in the store. A crash at any
 * point leaves it there, and the ingest keys in the accounts' logs see to it that nobody gets it twice. What the store's absence interrupts is
 * tried again for ever; what makes us throw is tried a few times, then held under failed/.
 */
import { StorageError } from '../protocol/mail/errors.ts';
import type { AccountId } from '../protocol/mail/ids.ts';
import { parseInboundKey } from '../storage/objects/object-keys.ts';
import type { StoredObject } from '../storage/objects/object-store.ts';
import { AccountTurns } from './account-turns.ts';
import { understand } from './arrival.ts';
import { type DeliveryResult, deliver, type OutgoingMessage } from './delivery.ts';
import { Foresight } from './foresight.ts';
import { Gate } from './gate.ts';
import { type Held, HeldMail } from './held-mail.ts';
import { Holder, identityOf } from './holder.ts';
import type { IntakeObserver } from './intake-events.ts';
import { accountInFlightMax, attemptPauseMs, attemptsMax, bytesInFlightMax, messagesInFlightMax } from './limits.ts';
import { addressesMissed, fullInGroups, whyMissed } from './missed.ts';
import { once } from './once.ts';
import type {
  CommonMessage,
  Entry,
  HandedMessage,
  InboundObject,
  IntakeOutcome,
  MessageInFlight,
  PipelineOptions,
  PipelinePorts,
} from './pipeline-types.ts';
import { Remover } from './remover.ts';
import { type Route, route } from './routing.ts';
import { type AccountCopy, type Passage, targetsWithout } from './rules/passage.ts';
import { DecryptionError, decryptObject, isEncrypted } from './ses/client-side-encryption.ts';
import { setupNotificationId } from './ses/header-block.ts';
import { rejection, undeliverableOf } from './undeliverable.ts';
import { decide, sentenceOf, type VerdictRule } from './verdict.ts';
import { admitByScope, deliverByScope } from './verdict-scope.ts';

export type { HandedMessage, InboundObject, IntakeOutcome, PipelineOptions, PipelinePorts } from './pipeline-types.ts';

export class Pipeline {
  readonly held: HeldMail;
  readonly #holder: Holder;
  readonly #ports: PipelinePorts;
  readonly #options: PipelineOptions;
  readonly #observe: IntakeObserver;
  readonly #remover: Remover;
  readonly #gate = new Gate({ bytesMax: bytesInFlightMax, messagesMax: messagesInFlightMax });
  /** Objects being worked on: an event and the sweep do not work on one at once. */
  readonly #working = new Map<string, Working>();
  readonly #turns = new AccountTurns(accountInFlightMax);
  readonly #foresight: Foresight;

  constructor(ports: PipelinePorts, options: PipelineOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#observe = ports.observe ?? (() => {});
    this.#foresight = new Foresight({ ...ports, observe: this.#observe, inboundPrefix: options.inboundPrefix });
    this.#remover = new Remover(ports.store);
    this.held = new HeldMail(ports.store);
    this.#holder = new Holder({ ...ports, observe: this.#observe, held: this.held }, options.inboundPrefix);
  }

  /** Messages and bytes being worked on. */
  get load(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#gate.messages, bytes: this.#gate.bytes };
  }

  /** Whether the account takes another message now. */
  hasRoom(account: AccountId): boolean {
    return this.#turns.hasRoom(account);
  }

  /** Takes an object in. Rejects with a StorageError when the store or an account is away: the object is where it was; try again later. */
  async ingest(object: InboundObject): Promise<IntakeOutcome> {
    const { key } = object;
    for (let other = this.#working.get(key); other !== undefined; other = this.#working.get(key)) {
      const account = await Promise.race([other.settled, other.waits.promise]);
      if (account === undefined) continue;
      if (object.mayBePutOff === true) return { kind: 'busy', account };
      if (!(await this.#wait(object, account, () => other.settled))) return { kind: 'busy', account };
    }
    const waits = Promise.withResolvers<AccountId>();
    const work = this.#ingestInTurn(object, waits.resolve);
    const end = () => void this.#working.delete(key);
    this.#working.set(key, { waits, settled: work.then(end, end) });
    return work;
  }

  /** In the source's waiting room, where it has one. False: there is no room, or waiting was ended. */
  async #wait({ waitingRoom }: InboundObject, account: AccountId, until: (signal?: AbortSignal) => Promise<void>): Promise<boolean> {
    if (waitingRoom === undefined) {
      await until();
      return true;
    }
    const { signal } = waitingRoom;
    const leave = signal.aborted ? undefined : waitingRoom.enter(account);
    if (leave === undefined) return false;
    await until(signal).finally(leave);
    return !signal.aborted;
  }

  /**
   * What finds an account busy gives its place away, and comes again when there is room. Whose accounts are known before it is read takes its turn
   * first: a busy account's mail then waits without a request to the store, and nobody waits behind it. Where nothing tells them and some account is
   * busy, a look at the object's beginning does: the reads of a busy account's mail must not be what the others wait for.
   */
  async #ingestInTurn(object: InboundObject, onWait: (account: AccountId) => void): Promise<IntakeOutcome> {
    const turns = new Set(await this.#foresight.named(object));
    let isForeseen = turns.size > 0;
    for (let isNext = false; ; isNext = true) {
      let outcome = await this.#ingestWithTurns(object, turns, isForeseen);
      if (outcome === undefined) {
        for (const account of await this.#foresight.look(object)) turns.add(account);
        isForeseen = true;
        outcome = (await this.#ingestWithTurns(object, turns, isForeseen))!;
      }
      if (outcome.kind !== 'busy' || object.mayBePutOff === true) return outcome;
      const { account } = outcome;
      turns.add(account);
      if (this.hasRoom(account)) continue;
      onWait(account);
      if (!(await this.#wait(object, account, (signal) => this.#turns.room(account, isNext, signal)))) return outcome;
    }
  }

  /** For those of the accounts that have room; `busy` when it is not done for all. Undefined: whose it is must be foreseen first. */
  async #ingestWithTurns(object: InboundObject, accounts: ReadonlySet<AccountId>, isForeseen: boolean): Promise<IntakeOutcome | undefined> {
    const turns = new Set([...accounts].filter((account) => this.hasRoom(account)));
    const busy = [...accounts].find((account) => !turns.has(account));
    if (busy !== undefined && turns.size === 0) return { kind: 'busy', account: busy };
    return this.#turns.take(turns, async () => {
      const size = object.size ?? (await this.#sizeOf(object.key));
      if (size === undefined) return { kind: 'gone' };
      const bytes = Math.min(size, this.#options.messageBytesMax);
      const mustForesee = () => !isForeseen && this.#turns.isAnyFull;
      if (mustForesee()) return undefined;
      return this.#gate.pass(bytes, async () => (mustForesee() ? undefined : this.#ingestWithRetries({ ...object, size, turns })));
    });
  }

  /** Asked before the message gets a place: receipts do not say how much it is, and it counts among the bytes in flight. */
  async #sizeOf(key: string): Promise<number | undefined> {
    try {
      return (await this.#ports.store.head(key))?.size;
    } catch (error) {
      if (error instanceof StorageError) this.#observe({ kind: 'postponed', key, error });
      throw error;
    }
  }

  /** Delivers to each account; what to answer for each is in the results. Never rejects for what an account or the store does. */
  async deliver(message: HandedMessage): Promise<ReadonlyMap<AccountId, DeliveryResult>> {
    // Room first: mail that waits for a busy account must not fill the gate.
    return this.#turns.takeInTurn(message.targets.keys(), () =>
      this.#gate.pass(message.bytes.length, () =>
        deliverByScope(this.#options.verdicts, message, (part, rules) => this.#deliverHanded(part, rules)),
      ),
    );
  }

  /**
   * Sends a held message through again, policy's quarantine and drop left out, to those it did not reach (or to `recipients`). Resolves to
   * undefined when there is none; it stays held, with its new reason, when it fails again.
   */
  async release(name: string, recipients?: readonly string[]): Promise<IntakeOutcome | undefined> {
    const held = await this.held.get(name);
    if (held === undefined) return undefined;
    const { record } = held;
    // The text of an event, no mail.
    if (record?.reason === 'event') return { kind: 'held', reason: 'event', name };
    const bytes = await this.#open({ body: held.bytes, metadata: held.metadata });
    if (typeof bytes === 'string') return { kind: 'held', reason: 'encrypted', name };
    const key = record?.key ?? `${this.#options.inboundPrefix}${name}`;
    const arrival = understand(key, this.#options.inboundPrefix, bytes, []);
    const wanted = recipients ?? record?.recipients ?? [];
    const outcome = await this.#gate.pass(bytes.length, () =>
      this.#admit({
        key: undefined,
        origin: record?.key,
        name,
        bytes,
        arrival: {
          ...arrival,
          ingestKey: record?.ingestKey ?? arrival.ingestKey,
          candidates: wanted.length === 0 ? arrival.candidates : [{ source: 'receipt', isEnvelope: true, addresses: wanted }],
        },
        receivedAt: Date.parse(record?.receivedAt ?? '') || this.#ports.clock.now(),
        rules: this.#options.verdicts.filter((rule) => rule.action === 'inbox' || rule.action === 'junk'),
        turns: undefined,
      }),
    );
    if (outcome.kind === 'delivered') await this.held.settle(name, recipients);
    return outcome;
  }

  async #ingestWithRetries(object: SizedObject): Promise<IntakeOutcome> {
    for (let attempt = 1; ; attempt++) {
      try {
        const outcome = await this.#ingestOnce(object);
        const isDone = outcome.kind !== 'busy' && outcome.kind !== 'gone';
        if (isDone && !object.isKept) await this.#remover.remove(object.key);
        return outcome;
      } catch (error) {
        // 'conflict': the object was replaced while it was read.
        const isOurs = !(error instanceof StorageError) || (error.code === 'conflict' && attempt < attemptsMax);
        if (!isOurs) {
          this.#observe({ kind: 'postponed', key: object.key, error });
          throw error;
        }
        this.#observe({ kind: 'faulted', key: object.key, attempt, error });
        if (attempt >= attemptsMax) return await this.#giveUp(object, error);
        await this.#ports.clock.sleep(attemptPauseMs);
      }
    }
  }

  async #giveUp(object: InboundObject, error: unknown): Promise<IntakeOutcome> {
    const outcome = await this.#holder.unread(object, 'error', `It made us fail ${attemptsMax} times: ${String(error)}`);
    if (outcome.kind === 'held' && !object.isKept) await this.#remover.remove(object.key);
    return outcome;
  }

  async #ingestOnce(object: SizedObject): Promise<IntakeOutcome> {
    const { key, size } = object;
    const { inboundPrefix, messageBytesMax, verdicts } = this.#options;
    const name = parseInboundKey(inboundPrefix, key);
    if (name?.id === setupNotificationId) return { kind: 'skipped' };
    if (size > messageBytesMax) {
      return this.#holder.unread(object, 'tooLarge', `It has ${size} bytes; limits.messageBytesMax is ${messageBytesMax}.`);
    }
    const stored = await this.#ports.store.get(key).catch(undefinedIfMissing);
    if (stored === undefined) return { kind: 'gone' };
    const opened = await this.#open(stored);
    if (typeof opened === 'string') return this.#holder.unread(object, 'encrypted', opened);
    if (opened.length === 0) return this.#holder.unread(object, 'empty', 'The object is empty.');
    return this.#admit({
      key,
      origin: key,
      name: name?.name ?? key,
      bytes: opened,
      arrival: understand(key, inboundPrefix, opened, object.receipts ?? []),
      isAsStored: opened === stored.body,
      receivedAt: stored.lastModified,
      rules: verdicts,
      turns: object.turns,
    });
  }

  /** The message in an object; a sentence when it is encrypted and cannot be decrypted. */
  async #open({ body, metadata }: Pick<StoredObject, 'body' | 'metadata'>): Promise<Buffer | string> {
    if (!isEncrypted(metadata)) return body;
    const { unwrapKey } = this.#ports;
    if (unwrapKey === undefined) return 'SES encrypted it by a key of KMS, which this server does not ask.';
    try {
      return await decryptObject(metadata, body, unwrapKey);
    } catch (error) {
      if (error instanceof DecryptionError) return error.message;
      throw error;
    }
  }

  #admit(entry: Entry): Promise<IntakeOutcome> {
    return admitByScope(this.#ports.directory, entry, (part) => this.#admitAlike(part));
  }

  /** Verdict, recipients, commits. */
  async #admitAlike(entry: Entry): Promise<IntakeOutcome> {
    const { arrival } = entry;
    const verdict = decide(entry.rules, arrival.evidence);
    if (verdict.action === 'drop') {
      this.#observe({ kind: 'dropped', ...identityOf(entry), because: sentenceOf(verdict) });
      return { kind: 'dropped' };
    }
    const found = await route(this.#ports.directory, arrival.candidates);
    if (verdict.action === 'quarantine' || verdict.action === 'reject') {
      const recipients = [...found.targets.values(), ...found.unknown];
      const isTold = verdict.action === 'reject' && (await this.#ports.undeliverable?.reject(undeliverableOf(entry), recipients)) === true;
      if (isTold) return this.#bounced(entry, recipients);
      return this.#holder.entry(entry, { kind: 'quarantine', reason: 'verdict', detail: sentenceOf(verdict), recipients, deliveredTo: [] });
    }
    const destination = await this.#settleUnknown(entry, found);
    if (destination.targets.size === 0) {
      return found.unknown.length > destination.unknown.length ? { kind: 'bounced' } : this.#holder.unroutable(entry, destination);
    }
    const placement = verdict.action;
    const { turns } = entry;
    if (turns === undefined)
      return this.#turns.take(destination.targets.keys(), () => this.#deliverAdmitted(entry, destination, placement));
    const now = new Map([...destination.targets].filter(([account]) => turns.has(account) || this.hasRoom(account)));
    const busy = [...destination.targets.keys()].find((account) => !now.has(account));
    if (busy !== undefined && now.size === 0) return { kind: 'busy', account: busy };
    const others = [...now.keys()].filter((account) => !turns.has(account));
    return this.#turns.take(others, () => this.#deliverAdmitted(entry, { ...destination, targets: now }, placement, busy));
  }

  /** `busy`: an account for whose turn the message comes again; what is to be said of it as a whole is said then. */
  async #deliverAdmitted(entry: Entry, destination: Route, placement: 'inbox' | 'junk', busy?: AccountId): Promise<IntakeOutcome> {
    const { key, bytes, arrival } = entry;
    const isCopied =
      key !== undefined &&
      entry.isAsStored === true &&
      arrival.isWrittenBySes &&
      bytes.length >= (this.#options.copyBytesMin ?? Number.POSITIVE_INFINITY);
    const { passRules } = this.#ports;
    const fresh = passRules && (await targetsWithout(this.#ports.accounts, destination.targets, arrival.ingestKey));
    // Who has it already is not asked about again.
    const passage =
      fresh === undefined || fresh.size === 0
        ? undefined
        : await passRules?.({
            bytes,
            envelopeFrom: arrival.envelopeFrom,
            results: arrival.evidence.isProven ? arrival.evidence.results : {},
            key: arrival.ingestKey,
            targets: fresh,
            sendsBounces: true,
            isJunk: placement === 'junk',
          });
    if (passage !== undefined) this.#tellRules(passage, identityOf(entry));
    const results = await this.#deliverToAll(destination.targets, passage, identityOf(entry), bytes, {
      upload: (account, copy) =>
        isCopied && copy === bytes ? account.uploadCopy(key, arrival.sha256, bytes.length) : account.prepareBlob(copy),
      receivedAt: entry.receivedAt,
      placement,
      facts: arrival.facts,
      ingestKey: arrival.ingestKey,
    });
    for (const result of results.values()) if (result.kind === 'unavailable') throw result.error;
    if (busy !== undefined) return { kind: 'busy', account: busy };
    const refused = addressesMissed(destination.targets, results);
    const byRule = passage?.missed ?? [];
    const missed = [...destination.unknown, ...refused, ...byRule.map(({ address }) => address)];
    if (missed.length > 0) {
      const deliveredTo = [...destination.targets.values()].filter((address) => !refused.includes(address));
      const why = whyMissed(results, destination.unknown, byRule);
      const outcome = await this.#holder.entry(entry, { kind: 'failed', ...why, recipients: missed, deliveredTo });
      if (deliveredTo.length === 0 || entry.key === undefined) return outcome;
    }
    return { kind: 'delivered', results };
  }

  async #deliverHanded(message: HandedMessage, rules: readonly VerdictRule[]): Promise<ReadonlyMap<AccountId, DeliveryResult>> {
    const { bytes, targets, evidence, envelopeFrom } = message;
    const receivedAt = this.#ports.clock.now();
    const verdict = decide(rules, evidence);
    const all = (result: DeliveryResult) => new Map([...targets.keys()].map((account) => [account, result] as const));
    const octets = bytes.length;
    if (verdict.action === 'drop') {
      this.#observe({ kind: 'dropped', octets, because: sentenceOf(verdict) });
      return all({ kind: 'disposed' });
    }
    if (verdict.action === 'reject') return all({ kind: 'refused', reason: rejection, isByRule: true });
    if (verdict.action === 'quarantine') {
      const why = { kind: 'quarantine', reason: 'verdict', detail: sentenceOf(verdict), recipients: [...targets.values()] } as const;
      return all(await this.#holdInstead(message, why, receivedAt));
    }
    let passage: Passage | undefined;
    try {
      passage = await this.#ports.passRules?.({
        bytes,
        envelopeFrom,
        results: evidence.results,
        key: message.ingestKey ?? message.name,
        targets,
        sendsBounces: false,
        isJunk: verdict.action === 'junk',
      });
      const missed = passage?.missed ?? [];
      if (missed.length > 0) {
        const addresses = missed.map(({ address }) => address);
        await this.#holder.handed(
          message,
          { kind: 'failed', reason: 'rule', detail: missed[0]!.detail, recipients: addresses },
          receivedAt,
        );
      }
    } catch (error) {
      if (error instanceof StorageError) return all({ kind: 'unavailable', error });
      throw error;
    }
    if (passage !== undefined) this.#tellRules(passage, { octets, receivedAt });
    const { spam, virus, spf, dkim, dmarc } = evidence.results;
    const results = await this.#deliverToAll(targets, passage, { octets, receivedAt }, bytes, {
      upload: (account, copy) => account.prepareBlob(copy),
      receivedAt,
      placement: verdict.action,
      facts: { source: message.source, envelopeFrom, spam, virus, spf, dkim, dmarc },
      ingestKey: message.ingestKey,
    });
    const refusals = [...(passage?.bounced ?? [])].map(
      ([account, reason]) => [account, { kind: 'refused', reason, isByRule: true }] as const,
    );
    const answers = new Map<AccountId, DeliveryResult>([...results, ...refusals]);
    for (const [account, why] of fullInGroups(targets, results)) answers.set(account, await this.#holdInstead(message, why, receivedAt));
    return answers;
  }

  async #holdInstead(message: HandedMessage, why: Held, receivedAt: number): Promise<DeliveryResult> {
    try {
      await this.#holder.handed(message, why, receivedAt);
      return { kind: 'disposed' };
    } catch (error) {
      if (error instanceof StorageError) return { kind: 'unavailable', error };
      throw error;
    }
  }

  #tellRules({ rules, dropped, bounced }: Passage, { receivedAt: _receivedAt, ...identity }: MessageInFlight): void {
    if (rules.length > 0) this.#observe({ kind: 'ruled', ...identity, rules, dropped: dropped.length, bounced: bounced.size });
  }

  async #deliverToAll(
    targets: ReadonlyMap<AccountId, string>,
    passage: Passage | undefined,
    { receivedAt, ...identity }: MessageInFlight,
    bytes: Buffer,
    common: CommonMessage,
  ): Promise<ReadonlyMap<AccountId, DeliveryResult>> {
    const copies =
      passage?.deliveries ?? new Map([...targets].map(([account, address]): [AccountId, AccountCopy] => [account, { address, bytes }]));
    // One parse serves all accounts that get the same bytes.
    const parses = new Map<Buffer, OutgoingMessage['parse']>();
    const parseOf = (copy: Buffer) => {
      const parse = parses.get(copy) ?? once(() => this.#ports.parsers.parse(copy));
      parses.set(copy, parse);
      return parse;
    };
    const deliverOne = async ([account, copy]: readonly [AccountId, AccountCopy]) => {
      const { address, mailbox } = copy;
      const message: OutgoingMessage = {
        ...common,
        bytes: copy.bytes,
        parse: parseOf(copy.bytes),
        upload: (opened) => common.upload(opened, copy.bytes),
        placement: copy.placement ?? common.placement,
        isPlacedByRule: copy.placement !== undefined,
        ...(mailbox && { mailbox }),
      };
      const result = await deliver(this.#ports.accounts, account, address, message, this.#ports.filter);
      if (result.kind === 'delivered') {
        const latencyMs = Math.max(0, this.#ports.clock.now() - receivedAt);
        this.#observe({ kind: 'delivered', ...identity, account, address, mailbox: result.mailbox, latencyMs });
      } else if (result.kind === 'duplicate') this.#observe({ kind: 'duplicate', ...identity, account, address });
      return [account, result] as const;
    };
    const results = new Map<AccountId, DeliveryResult>(await Promise.all([...copies].map(deliverOne)));
    for (const account of passage?.dropped ?? []) results.set(account, { kind: 'disposed' });
    return results;
  }

  async #settleUnknown(entry: Entry, found: Route): Promise<Route> {
    const settled = await this.#ports.undeliverable?.settle(undeliverableOf(entry), found);
    if (settled === undefined) return found;
    if (settled.bounced.length > 0) this.#bounced(entry, settled.bounced);
    return settled.route;
  }

  #bounced(entry: Entry, recipients: readonly string[]): IntakeOutcome {
    const { receivedAt: _receivedAt, ...identity } = identityOf(entry);
    this.#observe({ kind: 'bounced', ...identity, recipients });
    return { kind: 'bounced' };
  }
}

/** An object being worked on. */
interface Working {
  readonly settled: Promise<void>;
  /** Resolves when it waits for an account that is busy. */
  readonly waits: PromiseWithResolvers<AccountId>;
}

type SizedObject = InboundObject & { readonly size: number } & Pick<Entry, 'turns'>;

function undefinedIfMissing(error: unknown): undefined {
  if (error instanceof StorageError && error.code === 'missing') return undefined;
  throw error;
}
