/** Real accounts over a memory store and maps in memory, and messages to put into them. */
import type { AccountId, MailboxNumber } from '../../protocol/mail/ids.ts';
import { deriveFacts } from '../../protocol/mime/facts.ts';
import type { Account, NewEmail } from '../../storage/account/api.ts';
import { LogAccounts, type LogAccountsOptions } from '../../storage/account/log-accounts.ts';
import { MemoryBlobCache } from '../../storage/blobs/blob-cache.ts';
import { provisionAccount } from '../../storage/directory/provision.ts';
import type { Kv } from '../../storage/index/kv.ts';
import { MemoryKv } from '../../storage/index/memory-kv.ts';
import { MemoryStore } from '../../storage/objects/memory.ts';
import type { ObjectStore } from '../../storage/objects/object-store.ts';
import type { Random } from '../../storage/random.ts';
import { ManualClock } from './manual-clock.ts';

export const testAccount = 'a1' as AccountId;

/** Different on every call, the same in every run. */
export function countingRandom(seed = 1): Random {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  return {
    hex: (count) => Array.from({ length: count }, () => (next() >>> 24).toString(16).padStart(2, '0')).join(''),
    fraction: () => next() / 0x100000000,
  };
}

export interface TestNode extends AsyncDisposable {
  readonly accounts: LogAccounts;
  readonly kvs: Map<string, Kv>;
}

export interface TestBucket {
  readonly clock: ManualClock;
  readonly store: ObjectStore;
  /** A node of its own on the bucket, with an empty index. */
  node(options?: Partial<LogAccountsOptions>): TestNode;
}

export function openTestBucket(store?: ObjectStore): TestBucket {
  const clock = new ManualClock();
  const bucket = store ?? new MemoryStore({ clock });
  let nodes = 0;
  return {
    clock,
    store: bucket,
    node(options) {
      nodes += 1;
      const kvs = new Map<string, Kv>();
      const kv = (account: string) => {
        const known = kvs.get(account) ?? new MemoryKv();
        kvs.set(account, known);
        return known;
      };
      const accounts = new LogAccounts({
        store: bucket,
        clock,
        random: countingRandom(nodes),
        node: `node-${nodes}`,
        kv,
        cache: new MemoryBlobCache(),
        ...options,
      });
      return { accounts, kvs, [Symbol.asyncDispose]: () => accounts[Symbol.asyncDispose]() };
    },
  };
}

export async function openProvisioned(node: TestNode, id: AccountId = testAccount): Promise<Account> {
  const account = await node.accounts.open(id);
  await provisionAccount(account);
  return account;
}

/** A small message as bytes. */
export function rawMessage(headers: Readonly<Record<string, string>>, body = 'Hello\r\n'): Buffer {
  const lines = Object.entries({ From: 'Grace <grace@example.org>', To: 'me@example.com', ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return Buffer.from(`${lines.join('')}\r\n${body}`);
}

/** Uploads a message and commits it to a mailbox. */
export async function deliver(account: Account, mailbox: MailboxNumber, raw: Buffer, more: Partial<NewEmail> = {}) {
  const upload = await account.upload(raw);
  const text = raw.toString('utf8').split('\r\n\r\n').slice(1).join('\r\n\r\n');
  const email: NewEmail = {
    blob: upload.ref,
    receivedAt: 1_790_000_000_000,
    keywords: [],
    mailboxes: [mailbox],
    facts: deriveFacts(raw),
    text,
    preview: text.slice(0, 100),
    ...more,
  };
  return account.transact((tx) => tx.addEmail(email), { uploads: [upload] });
}

/** All that an account's index says, as text: equal for equal states, whatever road led there. */
export function dump(account: {
  view(): { parts(): Iterable<{ kind: string; range: number; lines(): string[] }>; release(): void };
}): string {
  const view = account.view();
  try {
    return [...view.parts()]
      .map((part) => ({ ...part, text: part.lines() }))
      .filter(({ text }) => text.length > 0)
      .map(({ kind, range, text }) => `${kind} ${range}\n${text.join('\n')}`)
      .sort()
      .join('\n');
  } finally {
    view.release();
  }
}
