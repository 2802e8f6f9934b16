/**
 * Mail that could not be processed: `failed/<name>` holds it as it came, `failed/<name>.json` says why. An administrator looks at it, and
 * releases it back into the queue once the reason is gone, or removes it. Satchel itself never removes any.
 */
import { MailError, StorageError } from '../../protocol/mail/errors.ts';
import { failedKey, failedPrefix, failedReasonKey, inboundKey, parseKey } from '../../storage/objects/object-keys.ts';
import type { ObjectInfo, ObjectStore } from '../../storage/objects/object-store.ts';

export interface FailedMessage {
  /** What followed the inbound prefix. */
  readonly name: string;
  /** Bytes; null when there is a reason and no message. */
  readonly size: number | null;
  /** ISO 8601, by the store's clock. */
  readonly failedAt: string;
}

export interface FailedDetails extends FailedMessage {
  /** What was written down when it failed; null when nothing was. */
  readonly reason: unknown;
  /** The beginning of the message, for people. */
  readonly beginning: string;
}

const beginningBytes = 4096;

export class FailedMail {
  readonly #store: ObjectStore;
  readonly #inboundPrefix: string;

  constructor(store: ObjectStore, inboundPrefix: string) {
    this.#store = store;
    this.#inboundPrefix = inboundPrefix;
  }

  /** At most `limit`, in order of names. */
  async list(limit: number): Promise<FailedMessage[]> {
    const byName = new Map<string, FailedMessage>();
    for await (const info of this.#store.list(failedPrefix)) {
      const key = parseKey(info.key);
      if (key?.kind !== 'failed') continue;
      if (!byName.has(key.name) && byName.size === limit) break;
      if (!key.isReason) byName.set(key.name, described(key.name, info));
      else if (!byName.has(key.name)) byName.set(key.name, { ...described(key.name, info), size: null });
    }
    return [...byName.values()];
  }

  async show(name: string): Promise<FailedDetails> {
    const [message, reason] = await Promise.all([this.#store.head(failedKey(name)), this.#reason(name)]);
    if (message === undefined && reason === undefined) throw notThere(name);
    const beginning = message === undefined ? '' : (await this.#store.getRange(failedKey(name), 0, beginningBytes)).toString('latin1');
    const info = message ?? (await this.#store.head(failedReasonKey(name)));
    if (info === undefined) throw notThere(name);
    return { ...described(name, info), size: message?.size ?? null, reason: reason ?? null, beginning };
  }

  /** Puts the message back where mail comes in: under its old name, to be processed as if it had just come. */
  async release(name: string): Promise<void> {
    await this.#mustHave(name);
    await this.#store.copy(failedKey(name), inboundKey(this.#inboundPrefix, name));
    await this.#store.deleteMany([failedKey(name), failedReasonKey(name)]);
  }

  async remove(name: string): Promise<void> {
    const keys = [failedKey(name), failedReasonKey(name)];
    const found = await Promise.all(keys.map((key) => this.#store.head(key)));
    if (found.every((info) => info === undefined)) throw notThere(name);
    await this.#store.deleteMany(keys);
  }

  async #mustHave(name: string): Promise<void> {
    if ((await this.#store.head(failedKey(name))) === undefined) throw notThere(name);
  }

  async #reason(name: string): Promise<unknown> {
    try {
      const { body } = await this.#store.get(failedReasonKey(name));
      return JSON.parse(body.toString('utf8'));
    } catch (error) {
      if (error instanceof StorageError && error.code === 'missing') return undefined;
      if (error instanceof SyntaxError) return { unreadable: error.message };
      throw error;
    }
  }
}

const described = (name: string, { size, lastModified }: ObjectInfo): FailedMessage => ({
  name,
  size,
  failedAt: new Date(lastModified).toISOString(),
});

const notThere = (name: string) =>
  new MailError('notFound', `There is no failed message ${JSON.stringify(name)}. \`satchel failed list\` shows those that there are.`);
