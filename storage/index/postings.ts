/**
 * Which of up to 65,536 slots hold which numbers, gathered slot by slot, in flat arrays: a block of search terms has a million entries, and a Map of
 * arrays takes four times as long to fill.
 */

/** Terms have 25 bits: trigrams of 24, and what stands in the place of one. */
const termBits = 25;
const emptySlot = 0xffffffff;

export class Postings {
  /** Terms of the slot under way, a bit each, and as a list to clear them by. */
  readonly #seen = new Uint32Array(2 ** termBits / 32);
  #unique = new Uint32Array(4096);
  #uniqueCount = 0;
  /** Open addressing: terms, and the newest entry of each. */
  #terms = new Uint32Array(2 ** 14).fill(emptySlot);
  #newest = new Int32Array(2 ** 14);
  #termCount = 0;
  /** Entries: a slot, and the entry before it of the same term (-1 for none). */
  #slots = new Uint16Array(2 ** 14);
  #before = new Int32Array(2 ** 14);
  #entryCount = 0;

  /** Notes a term of the slot under way; again and again for nothing. */
  note(term: number): void {
    const word = term >>> 5;
    const bit = 1 << (term & 31);
    if ((this.#seen[word]! & bit) !== 0) return;
    this.#seen[word]! |= bit;
    if (this.#uniqueCount === this.#unique.length) {
      const grown = new Uint32Array(this.#unique.length * 2);
      grown.set(this.#unique);
      this.#unique = grown;
    }
    this.#unique[this.#uniqueCount++] = term;
  }

  /** The slot under way is `slot`, larger than those before it; the next begins. */
  endSlot(slot: number): void {
    for (let at = 0; at < this.#uniqueCount; at += 1) {
      const term = this.#unique[at]!;
      this.#seen[term >>> 5] = 0;
      this.#add(term, slot);
    }
    this.#uniqueCount = 0;
  }

  /** All terms, ascending. */
  sortedTerms(): Uint32Array {
    return this.#terms.filter((term) => term !== emptySlot).sort();
  }

  /** The slots of a term, ascending. */
  slotsOf(term: number): number[] {
    const slots: number[] = [];
    const place = this.#placeOf(term);
    if (this.#terms[place] === emptySlot) return slots;
    for (let entry = this.#newest[place]!; entry >= 0; entry = this.#before[entry]!) slots.push(this.#slots[entry]!);
    return slots.reverse();
  }

  #add(term: number, slot: number): void {
    if (this.#entryCount === this.#slots.length) this.#growEntries();
    const place = this.#placeOf(term);
    const entry = this.#entryCount++;
    this.#slots[entry] = slot;
    if (this.#terms[place] === term) {
      this.#before[entry] = this.#newest[place]!;
      this.#newest[place] = entry;
      return;
    }
    this.#before[entry] = -1;
    this.#terms[place] = term;
    this.#newest[place] = entry;
    this.#termCount += 1;
    if (this.#termCount * 2 > this.#terms.length) this.#growTerms();
  }

  /** Where the term is, or would be. */
  #placeOf(term: number): number {
    const mask = this.#terms.length - 1;
    let place = (Math.imul(term, 0x9e3779b1) >>> 7) & mask;
    while (this.#terms[place] !== term && this.#terms[place] !== emptySlot) place = (place + 1) & mask;
    return place;
  }

  #growTerms(): void {
    const [terms, newest] = [this.#terms, this.#newest];
    this.#terms = new Uint32Array(terms.length * 2).fill(emptySlot);
    this.#newest = new Int32Array(terms.length * 2);
    for (const [at, term] of terms.entries()) {
      if (term === emptySlot) continue;
      const place = this.#placeOf(term);
      this.#terms[place] = term;
      this.#newest[place] = newest[at]!;
    }
  }

  #growEntries(): void {
    const slots = new Uint16Array(this.#slots.length * 2);
    slots.set(this.#slots);
    this.#slots = slots;
    const before = new Int32Array(this.#before.length * 2);
    before.set(this.#before);
    this.#before = before;
  }
}
