/**
 * Marks of accounts with mail on its way out: an empty object `outbox/<accountId>` each, so that a node that starts finds them with one LIST instead of
 * opening every account. A mark is written before the commit it tells of where the caller can wait (`announce`), else right after. Its writer trusts
 * it for a shorter time than anybody waits before removing it: who commits under a mark that was just trusted is seen by whoever removes it.
 */
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Clock } from '../../storage/clock.ts';
import { outboxMarkKey, outboxMarkPrefix } from '../../storage/objects/object-keys.ts';
import type { ObjectStore } from '../../storage/objects/object-store.ts';
import { markTrustedMs } from './limits.ts';

export class OutboxMarks {
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #written = new Map<AccountId, { readonly at: number; readonly done: Promise<unknown> }>();

  constructor(store: ObjectStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Resolves when the account is marked. One PUT an account every markTrustedMs. */
  async mark(account: AccountId): Promise<void> {
    const known = this.#written.get(account);
    const now = this.#clock.monotonic();
    if (known !== undefined && now - known.at < markTrustedMs) {
      await known.done;
      return;
    }
    const done = this.#store.put(outboxMarkKey(account), Buffer.from('{}\n'));
    this.#written.set(account, { at: now, done });
    try {
      await done;
    } catch (error) {
      this.#written.delete(account);
      throw error;
    }
  }

  async list(): Promise<readonly { readonly account: AccountId; readonly lastModified: number }[]> {
    const marks: { account: AccountId; lastModified: number }[] = [];
    for await (const { key, lastModified } of this.#store.list(outboxMarkPrefix)) {
      marks.push({ account: key.slice(outboxMarkPrefix.length) as AccountId, lastModified });
    }
    return marks;
  }

  async remove(account: AccountId): Promise<void> {
    this.#written.delete(account);
    await this.#store.deleteMany([outboxMarkKey(account)]);
  }
}
