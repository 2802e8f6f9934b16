/**
 * Asks the store, before it is trusted with mail, whether it keeps the promises that the log is built on.
 *
 * Some S3 look-alikes answer 200 to every conditional put: two writers would both believe that their commit is the one. So we try it, in
 * the actual bucket (some are right or wrong depending on its settings), under `cluster/probe/`: some 40 requests, removed afterwards.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { Random } from '../random.ts';
import { probePrefix } from './object-keys.ts';
import type { ObjectStore } from './object-store.ts';

const racers = 16;

/** Throws `refused`, naming the check that failed, for a store that would lose mail; `unavailable` when it cannot be asked. */
export async function probeStore(store: ObjectStore, random: Pick<Random, 'hex'>): Promise<void> {
  const prefix = `${probePrefix}${random.hex(8)}/`;
  const probe = new Probe(store, prefix);
  try {
    await probe.createTwice();
    await probe.race();
    await probe.readAfterWrite();
    await probe.readRanges();
    await probe.listAfterWrite();
    await probe.copy();
    await probe.remove();
  } finally {
    // What is left after a failure is a few bytes under a name of its own; the failure itself is what must be told.
    await store.deleteMany(probe.written).catch(() => {});
  }
}

class Probe {
  readonly written: string[] = [];
  readonly #store: ObjectStore;
  readonly #prefix: string;

  constructor(store: ObjectStore, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
  }

  async createTwice(): Promise<void> {
    const key = this.#key('create');
    const first = await this.#store.putIfAbsent(key, Buffer.from('first'));
    this.#check(first.outcome === 'created', 'create-if-absent', 'a name that was free is said to be taken');
    const second = await this.#store.putIfAbsent(key, Buffer.from('second'));
    const { body } = await this.#store.get(key);
    this.#check(
      second.outcome === 'exists' && body.toString() === 'first',
      'create-if-absent',
      'an object was replaced though the request said If-None-Match: *. Two writers would overwrite each other’s mail',
    );
  }

  async race(): Promise<void> {
    const key = this.#key('race');
    const bodies = Array.from({ length: racers }, (_, i) => `racer ${i}`);
    const settled = await Promise.allSettled(bodies.map((body) => this.#store.putIfAbsent(key, Buffer.from(body))));
    const winners = bodies.filter((_, i) => {
      const result = settled[i]!;
      if (result.status === 'fulfilled') return result.value.outcome === 'created';
      // Refusing a racer as "try again" (409) is allowed.
      if (result.reason instanceof StorageError && result.reason.code === 'unavailable') return false;
      throw result.reason;
    });
    const unknown = bodies.filter((_, i) => settled[i]!.status === 'rejected');
    const kept = (await this.#readBack(key, 'race')).toString();
    const mayHaveWon = winners.length === 0 ? unknown : winners;
    this.#check(
      winners.length <= 1 && mayHaveWon.includes(kept),
      'race',
      `of ${racers} writers of one name ${winners.length} were told that they had created it, where it must be one`,
    );
  }

  async readAfterWrite(): Promise<void> {
    const key = this.#key('read');
    for (const text of ['one', 'two and more']) {
      await this.#store.put(key, Buffer.from(text));
      const body = await this.#readBack(key, 'read-after-write');
      this.#check(body.toString() === text, 'read-after-write', 'what was written a moment ago is not what is read');
      const info = await this.#store.head(key);
      this.#check(info?.size === text.length, 'read-after-write', 'the size is not that of what was written');
    }
  }

  async readRanges(): Promise<void> {
    const key = this.#key('range');
    await this.#store.put(key, Buffer.from('0123456789'));
    const rows = [
      [2, 3, '234'],
      [7, 100, '789'],
      [10, 5, ''],
    ] as const;
    for (const [offset, length, want] of rows) {
      const got = (await this.#store.getRange(key, offset, length)).toString();
      this.#check(got === want, 'ranged-read', `bytes ${offset} to ${offset + length} of "0123456789" came back as ${JSON.stringify(got)}`);
    }
  }

  async listAfterWrite(): Promise<void> {
    const folder = `${this.#prefix}list/`;
    const want = ['a-b', 'a/b', 'a0', 'é'].map((name) => folder + name);
    for (const key of want) {
      this.written.push(key);
      await this.#store.put(key, Buffer.from('x'));
    }
    const got: string[] = [];
    let startAfter: string | undefined;
    for (let i = 0; i < want.length; i++) {
      const page = await this.#store.listPage(folder, { startAfter, limit: 2 });
      got.push(...page.objects.map(({ key }) => key));
      startAfter = page.next;
      if (startAfter === undefined) break;
    }
    this.#check(
      got.join() === want.join(),
      'list-after-write',
      'a listing in pages does not give the names just written, each once and in order',
    );
  }

  async copy(): Promise<void> {
    const [from, to] = [this.#key('copied-from'), this.#key('copied-to')];
    await this.#store.put(from, Buffer.from('copy me'));
    await this.#store.copy(from, to);
    const body = await this.#readBack(to, 'copy');
    this.#check(body.toString() === 'copy me', 'copy', 'a copy made by the store differs from its original');
  }

  async remove(): Promise<void> {
    await this.#store.deleteMany(this.written);
    const { objects } = await this.#store.listPage(this.#prefix);
    const isThere = (await this.#store.head(this.written[0]!)) !== undefined;
    this.#check(objects.length === 0 && !isThere, 'delete', 'removed objects are still there');
  }

  #key(name: string): string {
    const key = this.#prefix + name;
    this.written.push(key);
    return key;
  }

  async #readBack(key: string, check: string): Promise<Buffer> {
    try {
      return (await this.#store.get(key)).body;
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'missing') throw error;
      return this.#refuse(check, 'what was written a moment ago is not found', error);
    }
  }

  #check(isKept: boolean, check: string, otherwise: string): void {
    if (!isKept) this.#refuse(check, otherwise);
  }

  #refuse(check: string, why: string, cause?: unknown): never {
    const sentence = `The store (${this.#store.name}) fails the check "${check}": ${why}. Mail would be lost on it, so it is not used.`;
    throw new StorageError('refused', sentence, { cause });
  }
}
