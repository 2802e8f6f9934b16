/**
 * The raw objects of an account as listed, and which of them something names. Columns instead of objects, about 150 bytes a message, so that an
 * account of a million messages fits in memory while it is looked through.
 */
import type { ObjectInfo } from '../objects/object-store.ts';

/** The part of a raw object's name that is its own: `<sha256>-<random>`. Found in any text, under whatever record it stands. */
const blobNames = /[0-9a-f]{64}-[0-9a-f]{8,64}/g;

export class BlobListing {
  /** Ascending, as listed. */
  readonly #names: string[] = [];
  readonly #sizes: number[] = [];
  readonly #lastModified: number[] = [];
  readonly #isNamed: boolean[] = [];
  #keyPrefix = '';
  /** Log objects, which may carry messages: sizes by seq. */
  readonly #logSizes = new Map<number, number>();
  readonly #heldLog = new Set<number>();
  #carried = 0;

  get length(): number {
    return this.#names.length;
  }

  /** In key order. */
  add({ key, size, lastModified }: ObjectInfo): void {
    const slash = key.lastIndexOf('/') + 1;
    this.#keyPrefix = key.slice(0, slash);
    // A slice would keep the listing's whole text alive.
    this.#names.push(Buffer.from(key.slice(slash), 'latin1').toString('latin1'));
    this.#sizes.push(size);
    this.#lastModified.push(lastModified);
    this.#isNamed.push(false);
  }

  addLog(seq: number, size: number): void {
    this.#logSizes.set(seq, size);
  }

  /** How often something was named that a log object carries. */
  get carried(): number {
    return this.#carried;
  }

  /** Whether something was named that the log object carries. */
  holdsLog(seq: number): boolean {
    return this.#heldLog.has(seq);
  }

  /** Size of a log object, of `raw/<name>` or `<name>`, undefined when it was not listed. Notes that it is named. */
  name(object: string): number | undefined {
    if (object.startsWith('log/')) {
      const seq = Number.parseInt(object.slice('log/'.length), 10);
      this.#heldLog.add(seq);
      this.#carried++;
      return this.#logSizes.get(seq);
    }
    const at = this.#find(object.slice(object.lastIndexOf('/') + 1));
    if (at === undefined) return undefined;
    this.#isNamed[at] = true;
    return this.#sizes[at];
  }

  /** Notes every name that stands somewhere in `value`, a decoded line of a commit or part. */
  nameAllIn(value: unknown): void {
    for (const [name] of JSON.stringify(value).matchAll(blobNames)) this.name(name);
  }

  /** What nothing named, last written before `before`. */
  *unnamed(before = Number.POSITIVE_INFINITY): Generator<ObjectInfo> {
    for (const [at, name] of this.#names.entries()) {
      if (this.#isNamed[at] || this.#lastModified[at]! >= before) continue;
      yield { key: this.#keyPrefix + name, size: this.#sizes[at]!, lastModified: this.#lastModified[at]! };
    }
  }

  #find(name: string): number | undefined {
    let low = 0;
    let high = this.#names.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.#names[middle]!;
      if (found === name) return middle;
      if (found < name) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }
}
