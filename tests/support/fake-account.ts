/**
 * Accounts for tests that need no store: the real index and transactor on maps in memory, over a log that is an array. Each FakeAccounts on the same
 * logs is a node of its own, which sees the others' commits at catchUp() or when it commits itself.
 */
import { hash } from 'node:crypto';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Account, AccountReader, Accounts, AccountTransactor, Effect } from '../../storage/account/api.ts';
import { AccountIndex } from '../../storage/index/account-index.ts';
import { MemoryKv } from '../../storage/index/memory-kv.ts';
import type { Commit } from '../../storage/log/record.ts';

/** What nodes share: each account's commits as the text that was written. */
export type FakeLogs = Map<string, string[]>;

export class FakeAccounts implements Accounts {
  readonly #logs: FakeLogs;
  readonly #open = new Map<string, Promise<FakeAccount>>();
  /** Looks at the log that catchUp has taken. */
  catchUps = 0;
  /** Set: catchUp fails with it. */
  failure: Error | undefined;
  /** Set: catchUp has looked at the log, and waits for this before it answers. */
  hold: Promise<void> | undefined;

  constructor(logs: FakeLogs = new Map()) {
    this.#logs = logs;
  }

  async open(id: AccountId): Promise<Account> {
    const log = this.#logs.get(id) ?? [];
    this.#logs.set(id, log);
    const opening = this.#open.get(id) ?? FakeAccount.open(id, log);
    this.#open.set(id, opening);
    // What has to do with blobs is not here, and no test that uses this asks for it.
    return (await opening) as unknown as Account;
  }

  readonly catchUp = async (account: Account): Promise<void> => {
    this.catchUps++;
    const tail = this.#logs.get(account.id)!.length;
    await this.hold;
    if (this.failure) throw this.failure;
    (await this.#open.get(account.id)!).catchUp(tail);
  };
}

class FakeAccount implements Pick<Account, 'id' | 'read' | 'transact' | 'watch'> {
  readonly id: AccountId;
  readonly #log: string[];
  readonly #index: AccountIndex;
  readonly #listeners = new Set<(effects: readonly Effect[]) => void>();

  static async open(id: AccountId, log: string[]): Promise<FakeAccount> {
    const account = new FakeAccount(id, log, await AccountIndex.open(new MemoryKv()));
    account.catchUp(log.length);
    return account;
  }

  private constructor(id: AccountId, log: string[], index: AccountIndex) {
    this.id = id;
    this.#log = log;
    this.#index = index;
  }

  catchUp(tail: number): void {
    while (this.#index.position.seq < tail) {
      const text = this.#log[this.#index.position.seq]!;
      this.#tell(this.#index.apply(JSON.parse(text) as Commit, hash('sha256', text)));
    }
  }

  read<T>(fn: (reader: AccountReader) => T): T {
    return fn(this.#index.reader());
  }

  async transact<T>(mutation: (tx: AccountTransactor) => T): Promise<T> {
    await Promise.resolve();
    this.catchUp(this.#log.length);
    const { seq, hash: prev } = this.#index.position;
    const at = 1_800_000_000_000 + seq;
    const attempt = this.#index.begin(at);
    const outcome = attempt.run(mutation);
    if (outcome.kind === 'refused') throw outcome.error;
    if (outcome.kind === 'unchanged') return outcome.value;
    const commit: Commit = { seq: seq + 1, id: `c${seq + 1}`, prev, at, by: 'test', mutations: [outcome.mutation] };
    const text = JSON.stringify(commit);
    this.#log.push(text);
    this.#tell(this.#index.settle(attempt, commit, hash('sha256', text)));
    return outcome.value;
  }

  watch(listener: (effects: readonly Effect[]) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  #tell(effects: readonly Effect[]): void {
    for (const listener of this.#listeners) listener(effects);
  }
}
