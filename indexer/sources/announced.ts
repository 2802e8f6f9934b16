/**
 * Takes in the mail that events announce, for every source of events. An object that a receipt named stays in the inbound prefix: another rule's
 * receipt may come with other recipients, who get it from there, and those who have it are told apart by their ingest keys. The sweep removes it
 * when no more can come.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Accounts } from '../../storage/account/api.ts';
import type { Clock } from '../../storage/clock.ts';
import { inboundKey, parseInboundKey } from '../../storage/objects/object-keys.ts';
import type { ObjectStore } from '../../storage/objects/object-store.ts';
import type { IntakeObserver } from '../intake-events.ts';
import { lookAgainMs } from '../limits.ts';
import type { InboundObject, IntakeOutcome, Pipeline } from '../pipeline.ts';
import type { WaitingRoom } from '../pipeline-types.ts';
import type { RecipientDirectory } from '../routing.ts';
import { decodeEvents, type FeedbackEvent, type InboundEvent, type ObjectEvent, type ReceiptEvent } from '../ses/events.ts';

export interface AnnouncedOptions {
  readonly store: Pick<ObjectStore, 'put'>;
  readonly pipeline: Pick<Pipeline, 'ingest' | 'held'>;
  readonly accounts: Accounts;
  readonly directory: RecipientDirectory;
  readonly clock: Clock;
  readonly observe: IntakeObserver;
  readonly inboundPrefix: string;
  /** Our bucket, and what stands before all our names in it. Undefined: a store that no event can name. */
  readonly bucket: { readonly name: string; readonly prefix: string } | undefined;
  /** Whether receipts come too: then an object that was only named is left for them. */
  readonly hasReceipts: boolean;
  /** About mail that we sent. */
  readonly onFeedback?: (event: FeedbackEvent) => Promise<void>;
}

/** Actions whose receipt tells of a message that we have only if another action of its rule has put it into our bucket. */
const elsewhere: ReadonlySet<string> = new Set(['WorkMail', 'Connect', 'Stop']);

export class AnnouncedMail {
  readonly #options: AnnouncedOptions;

  constructor(options: AnnouncedOptions) {
    this.#options = options;
  }

  /**
   * Resolves to 'done' when all of it is in the store, or needs nothing; to 'busy' when some of it found no place in the waiting room, and is to
   * come again. Without one it waits. Rejects with a StorageError: ask again. `source`: where the events came from, for people.
   */
  async take(events: readonly InboundEvent[], source: string, waitingRoom?: WaitingRoom): Promise<'done' | 'busy'> {
    const receipts = new Map<string, ReceiptEvent[]>();
    const work: Promise<IntakeOutcome | undefined>[] = [];
    for (const event of events) {
      if (event.kind === 'object') work.push(this.#takeObject(event, source, waitingRoom));
      else if (event.kind === 'feedback') work.push(this.#takeFeedback(event));
      else if (event.kind === 'receipt') {
        const sameMessage = receipts.get(event.sesMessageId);
        if (sameMessage === undefined) receipts.set(event.sesMessageId, [event]);
        else sameMessage.push(event);
      }
    }
    for (const sameMessage of receipts.values()) work.push(this.#takeReceipts(sameMessage, source, waitingRoom));
    // All are waited for: none goes on after the answer.
    const results = await Promise.allSettled(work);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    return results.some((result) => result.status === 'fulfilled' && result.value?.kind === 'busy') ? 'busy' : 'done';
  }

  /** Takes in after all what a held event announces: what made it fail may have been mended. Undefined when what is held is mail. */
  async release(name: string): Promise<IntakeOutcome | undefined> {
    const { held } = this.#options.pipeline;
    if ((await held.recordOf(name))?.reason !== 'event') return undefined;
    const events = decodeEvents((await held.get(name))?.bytes.toString());
    if (events.some(({ kind }) => kind === 'malformed')) return { kind: 'held', reason: 'event', name };
    await this.take(events, `failed/${name}`);
    await held.remove(name);
    return { kind: 'delivered', results: new Map() };
  }

  async #takeFeedback(event: FeedbackEvent): Promise<undefined> {
    await this.#options.onFeedback?.(event);
  }

  async #takeObject(
    { bucket, key, size }: ObjectEvent,
    source: string,
    waitingRoom: WaitingRoom | undefined,
  ): Promise<IntakeOutcome | undefined> {
    const name = this.#nameOf(bucket, key);
    if (name === undefined) return undefined;
    const { pipeline, hasReceipts, observe } = this.#options;
    const object = { key: name, isKept: hasReceipts, ...(size !== undefined && { size }), ...(waitingRoom && { waitingRoom }) };
    const outcome = await pipeline.ingest(object);
    if (outcome.kind === 'gone') observe({ kind: 'gone', key: name, source });
    return outcome;
  }

  async #takeReceipts(
    all: readonly ReceiptEvent[],
    source: string,
    waitingRoom: WaitingRoom | undefined,
  ): Promise<IntakeOutcome | undefined> {
    // A rule that writes into another bucket announces a copy that is not ours; another receipt, or none, is for ours.
    const receipts = all.filter((receipt) => this.#isForUs(receipt));
    const [first] = receipts;
    if (first === undefined) return undefined;
    const keys = await this.#keysOf(receipts);
    for (const key of keys) {
      const outcome = await this.#ingest({ key, receipts, isKept: true, ...(waitingRoom && { waitingRoom }) });
      if (outcome.kind !== 'gone') return outcome;
    }
    const promised = receipts.filter(({ action }) => !elsewhere.has(action));
    for (const { action, sesMessageId } of receipts) {
      if (elsewhere.has(action))
        this.#options.observe({
          kind: 'ignored',
          key: sesMessageId,
          because: `It is not in our bucket: its receipt is of the action ${action}.`,
        });
    }
    if (promised.length === 0) return undefined;
    for (const key of keys) this.#options.observe({ kind: 'gone', key, source });
    await this.#reportGone(first, [...new Set(promised.flatMap(({ recipients }) => recipients))], keys);
    return undefined;
  }

  /** Where the message may lie, most likely first. A message that came inside its receipt is put there. */
  async #keysOf(receipts: readonly ReceiptEvent[]): Promise<readonly string[]> {
    const { inboundPrefix, store } = this.#options;
    const byId = inboundKey(inboundPrefix, receipts[0]!.sesMessageId);
    const content = receipts.find((receipt) => receipt.content !== undefined)?.content;
    const keys = receipts.flatMap(({ object }) => {
      if (object === undefined) return [];
      const { prefix } = object;
      // SES puts a slash between them where the prefix does not end in one.
      const joined = prefix === undefined || object.key.startsWith(prefix) ? [] : [`${prefix.replace(/\/$/, '')}/${object.key}`];
      return [object.key, ...joined].flatMap((key) => this.#nameOf(object.bucket, key) ?? []);
    });
    if (keys.length > 0) return [...new Set(keys)];
    if (receipts.some(({ object }) => object !== undefined)) return [];
    if (content !== undefined) await store.put(byId, content);
    return [byId];
  }

  async #ingest(object: InboundObject): Promise<IntakeOutcome> {
    const outcome = await this.#options.pipeline.ingest(object);
    if (outcome.kind !== 'gone') return outcome;
    // SES says that it has written after it has written. A store that lags gets a moment.
    await this.#options.clock.sleep(lookAgainMs);
    return this.#options.pipeline.ingest(object);
  }

  #isForUs({ action, object, sesMessageId }: ReceiptEvent): boolean {
    if (object !== undefined) return this.#isOurBucket(object.bucket, object.key);
    if (action !== 'Bounce') return true;
    this.#options.observe({ kind: 'ignored', key: sesMessageId, because: 'SES has bounced it for those whom this receipt names.' });
    return false;
  }

  #isOurBucket(bucket: string, key: string): boolean {
    const ours = this.#options.bucket;
    if (ours === undefined || bucket === ours.name) return true;
    this.#options.observe({ kind: 'ignored', key, because: `It is not in our bucket, but in ${bucket}.` });
    return false;
  }

  /** The name as our store knows it; undefined, and told, when the object is not ours to take. */
  #nameOf(bucket: string, key: string): string | undefined {
    const ours = this.#options.bucket;
    if (key.endsWith('/')) {
      this.#options.observe({ kind: 'ignored', key, because: 'It is a folder that somebody made.' });
      return undefined;
    }
    const name = ours === undefined ? key : key.startsWith(ours.prefix) ? key.slice(ours.prefix.length) : undefined;
    if ((ours === undefined || bucket === ours.name) && name?.startsWith(this.#options.inboundPrefix)) return name;
    this.#options.observe({ kind: 'ignored', key, because: `It is not in the inbound prefix of our bucket, but in ${bucket}.` });
    return undefined;
  }

  /** The object is not there: whoever has it got it before, or it is held for him. For the others it is lost, and they are named. */
  async #reportGone(receipt: ReceiptEvent, recipients: readonly string[], keys: readonly string[]): Promise<void> {
    const { pipeline, clock, observe, inboundPrefix } = this.#options;
    const { sesMessageId, envelopeFrom } = receipt;
    const records = await Promise.all(keys.map((key) => pipeline.held.recordOf(parseInboundKey(inboundPrefix, key)?.name ?? key)));
    const heldFor = new Set(records.flatMap((record) => (record?.sesMessageId === sesMessageId ? record.recipients : [])));
    const without: string[] = [];
    const deliveredTo: string[] = [];
    for (const address of recipients) {
      if (!heldFor.has(address)) ((await this.#hasIt(address, sesMessageId)) ? deliveredTo : without).push(address);
    }
    if (without.length === 0) return;
    const note = lostMessageNote(receipt);
    const now = new Date(clock.now()).toISOString();
    const detail = 'SES announced it, but its object is not in the bucket: what is kept here is a note in its place.';
    const name = await pipeline.held.hold(
      sesMessageId,
      { bytes: note },
      {
        version: 1,
        kind: 'failed',
        reason: 'objectGone',
        detail,
        recipients: without,
        deliveredTo,
        sesMessageId,
        envelopeFrom,
        octets: note.length,
        receivedAt: receipt.receivedAt === undefined ? now : new Date(receipt.receivedAt).toISOString(),
        heldAt: now,
      },
    );
    observe({ kind: 'held', sesMessageId, octets: note.length, name, reason: 'objectGone', recipients: without });
  }

  async #hasIt(address: string, sesMessageId: string): Promise<boolean> {
    const resolution = await this.#options.directory.resolveRecipient(address);
    // Nobody here: that was held when the object was there.
    if (resolution.kind === 'unknown') return false;
    const has = async (id: AccountId) =>
      (await this.#options.accounts.open(id)).read((reader) => reader.ingested(`ses:${sesMessageId}`) !== undefined);
    return (await Promise.all(resolution.accounts.map(has))).every(Boolean);
  }
}

/** What a recipient may be given in place of the message. */
function lostMessageNote({ sesMessageId, envelopeFrom, receivedAt }: ReceiptEvent): Buffer {
  const lines = [
    'From: Mail intake <postmaster@localhost>',
    'Subject: A message to you was lost before it could be read',
    'Content-Type: text/plain; charset=utf-8',
    '',
    `SES took a message in${receivedAt === undefined ? '' : ` at ${new Date(receivedAt).toISOString()}`} and gave it the id ${sesMessageId}.`,
    `Its envelope sender was ${envelopeFrom === '' ? 'empty' : envelopeFrom.replace(/[^\x21-\x7e]/g, '?')}.`,
    'Its object was removed from the bucket before it was taken in.',
    '',
  ];
  return Buffer.from(lines.join('\r\n'));
}

/** For sources: whether waiting helps. An account whose log is damaged is not away: what waits for it must not stand in the way of others' mail. */
export const isAway = (error: unknown) => error instanceof StorageError && error.code !== 'corrupt';
