/** A set of the running numbers of an account: they are dense, so a bit for each is smaller and faster than a Set. */
export class BitSet {
  #words = new Uint32Array(2048);

  static of(numbers: Iterable<number>): BitSet {
    const set = new BitSet();
    for (const number of numbers) set.add(number);
    return set;
  }

  /** Whether the number was not in it before. */
  add(number: number): boolean {
    const word = number >>> 5;
    if (word >= this.#words.length) this.#grow(word);
    const bit = 1 << (number & 31);
    if ((this.#words[word]! & bit) !== 0) return false;
    this.#words[word]! |= bit;
    return true;
  }

  has(number: number): boolean {
    const word = number >>> 5;
    return word < this.#words.length && (this.#words[word]! & (1 << (number & 31))) !== 0;
  }

  #grow(word: number): void {
    const larger = new Uint32Array(Math.max(word + 1, this.#words.length * 2));
    larger.set(this.#words);
    this.#words = larger;
  }
}
