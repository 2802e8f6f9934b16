/**
 * Mail that was held back: `failed/<name>` is the message as it came, `failed/<name>.json` says why, for whom, and what is needed to take it in
 * after all. The message is written first, so a reason never stands alone; writing the same again changes nothing.
 */
import { hash } from 'node:crypto';
import { StorageError } from '../protocol/mail/errors.ts';
import { failedKey, failedPrefix, failedReasonKey } from '../storage/objects/object-keys.ts';
import { keyBytesMax, type ObjectStore } from '../storage/objects/object-store.ts';

export type HeldReason =
  | 'unknownRecipient'
  | 'noRecipient'
  | 'accountRefused'
  | 'accountFull'
  | 'tooLarge'
  | 'empty'
  | 'encrypted'
  | 'error'
  | 'verdict'
  | 'objectGone'
  /** A rule of the organisation sent it where nobody is, or would bounce it to somebody who may not be written to. */
  | 'rule'
  /** A message of a queue that is no event that we know; what is held is its text, no mail. */
  | 'event';

export interface HeldRecord {
  readonly version: 1;
  /** `quarantine`: policy holds it. `failed`: it could not be delivered, or not to everybody. */
  readonly kind: 'failed' | 'quarantine';
  readonly reason: HeldReason;
  /** For people. */
  readonly detail: string;
  /** Whom it did not reach. */
  readonly recipients: readonly string[];
  /** Whom it reached. */
  readonly deliveredTo: readonly string[];
  /** The object it came as; undefined for LMTP. */
  readonly key?: string;
  readonly ingestKey?: string;
  readonly sesMessageId?: string;
  readonly envelopeFrom?: string;
  readonly octets: number;
  readonly sha256?: string;
  /** ISO 8601. */
  readonly receivedAt: string;
  readonly heldAt: string;
}

export interface HeldMessage {
  readonly name: string;
  /** Undefined where the reason is missing or cannot be read. */
  readonly record: HeldRecord | undefined;
}

export interface HeldPage {
  readonly messages: readonly HeldMessage[];
  /** Give it as `after` for the next page; undefined at the end. */
  readonly next: string | undefined;
}

/** Why a message is held, and for whom. */
export type Held = Pick<HeldRecord, 'kind' | 'reason' | 'detail' | 'recipients'>;

export class HeldMail {
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** `name` is what followed the inbound prefix. Resolves to the name it is held under. One PUT or COPY, one PUT. */
  async hold(name: string, message: { readonly key: string } | { readonly bytes: Uint8Array }, record: HeldRecord): Promise<string> {
    const free = await this.#freeName(name, record);
    if ('key' in message) await this.#store.copy(message.key, failedKey(free));
    else await this.#store.put(failedKey(free), message.bytes);
    await this.#putReason(free, record);
    return free;
  }

  async #removeInbound(record: HeldRecord | undefined): Promise<void> {
    // Other objects' names may have been given again since.
    if (record?.sesMessageId !== undefined && record.key !== undefined) await this.#store.deleteMany([record.key]);
  }

  async #putReason(name: string, record: HeldRecord): Promise<void> {
    await this.#store.put(failedReasonKey(name), Buffer.from(`${JSON.stringify(record, null, 2)}\n`));
  }

  /** Messages that have a reason, in order of their names. */
  async list(options: { readonly after?: string; readonly limit?: number; readonly kind?: HeldRecord['kind'] } = {}): Promise<HeldPage> {
    const { after, limit = 100, kind } = options;
    const messages: HeldMessage[] = [];
    const startAfter = after === undefined ? undefined : failedReasonKey(after);
    for await (const { key } of this.#store.list(failedPrefix, { startAfter })) {
      if (!key.endsWith('.json')) continue;
      const name = key.slice(failedPrefix.length, -'.json'.length);
      if (messages.length >= limit) return { messages, next: messages.at(-1)!.name };
      const record = await this.recordOf(name);
      if (kind === undefined || record?.kind === kind) messages.push({ name, record });
    }
    return { messages, next: undefined };
  }

  /** Undefined when there is none of this name. */
  async get(name: string): Promise<(HeldMessage & Pick<HeldObject, 'bytes' | 'metadata'>) | undefined> {
    const [object, record] = await Promise.all([this.#read(failedKey(name)), this.recordOf(name)]);
    return object && { name, record, ...object };
  }

  /** What SES wrote may still lie in the inbound prefix, for the receipts of other rules: it goes too, or the sweep would hold it again. */
  async remove(name: string): Promise<void> {
    await this.#removeInbound(await this.recordOf(name));
    // The reason last: what is cut off in between is still listed.
    await this.#store.deleteMany([failedKey(name)]);
    await this.#store.deleteMany([failedReasonKey(name)]);
  }

  /** It went to these (undefined: to all): it stays for those of whom it was held for besides. */
  async settle(name: string, recipients: readonly string[] | undefined): Promise<void> {
    const record = await this.recordOf(name);
    const given = new Set(recipients?.map((address) => address.toLowerCase()));
    const isGiven = (address: string) => given.has(address.toLowerCase());
    const left = record?.recipients.filter((address) => !isGiven(address)) ?? [];
    // Given to somebody else altogether, it is for him in place of them.
    const isForSome = record?.recipients.some(isGiven) === true && left.length > 0;
    if (!isForSome) return this.remove(name);
    await this.#removeInbound(record);
    const deliveredTo = [...record.deliveredTo, ...record.recipients.filter(isGiven)];
    await this.#putReason(name, { ...record, recipients: left, deliveredTo });
  }

  /** A name given by hand may come twice; the message that is held under it already is not overwritten by another. */
  async #freeName(name: string, record: HeldRecord): Promise<string> {
    // A name that ends like a reason's would be taken for one.
    let free = name.endsWith('.json') ? `${name}.eml` : name;
    if (Buffer.byteLength(failedReasonKey(free)) > keyBytesMax - 16) free = hash('sha256', name);
    const held = await this.recordOf(free);
    if (held === undefined || identity(held) === identity(record)) return free;
    return `${free}~${hash('sha256', identity(record)).slice(0, 8)}`;
  }

  /** Why a message is held; undefined when none of this name is. */
  async recordOf(name: string): Promise<HeldRecord | undefined> {
    const object = await this.#read(failedReasonKey(name));
    try {
      const record: unknown = object && JSON.parse(object.bytes.toString());
      return isRecord(record) ? record : undefined;
    } catch {
      return undefined;
    }
  }

  async #read(key: string): Promise<HeldObject | undefined> {
    try {
      const { body, metadata } = await this.#store.get(key);
      return { bytes: body, metadata };
    } catch (error) {
      if (error instanceof StorageError && error.code === 'missing') return undefined;
      throw error;
    }
  }
}

interface HeldObject {
  readonly bytes: Buffer;
  /** As the object had it that was copied. */
  readonly metadata: Readonly<Record<string, string>>;
}

const identity = (record: HeldRecord) => record.sha256 ?? `${record.key} ${record.octets} ${record.receivedAt}`;

function isRecord(value: unknown): value is HeldRecord {
  return typeof value === 'object' && value !== null && 'version' in value && value.version === 1 && 'reason' in value;
}
