/**
 * Accounts in memory for tests that need objects and the names of mailboxes, and no messages: the shared log is an array, and each FakeAccounts is a
 * node of its own that sees the others' commits at catchUp() or when it commits itself.
 */
import { MailError } from '../../protocol/mail/errors.ts';
import type { AccountId, MailboxNumber, ModSeq } from '../../protocol/mail/ids.ts';
import type { Account, Accounts, AccountTransactor, Effect, Mailbox } from '../../storage/account/api.ts';

interface FakeState {
  objects: Map<string, { type: string; id: string; value: unknown; modSeq: ModSeq }>;
  mailboxes: Mailbox[];
  isClosed: boolean;
}

interface FakeCommit {
  readonly state: FakeState;
  readonly effect: Effect;
}

/** The store that nodes share: by account its commits. */
export type FakeLogs = Map<string, FakeCommit[]>;

export class FakeAccounts implements Accounts {
  readonly #logs: FakeLogs;
  readonly #open = new Map<string, FakeAccount>();
  /** Requests that catchUp would have sent. */
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
    const account = this.#open.get(id) ?? new FakeAccount(id, log);
    this.#open.set(id, account);
    return account as unknown as Account;
  }

  readonly catchUp = async (account: Account): Promise<void> => {
    this.catchUps++;
    const tail = this.#logs.get(account.id)!.length;
    await this.hold;
    if (this.failure) throw this.failure;
    this.#open.get(account.id)!.catchUp(tail);
  };
}

class FakeAccount {
  readonly id: AccountId;
  readonly #log: FakeCommit[];
  readonly #listeners = new Set<(effects: readonly Effect[]) => void>();
  #applied = 0;

  constructor(id: AccountId, log: FakeCommit[]) {
    this.id = id;
    this.#log = log;
    this.#applied = log.length;
  }

  catchUp(tail = this.#log.length): void {
    const effects = this.#log.slice(this.#applied, tail).map(({ effect }) => effect);
    this.#applied = Math.max(this.#applied, tail);
    if (effects.length > 0) for (const listener of this.#listeners) listener(effects);
  }

  read<T>(fn: (reader: AccountTransactor) => T): T {
    const state = this.#log[this.#applied - 1]?.state ?? { objects: new Map(), mailboxes: [], isClosed: false };
    return fn(fakeTransactor(state, this.#applied));
  }

  async transact<T>(mutation: (tx: AccountTransactor) => T): Promise<T> {
    await Promise.resolve();
    this.catchUp();
    const before = this.#log.at(-1)?.state ?? { objects: new Map(), mailboxes: [], isClosed: false };
    const state = { ...before, objects: new Map(before.objects), mailboxes: [...before.mailboxes] };
    if (state.isClosed) throw new MailError('accountClosed', 'closed');
    const tx = fakeTransactor(state, this.#log.length + 1);
    const value = mutation(tx);
    this.#log.push({ state, effect: { modSeq: (this.#log.length + 1) as ModSeq, objects: tx.touched } as unknown as Effect });
    this.catchUp();
    return value;
  }

  watch(listener: (effects: readonly Effect[]) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }
}

function fakeTransactor(state: FakeState, modSeq: number): AccountTransactor & { touched: Effect['objects'][number][] } {
  const touched: Effect['objects'][number][] = [];
  const tx = {
    touched,
    modSeq,
    at: 1_800_000_000_000 + modSeq,
    get isClosed() {
      return state.isClosed;
    },
    object: (type: string, id: string) => state.objects.get(`${type}/${id}`)?.value,
    objects: (type: string) => [...state.objects.values()].filter((object) => object.type === type),
    putObject(type: string, id: string, value: unknown) {
      touched.push({ type, id, how: state.objects.has(`${type}/${id}`) ? 'changed' : 'added' });
      state.objects.set(`${type}/${id}`, { type, id, value: structuredClone(value), modSeq: modSeq as ModSeq });
    },
    removeObject(type: string, id: string) {
      if (!state.objects.delete(`${type}/${id}`)) throw new MailError('notFound', `no ${type} ${id}`);
      touched.push({ type, id, how: 'removed' });
    },
    mailboxes: () => state.mailboxes,
    mailboxByRole: (role: string) => state.mailboxes.find((mailbox) => mailbox.role === role),
    mailboxByPath: (path: readonly string[]) => state.mailboxes.find((mailbox) => mailbox.name === path[0]),
    createMailbox(mailbox: Partial<Mailbox>) {
      state.mailboxes.push({ ...mailbox, id: (state.mailboxes.length + 1) as MailboxNumber } as Mailbox);
    },
    updateMailbox(id: MailboxNumber, change: Partial<Mailbox>) {
      state.mailboxes = state.mailboxes.map((mailbox) => (mailbox.id === id ? { ...mailbox, ...change } : mailbox));
    },
    close() {
      state.isClosed = true;
    },
  };
  return tx as unknown as AccountTransactor & { touched: Effect['objects'][number][] };
}
