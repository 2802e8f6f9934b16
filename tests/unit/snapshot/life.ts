/** An account with the real index in a memory store, and random mutations from a seed. */
import { hash } from 'node:crypto';
import type { EmailNumber, MailboxNumber } from '../../../protocol/mail/ids.ts';
import { deriveFacts } from '../../../protocol/mime/facts.ts';
import type { AccountTransactor } from '../../../storage/account/api.ts';
import { MemoryBlobCache } from '../../../storage/blobs/blob-cache.ts';
import { BlobStore } from '../../../storage/blobs/blob-store.ts';
import { AccountIndex } from '../../../storage/index/account-index.ts';
import { MemoryKv } from '../../../storage/index/memory-kv.ts';
import { CarriedBytes } from '../../../storage/log/carried.ts';
import { encodeCommit } from '../../../storage/log/commit-codec.ts';
import { MemoryStore } from '../../../storage/objects/memory.ts';
import { logKey } from '../../../storage/objects/object-keys.ts';
import { verifyAccount } from '../../../storage/snapshot/verify.ts';
import { type SnapshotResult, writeSnapshot } from '../../../storage/snapshot/writer.ts';
import { CountingRandom, ManualClock } from './toy-account.ts';

export const accountId = 'u1';

/** A small generator of numbers below 1, from a seed (mulberry32). */
function fractions(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export class Life {
  readonly clock = new ManualClock();
  readonly store = new MemoryStore({ clock: this.clock });
  readonly random = new CountingRandom();
  readonly blobs = new BlobStore({
    store: this.store,
    accountId,
    clock: this.clock,
    random: this.random,
    cache: new MemoryBlobCache({ bytesMax: 0 }),
  });
  readonly index: AccountIndex;
  readonly fraction: () => number;

  constructor(index: AccountIndex, seed: number) {
    this.index = index;
    this.fraction = fractions(seed);
  }

  async commit(mutate: (tx: AccountTransactor) => unknown): Promise<void> {
    const { position } = this.index;
    const attempt = this.index.begin(this.clock.now());
    const outcome = attempt.run(mutate);
    if (outcome.kind === 'refused') throw outcome.error;
    if (outcome.kind === 'unchanged') return;
    const at = this.clock.now();
    const commit = { seq: position.seq + 1, id: this.random.hex(8), prev: position.hash, at, by: 'n1', mutations: [outcome.mutation] };
    const encoded = encodeCommit(accountId, commit, { carried: attempt.carried });
    await this.store.putIfAbsent(logKey(accountId, commit.seq), encoded.bytes);
    this.index.settle(attempt, commit, encoded.hash);
  }

  async deliver(number: number, mailboxes: readonly MailboxNumber[]): Promise<void> {
    const raw = Buffer.from(`From: a@example.org\r\nSubject: ${number}\r\nMessage-ID: <${number}@example.org>\r\n\r\nText ${number}\r\n`);
    // Every other message rides in its commit.
    const blob = number % 2 === 0 ? new CarriedBytes(raw, hash('sha256', raw, 'hex')) : (await this.blobs.put(raw)).ref;
    const fresh = {
      blob,
      receivedAt: this.clock.now(),
      keywords: [],
      mailboxes,
      facts: deriveFacts(raw),
      text: `Text ${number}`,
      preview: 'Text',
    };
    await this.commit((tx) => {
      tx.addEmail(fresh);
      tx.rememberIngest(`key ${number}`, number as EmailNumber);
    });
  }

  async live(day: number, mailboxes: readonly MailboxNumber[]): Promise<void> {
    const pick = <T>(list: readonly T[]): T => list[Math.floor(this.fraction() * list.length)]!;
    const [from, to] = [pick(mailboxes), pick(mailboxes)];
    await this.deliver(day + 1, this.fraction() < 0.2 && from !== to ? [from, to] : [from]);
    const first = 1 + Math.floor(this.fraction() * day);
    const emails = [[first, first + 3]] as const;
    const doing = this.fraction();
    await this.commit((tx) => {
      if (doing < 0.4) tx.changeKeywords(emails, { add: [pick(['$seen', '$flagged', 'work'])] });
      else if (doing < 0.55) tx.copy(from, emails, to);
      else if (doing < 0.7) tx.expunge(from, emails);
      else if (doing < 0.8) tx.changeFlags(from, emails, { deleted: true });
      else if (doing < 0.9) tx.putObject('identity', String(first % 7), { name: `Name ${day}` });
      else tx.removeObject('identity', String(first % 7));
    });
  }

  async createMailboxes(): Promise<MailboxNumber[]> {
    const mailboxes: MailboxNumber[] = [];
    for (const name of ['Inbox', 'Archive', 'Work'])
      await this.commit((tx) => {
        mailboxes[mailboxes.length] = tx.createMailbox({ name, parent: null }).id;
      });
    return mailboxes;
  }

  snapshot(): Promise<SnapshotResult> {
    const { store, clock, random } = this;
    return writeSnapshot(this.index.view(), { store, accountId, clock, random, by: 'n1' });
  }

  async errors(): Promise<string[]> {
    const index = this.index.view();
    const { store, clock } = this;
    const scratch = () => AccountIndex.open(new MemoryKv());
    const errors: string[] = [];
    await verifyAccount({ store, accountId, clock, scratch, index, isDeep: true }, ({ severity, sentence }) => {
      if (severity === 'error') errors.push(sentence);
    });
    index.release();
    return errors;
  }
}
