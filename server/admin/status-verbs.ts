/** `status`: accounts, sizes, queues, and what the store's requests cost. */
import type { AccountReader } from '../../storage/account/api.ts';
import { failedPrefix } from '../../storage/objects/object-keys.ts';
import type { ObjectStore } from '../../storage/objects/object-store.ts';
import { serviceOutboxId, unfinishedSubmissions } from '../../storage/outbox/outbox.ts';
import { countedMax } from './limits.ts';
import { defineVerb, formatTable, parameters } from './verb.ts';

export const statusVerbs = [
  defineVerb({
    name: 'status',
    summary: 'Show accounts and their sizes, what waits, and what the store was asked for and costs.',
    method: 'GET',
    path: '/status',
    parameters: parameters({}),
    positional: [],
    run: async ({ directory, mail }) => {
      await directory.refresh();
      const accounts = [];
      const outbox = new Waiting(mail.clock.now());
      (await mail.accounts.open(serviceOutboxId)).read((reader) => addOutbox(outbox, reader));
      for (const { id, address } of directory.listAccounts()) {
        const account = await mail.accounts.open(id);
        const counts = account.read((reader) => {
          addOutbox(outbox, reader);
          const mailboxes = reader.mailboxes();
          let messages = 0;
          let octets = 0;
          for (const mailbox of mailboxes) {
            messages += mailbox.total;
            octets += mailbox.size;
          }
          return { mailboxes: mailboxes.length, messages, octets, unread: mailboxes.find(({ role }) => role === 'inbox')?.unread ?? 0 };
        });
        accounts.push({ address, ...counts });
      }
      const [inbound, held] = await Promise.all([
        queue(mail.store, mail.inboundPrefix, mail.clock.now(), () => true),
        queue(mail.store, failedPrefix, mail.clock.now(), (key) => key.endsWith('.json')),
      ]);
      const { requests, dollars, rows } = mail.meter.snapshot();
      const causes = new Map<string, { requests: number; dollars: number; errors: number }>();
      for (const row of rows) {
        const sum = causes.get(row.cause) ?? { requests: 0, dollars: 0, errors: 0 };
        causes.set(row.cause, {
          requests: sum.requests + row.requests,
          dollars: sum.dollars + row.dollars,
          // What was merely looked for and is not there is no failure.
          errors: sum.errors + row.errors - row.missing,
        });
      }
      const upMs = mail.clock.monotonic() - mail.startedAt;
      const store = { name: mail.store.name, requests, dollars, upSeconds: Math.round(upMs / 1000), causes: Object.fromEntries(causes) };
      return { accounts, queues: { inbound, held, outbox: outbox.queue() }, store };
    },
    print: ({ accounts, queues, store }) =>
      [
        formatTable(
          ['ACCOUNT', 'MAILBOXES', 'MESSAGES', 'UNREAD', 'SIZE'],
          accounts.map(({ address, mailboxes, messages, unread, octets }) => [address, mailboxes, messages, unread, formatBytes(octets)]),
        ),
        '',
        `Waiting to be taken in: ${formatQueue(queues.inbound)}`,
        `Waiting to leave (outbox): ${formatQueue(queues.outbox)}`,
        `Held back (failed, quarantine): ${formatQueue(queues.held)}`,
        '',
        `Store: ${store.name}. In ${formatDuration(store.upSeconds)} ${store.requests} requests, which cost $${store.dollars.toFixed(6)} at S3's list prices.`,
        formatTable(
          ['FOR', 'REQUESTS', 'FAILED', 'DOLLARS'],
          Object.entries(store.causes).map(([cause, sum]) => [cause, sum.requests, sum.errors, sum.dollars.toFixed(6)]),
        ),
      ].join('\n'),
  }),
];

interface Queue {
  readonly count: number;
  readonly hasMore: boolean;
  /** Seconds; null when there is none. */
  readonly oldestSeconds: number | null;
}

class Waiting {
  readonly #now: number;
  #count = 0;
  #oldest = Number.POSITIVE_INFINITY;

  constructor(now: number) {
    this.#now = now;
  }

  add(since: number): void {
    this.#count++;
    this.#oldest = Math.min(this.#oldest, since);
  }

  queue(hasMore = false): Queue {
    const oldestSeconds = this.#count === 0 ? null : Math.max(0, Math.round((this.#now - this.#oldest) / 1000));
    return { count: this.#count, hasMore, oldestSeconds };
  }
}

/** Submissions with copies left to hand over. */
function addOutbox(waiting: Waiting, reader: AccountReader): void {
  for (const { value } of unfinishedSubmissions(reader)) waiting.add(value.createdAt);
}

async function queue(store: ObjectStore, prefix: string, now: number, counts: (key: string) => boolean): Promise<Queue> {
  const waiting = new Waiting(now);
  let seen = 0;
  for await (const { key, lastModified } of store.list(prefix, { limit: countedMax })) {
    seen++;
    if (counts(key)) waiting.add(lastModified);
  }
  return waiting.queue(seen === countedMax);
}

function formatQueue({ count, hasMore, oldestSeconds }: Queue): string {
  if (oldestSeconds === null) return 'nothing';
  return `${count}${hasMore ? ' and more' : ''}, the oldest for ${formatDuration(oldestSeconds)}`;
}

function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

function formatDuration(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
