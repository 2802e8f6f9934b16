/**
 * The map of the index against a plain sorted one, from seeds: rows that wait, rows in the database, both at once; ranges that are read while it is
 * written, flushed or unmapped; snapshots; disks that refuse; closing and opening again.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../storage/clock.ts';
import type { Kv, KvEntry, KvSnapshot, KvWrite } from '../../storage/index/kv.ts';
import { indexMappedBytesMax } from '../../storage/index/limits.ts';
import { LmdbEnvironments } from '../../storage/index/lmdb-kv.ts';
import { seededRandom } from '../support/faulty-random.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'satchel-index-map-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Whoever sleeps wakes when the test says so. */
class HeldClock implements Clock {
  #waking: (() => void)[] = [];
  now = () => 0;
  monotonic = () => 0;
  sleep(ms: number): Promise<void> {
    return ms === 0 ? Promise.resolve() : new Promise((resolve) => this.#waking.push(resolve));
  }
  async wake(): Promise<void> {
    for (const wake of this.#waking.splice(0)) wake();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

type Model = Map<string, string>;

/** A range that is read while others write. */
interface OpenRange {
  readonly entries: Iterator<KvEntry>;
  readonly start: string;
  readonly end: string;
  readonly isReverse: boolean;
  /** By key: all that was true of it since the range was asked for. */
  readonly truths: Map<string, Set<string | undefined>>;
  readonly seen: [string, string][];
}

class Run {
  readonly #random;
  readonly #clock = new HeldClock();
  readonly #path: string;
  #mapped = 0;
  #environments: LmdbEnvironments;
  #kvs: Kv[];
  #models: Model[] = [new Map(), new Map()];
  #snapshots: { snapshot: KvSnapshot; model: Model }[][] = [[], []];
  #ranges: OpenRange[][] = [[], []];
  #next = 0;

  constructor(seed: number, path: string) {
    this.#random = seededRandom(seed);
    this.#path = path;
    this.#environments = this.#open();
    this.#kvs = this.#openKvs();
  }

  async play(steps: number): Promise<void> {
    for (let step = 0; step < steps; step += 1) await this.#step();
    this.#finishAll();
    await this.#reopen();
    for (const of of [0, 1]) this.#compare(this.#kvs[of]!, this.#models[of]!, '', '\xff');
    await this.#environments[Symbol.asyncDispose]();
  }

  #open(): LmdbEnvironments {
    this.#mapped = 0;
    return new LmdbEnvironments({ path: this.#path, bootId: 'boot', clock: this.#clock, mappedBytes: () => this.#mapped });
  }

  /** Two accounts of one environment. */
  #openKvs(): Kv[] {
    return ['four', 'six'].map((account) => this.#environments.kv(account));
  }

  #upTo(count: number): number {
    return Math.floor(this.#random.fraction() * count);
  }

  #key(): string {
    const characters = ['a', 'b', '\0', '\x01', '\x80', '\xfe', '\xff'];
    const tail = Array.from({ length: this.#upTo(5) }, () => characters[this.#upTo(characters.length)]!).join('');
    return `${['J', 'K', 'L', 'z'][this.#upTo(4)]}${tail}`;
  }

  #value(): string {
    this.#next += 1;
    return `${this.#next}${'.'.repeat(this.#upTo(20) === 0 ? this.#upTo(9000) : this.#upTo(30))}`;
  }

  async #step(): Promise<void> {
    const of = this.#upTo(2);
    const [kv, model] = [this.#kvs[of]!, this.#models[of]!];
    const dice = this.#upTo(100);
    if (dice < 35) return this.#write(of);
    if (dice < 45) return this.#clock.wake();
    if (dice < 52) {
      const [start, end] = [this.#key(), this.#key()];
      return this.#write(
        of,
        [...model.keys()].filter((key) => key >= start && key < end).map((key) => [key, null]),
      );
    }
    if (dice < 62) return this.#compare(kv, model, this.#key(), this.#key());
    if (dice < 67) return this.#compareGets(kv, model);
    if (dice < 72) {
      this.#snapshots[of]!.push({ snapshot: kv.snapshot(), model: new Map(model) });
      return;
    }
    if (dice < 78) {
      const held = this.#snapshots[of]![0];
      if (held === undefined) return;
      this.#compare(held.snapshot, held.model, this.#key(), this.#key());
      this.#compareGets(held.snapshot, held.model);
      if (this.#upTo(2) === 0) this.#snapshots[of]!.shift()!.snapshot.release();
      return;
    }
    if (dice < 84) return this.#openRange(of);
    if (dice < 92) return this.#readOn(of);
    if (dice < 96) {
      this.#mapped = indexMappedBytesMax + 1;
      const unmapping = this.#environments.unmapExcess();
      if (this.#upTo(2) === 0) this.#compare(kv, model, this.#key(), this.#key());
      if (this.#upTo(2) === 0) this.#write(of);
      await unmapping;
      return;
    }
    if (dice < 98) {
      this.#finishAll();
      await this.#reopen();
      return;
    }
    await kv.clear();
    for (const key of model.keys()) this.#note(of, key, undefined);
    model.clear();
  }

  #write(of: number, batch: readonly (readonly [string, string | null])[] = this.#batch()): void {
    this.#kvs[of]!.write(batch.map(([key, value]): KvWrite => [key, value === null ? null : Buffer.from(value)]));
    for (const [key, value] of batch) {
      if (value === null) this.#models[of]!.delete(key);
      else this.#models[of]!.set(key, value);
      this.#note(of, key, value ?? undefined);
    }
  }

  #batch(): [string, string | null][] {
    return Array.from({ length: 1 + this.#upTo(8) }, () => [this.#key(), this.#upTo(4) === 0 ? null : this.#value()]);
  }

  #note(of: number, key: string, value: string | undefined): void {
    for (const { truths } of this.#ranges[of]!) {
      if (!truths.has(key)) truths.set(key, new Set([undefined]));
      truths.get(key)!.add(value);
    }
  }

  #compare(kv: Pick<Kv, 'range' | 'isEmpty'>, model: Model, start: string, end: string): void {
    const want = [...model].filter(([key]) => key >= start && key < end).sort(([a], [b]) => (a < b ? -1 : 1));
    const limit = this.#upTo(3) === 0 ? this.#upTo(6) : undefined;
    const options = limit === undefined ? {} : { limit };
    expect(shown(kv.range(start, end, options))).toEqual(want.slice(0, limit));
    expect(shown(kv.range(start, end, { ...options, reverse: true }))).toEqual(want.toReversed().slice(0, limit));
    expect(kv.isEmpty(start, end)).toBe(want.length === 0);
  }

  #compareGets(kv: Pick<Kv, 'get' | 'readInto'>, model: Model): void {
    const keys = [...model.keys()];
    for (const key of [this.#key(), keys[this.#upTo(keys.length)] ?? 'J']) {
      expect(kv.get(key)?.toString()).toBe(model.get(key));
      const into = { bytes: Buffer.alloc(4) };
      const length = kv.readInto(key, into);
      expect(length < 0 ? undefined : into.bytes.toString('utf8', 0, length)).toBe(model.get(key));
    }
  }

  #openRange(of: number): void {
    const [a, b] = [this.#key(), this.#key()];
    const [start, end] = a < b ? [a, b] : [b, a];
    const isReverse = this.#upTo(3) === 0;
    const model = this.#models[of]!;
    this.#ranges[of]!.push({
      entries: this.#kvs[of]!.range(start, end, { reverse: isReverse })[Symbol.iterator](),
      start,
      end,
      isReverse,
      truths: new Map([...model].map(([key, value]) => [key, new Set([value])])),
      seen: [],
    });
  }

  #readOn(of: number): void {
    const range = this.#ranges[of]![0];
    if (range === undefined) return;
    for (let left = this.#upTo(6); left > 0; left -= 1) {
      const { done, value } = range.entries.next();
      if (done) {
        this.#ranges[of]!.shift();
        this.#judge(range);
        return;
      }
      range.seen.push([value.key, value.value.toString()]);
    }
  }

  #finishAll(): void {
    for (const of of [0, 1]) {
      while (this.#ranges[of]!.length > 0) this.#readOn(of);
      for (const { snapshot } of this.#snapshots[of]!.splice(0)) snapshot.release();
    }
  }

  /** Each key once and in order, with a value that was true of it meanwhile; none left out that was there all the time. */
  #judge({ seen, truths, start, end, isReverse }: OpenRange): void {
    const keys = seen.map(([key]) => key);
    const sorted = [...new Set(keys)].sort();
    expect(keys).toEqual(isReverse ? sorted.reverse() : sorted);
    for (const [key, value] of seen) {
      expect(key >= start && key < end).toBe(true);
      expect([...(truths.get(key) ?? [])]).toContain(value);
    }
    const found = new Set(keys);
    const missing = [...truths].filter(([key, values]) => key >= start && key < end && !values.has(undefined) && !found.has(key));
    expect(missing).toEqual([]);
  }

  async #reopen(): Promise<void> {
    await this.#environments[Symbol.asyncDispose]();
    await this.#clock.wake();
    this.#environments = this.#open();
    this.#kvs = this.#openKvs();
  }
}

const shown = (entries: Iterable<KvEntry>) => Array.from(entries, ({ key, value }): [string, string] => [key, value.toString()]);

describe('the map of the index is a sorted map', () => {
  const first = Number(process.env['SATCHEL_TEST_SEED'] ?? 1);
  const count = Number(process.env['SATCHEL_TEST_SEEDS'] ?? 12);
  it.each(Array.from({ length: count }, (_, at) => first + at))('whatever seed %i does with it', async (seed) => {
    await new Run(seed, folder).play(400);
  });
});
