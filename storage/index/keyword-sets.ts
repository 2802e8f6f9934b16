/**
 * Sets of keywords by number. Emails name their set, so any number of keywords costs four bytes an email, equal sets are encoded once, and a
 * flag change is a look-up in a memo. Set 0 is the empty one. Numbers are the index's own: they differ from index to index.
 */

import { keywordSetKey, readU32 } from './keyspace.ts';
import type { KvReader, KvWrite } from './kv.ts';
import { endOf } from './kv.ts';
import { tables } from './tables.ts';

export interface KeywordSet {
  readonly number: number;
  /** Sorted, lower case. */
  readonly keywords: readonly string[];
  readonly isSeen: boolean;
  readonly isDraft: boolean;
}

export interface KeywordChange {
  readonly set?: readonly string[];
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
}

export class KeywordSets {
  private sets: KeywordSet[] = [];
  private numbers = new Map<string, number>();
  private unsaved: KeywordSet[] = [];

  static load(kv: KvReader): KeywordSets {
    const sets = new KeywordSets();
    sets.reload(kv);
    return sets;
  }

  reload(kv: KvReader): void {
    this.sets = [];
    this.numbers = new Map();
    this.unsaved = [];
    this.enter(0, []);
    for (const { key, value } of kv.range('W', endOf('W'))) this.enter(readU32(key, 1), tables.keywordSets.decode(value));
  }

  of(number: number): KeywordSet {
    return this.sets[number]!;
  }

  /** The set of these keywords, in any order; new ones are numbered, and kept with the next write. */
  intern(keywords: Iterable<string>): KeywordSet {
    const sorted = [...new Set(keywords)].sort();
    const number = this.numbers.get(sorted.join(' '));
    if (number !== undefined) return this.sets[number]!;
    const set = this.enter(this.sets.length, sorted);
    this.unsaved.push(set);
    return set;
  }

  /** A function from set to set; ask for one per change and use it for every email. */
  changer({ set, add, remove }: KeywordChange): (number: number) => KeywordSet {
    const known = new Map<number, KeywordSet>();
    return (number) => {
      const before = known.get(number);
      if (before !== undefined) return before;
      const keywords = new Set(set ?? this.of(number).keywords);
      for (const keyword of add ?? []) keywords.add(keyword);
      for (const keyword of remove ?? []) keywords.delete(keyword);
      const after = this.intern(keywords);
      known.set(number, after);
      return after;
    };
  }

  /** Whether two different sets have the same others beside `$seen`. */
  areEqualButSeen(one: number, other: number): boolean {
    const [a, b] = [this.of(one), this.of(other)];
    if (a.isSeen === b.isSeen) return false;
    const [more, less] = a.isSeen ? [a, b] : [b, a];
    return more.keywords.length === less.keywords.length + 1 && less.keywords.every((keyword) => more.keywords.includes(keyword));
  }

  unsavedWrites(): KvWrite[] {
    return this.unsaved.map((set): KvWrite => [keywordSetKey(set.number), tables.keywordSets.encode([...set.keywords])]);
  }

  /** The unsaved were written. */
  noteSaved(): void {
    this.unsaved = [];
  }

  private enter(number: number, keywords: readonly string[]): KeywordSet {
    const set = { number, keywords, isSeen: keywords.includes('$seen'), isDraft: keywords.includes('$draft') };
    this.sets[number] = set;
    this.numbers.set(keywords.join(' '), number);
    return set;
  }
}
