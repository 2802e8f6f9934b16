/**
 * A view of the index: the applied state (map and cache) under layers of values that are not applied yet. A commit in the making is a layer, the
 * mutation that is just running one above it; dropping a layer takes back all that was done in it. Reads look from the top down.
 */

import { noLimits, type QuotaLimits } from '../../protocol/mail/quota.ts';
import { asBuffer } from '../../protocol/mime/bytes.ts';
import { mailboxKey, metaKey, readU32, type TableLetter, u32 } from './keyspace.ts';
import { KeywordSets } from './keyword-sets.ts';
import type { Kv, KvReader, KvWrite, ReusedBytes } from './kv.ts';
import { copyInto, endOf } from './kv.ts';
import { unreadPagesMax } from './limits.ts';
import { overlaid } from './overlay.ts';
import { emptyMeta, type Meta, type MutableMailbox, type ObjectRow, type Table, tables } from './tables.ts';

/** Values of one layer by table and key; null says removed. */
export class Layer {
  readonly tables = new Map<TableLetter, { table: Table<unknown>; rows: Map<string, unknown> }>();

  get isEmpty(): boolean {
    return this.tables.size === 0;
  }

  rowsOf<V>(table: Table<V>): Map<string, V | null> {
    let entry = this.tables.get(table.letter);
    if (entry === undefined) this.tables.set(table.letter, (entry = { table: table as Table<unknown>, rows: new Map() }));
    return entry.rows as Map<string, V | null>;
  }

  /** Takes over all that `upper` says. */
  absorb(upper: Layer): void {
    for (const { table, rows } of upper.tables.values()) {
      const mine = this.rowsOf(table);
      for (const [key, value] of rows) mine.set(key, value);
    }
  }

  *writes(): Generator<KvWrite> {
    for (const { table, rows } of this.tables.values()) {
      for (const [key, value] of rows) yield [key, value === null ? null : table.encode(value)];
    }
  }
}

const pageLetters: ReadonlySet<TableLetter> = new Set([tables.emailPages.letter, tables.uidPages.letter, tables.seenPages.letter]);

/** The applied state: the map, and in memory what of it is cached. One per open account. */
export class AppliedState {
  readonly kv: Kv;
  readonly keywordSets: KeywordSets;
  private readonly limits: () => QuotaLimits;
  private readonly cache = new Map<string, unknown>();
  /** Keys of cached pages that were written and that nobody has read since, the one written last at the end. */
  private readonly unread = new Set<string>();
  private mailboxNumbers: number[] | undefined;
  private emailPageNumbers: number[] | undefined;
  private readonly uidPageNumbers = new Map<number, number[]>();
  /** By prefix of their keys, whether a type has objects: most have none, and several are looked for at every delivery. */
  private readonly objectsThere = new Map<string, boolean>();

  constructor(kv: Kv, quotaLimits: () => QuotaLimits = () => noLimits) {
    this.kv = kv;
    this.limits = quotaLimits;
    this.keywordSets = KeywordSets.load(kv);
  }

  /** What the account may hold. No part of the state: the directory and the configuration say it. */
  get quotaLimits(): QuotaLimits {
    return this.limits();
  }

  /** `isToEdit`: whoever asks will write it, and does not want it for itself. */
  get<V>(table: Table<V>, key: string, isToEdit = false): V | undefined {
    if (!table.isCached) {
      const bytes = this.kv.get(key);
      return bytes === undefined ? undefined : table.decode(bytes);
    }
    const cached = this.cache.get(key);
    if (!isToEdit) this.unread.delete(key);
    if (cached !== undefined) return cached as V;
    const bytes = this.kv.get(key);
    if (bytes === undefined) return undefined;
    const value = table.decode(bytes);
    if (!isToEdit) this.cache.set(key, value);
    return value;
  }

  /** Writes a layer in one transaction, then takes it into the cache. What the map refuses leaves everything as it was. */
  write(layer: Layer): void {
    this.kv.write([...this.keywordSets.unsavedWrites(), ...layer.writes()]);
    this.keywordSets.noteSaved();
    if (layer.tables.has(tables.objects.letter)) this.objectsThere.clear();
    for (const { table, rows } of layer.tables.values()) {
      if (!table.isCached) continue;
      for (const [key, value] of rows) {
        if (value === null) {
          this.cache.delete(key);
          this.unread.delete(key);
        } else {
          if (pageLetters.has(table.letter)) this.noteWritten(key);
          this.cache.set(key, value);
        }
        this.noteKey(table.letter, key, value !== null);
      }
    }
  }

  /** Pages that fill up with new mail are many, and wanted by who reads it. */
  private noteWritten(key: string): void {
    if (this.cache.has(key) && !this.unread.delete(key)) return;
    this.unread.add(key);
    if (this.unread.size <= unreadPagesMax) return;
    const [oldest] = this.unread;
    this.unread.delete(oldest!);
    this.cache.delete(oldest!);
  }

  /** `prefix` is that of a type. */
  hasObjects(prefix: string): boolean {
    let isThere = this.objectsThere.get(prefix);
    if (isThere === undefined) {
      isThere = !this.kv.isEmpty(prefix, endOf(prefix));
      this.objectsThere.set(prefix, isThere);
    }
    return isThere;
  }

  /** Numbers of all mailboxes, ascending. */
  mailboxes(): readonly number[] {
    return (this.mailboxNumbers ??= [...this.load(tables.mailboxes, 'B')].map((key) => readU32(key, 1)));
  }

  emailPages(): readonly number[] {
    return (this.emailPageNumbers ??= [...this.load(tables.emailPages, 'E')].map((key) => readU32(key, 1)));
  }

  uidPages(mailbox: number): readonly number[] {
    let numbers = this.uidPageNumbers.get(mailbox);
    if (numbers === undefined) {
      numbers = [...this.load(tables.uidPages, `U${u32(mailbox)}`)].map((key) => readU32(key, 5));
      this.uidPageNumbers.set(mailbox, numbers);
    }
    return numbers;
  }

  /** Reads all values under a prefix into the cache, in one pass. */
  private *load<V>(table: Table<V>, prefix: string): Generator<string> {
    for (const { key, value } of this.kv.range(prefix, endOf(prefix))) {
      if (!this.cache.has(key)) this.cache.set(key, table.decode(value));
      yield key;
    }
  }

  private noteKey(letter: TableLetter, key: string, isThere: boolean): void {
    const numbers =
      letter === 'B'
        ? this.mailboxNumbers
        : letter === 'E'
          ? this.emailPageNumbers
          : letter === 'U'
            ? this.uidPageNumbers.get(readU32(key, 1))
            : undefined;
    if (numbers === undefined) return;
    const number = readU32(key, letter === 'U' ? 5 : 1);
    const at = insertionPoint(numbers, number);
    const isListed = numbers[at] === number;
    if (isThere && !isListed) numbers.splice(at, 0, number);
    if (!isThere && isListed) numbers.splice(at, 1);
  }

  /** Forgets the cache: the map was changed from elsewhere (cleared, restored). */
  forget(): void {
    this.cache.clear();
    this.unread.clear();
    this.keywordSets.reload(this.kv);
    this.mailboxNumbers = undefined;
    this.emailPageNumbers = undefined;
    this.uidPageNumbers.clear();
    this.objectsThere.clear();
  }
}

/** Where `number` stands, or would stand, in ascending `numbers`. */
export function insertionPoint(numbers: readonly number[], number: number): number {
  const last = numbers.at(-1);
  if (last === undefined || number > last) return numbers.length;
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle]! < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class View {
  readonly state: AppliedState;
  /** Bottom first. */
  readonly layers: Layer[];

  constructor(state: AppliedState, layers: Layer[] = []) {
    this.state = state;
    this.layers = layers;
  }

  get<V>(table: Table<V>, key: string, isToEdit = false): V | undefined {
    for (let at = this.layers.length - 1; at >= 0; at -= 1) {
      const value = this.layers[at]!.tables.get(table.letter)?.rows.get(key);
      if (value !== undefined) return value === null ? undefined : (value as V);
    }
    return this.state.get(table, key, isToEdit);
  }

  /** The encoded value of a table that is not cached, as KvReader.readInto gives it. */
  readInto<V>(table: Table<V>, key: string, into: ReusedBytes): number {
    for (let at = this.layers.length - 1; at >= 0; at -= 1) {
      const value = this.layers[at]!.tables.get(table.letter)?.rows.get(key);
      if (value !== undefined) return copyInto(value === null ? undefined : asBuffer(table.encode(value as V)), into);
    }
    return this.state.kv.readInto(key, into);
  }

  /** A copy of the value in the top layer, to be changed in place. undefined when there is none. */
  edit<V>(table: Table<V>, key: string): V | undefined {
    const rows = this.layers.at(-1)!.rowsOf(table);
    const own = rows.get(key);
    if (own !== undefined) return own === null ? undefined : own;
    const value = this.get(table, key, true);
    if (value === undefined) return undefined;
    const copy = table.clone(value);
    rows.set(key, copy);
    return copy;
  }

  put<V>(table: Table<V>, key: string, value: V): void {
    this.layers.at(-1)!.rowsOf(table).set(key, value);
  }

  remove<V>(table: Table<V>, key: string): void {
    this.layers.at(-1)!.rowsOf(table).set(key, null);
  }

  /** Entries with start ≤ key < end, ascending, decoded, layers over the map. */
  *range<V>(table: Table<V>, start: string, end: string): Generator<{ key: string; value: V }> {
    const over = new Map<string, V | null>();
    for (const layer of this.layers) {
      for (const [key, value] of (layer.tables.get(table.letter)?.rows as Map<string, V | null> | undefined) ?? []) {
        if (key >= start && key < end) over.set(key, value);
      }
    }
    const below = this.state.kv.range(start, end);
    if (over.size === 0) {
      for (const { key, value } of below) yield { key, value: table.decode(value) };
      return;
    }
    yield* overlaid(below, over, table.decode);
  }

  /** Whether that range has no entry, as far as it can be said without reading any: false where a layer has rows there. */
  isEmpty<V>(table: Table<V>, start: string, end: string): boolean {
    for (const layer of this.layers) {
      for (const key of layer.tables.get(table.letter)?.rows.keys() ?? []) if (key >= start && key < end) return false;
    }
    return this.state.kv.isEmpty(start, end);
  }

  /** The objects of the type whose keys begin with `prefix`. */
  objects(prefix: string): Iterable<{ key: string; value: ObjectRow }> {
    return this.mayHaveObjects(prefix) ? this.range(tables.objects, prefix, endOf(prefix)) : [];
  }

  object(prefix: string, key: string): ObjectRow | undefined {
    return this.mayHaveObjects(prefix) ? this.get(tables.objects, key) : undefined;
  }

  mayHaveObjects(prefix: string): boolean {
    return this.layers.some((layer) => layer.tables.has(tables.objects.letter)) || this.state.hasObjects(prefix);
  }

  meta(): Meta {
    return this.get(tables.meta, metaKey) ?? emptyMeta;
  }

  editMeta(): Meta {
    const meta = this.edit(tables.meta, metaKey);
    if (meta !== undefined) return meta;
    const fresh = { ...emptyMeta };
    this.put(tables.meta, metaKey, fresh);
    return fresh;
  }

  mailbox(number: number): MutableMailbox | undefined {
    return this.get(tables.mailboxes, mailboxKey(number));
  }

  mailboxNumbers(): readonly number[] {
    return this.numbers(this.state.mailboxes(), 'B', 1, 'B');
  }

  emailPageNumbers(): readonly number[] {
    return this.numbers(this.state.emailPages(), 'E', 1, 'E');
  }

  uidPageNumbers(mailbox: number): readonly number[] {
    return this.numbers(this.state.uidPages(mailbox), 'U', 5, `U${u32(mailbox)}`);
  }

  /** What the state lists, corrected by the layers. */
  private numbers(applied: readonly number[], letter: TableLetter, offset: number, prefix: string): readonly number[] {
    let corrected: number[] | undefined;
    for (const layer of this.layers) {
      for (const [key, value] of layer.tables.get(letter)?.rows ?? []) {
        if (!key.startsWith(prefix)) continue;
        const number = readU32(key, offset);
        const list = corrected ?? applied;
        const at = insertionPoint(list, number);
        const isListed = list[at] === number;
        if ((value !== null) === isListed) continue;
        corrected ??= [...applied];
        corrected.splice(at, isListed ? 1 : 0, ...(isListed ? [] : [number]));
      }
    }
    return corrected ?? applied;
  }
}

export type { KvReader };
