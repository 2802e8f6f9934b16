/** Threads as linked nodes: rows of a search first, dummies after them. Siblings are in the order in which they were added. */

const none = -1;

export class Forest {
  /** Nodes below this are rows. */
  readonly rowCount: number;
  /** The heads of the threads. */
  roots: number[] = [];
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  readonly #next: Int32Array;
  #nodes: number;

  constructor(rowCount: number, dummiesMax: number) {
    const size = rowCount + dummiesMax;
    this.rowCount = rowCount;
    this.#nodes = rowCount;
    this.#first = new Int32Array(size).fill(none);
    this.#last = new Int32Array(size).fill(none);
    this.#next = new Int32Array(size).fill(none);
  }

  addDummy(): number {
    this.#nodes += 1;
    return this.#nodes - 1;
  }

  isDummy(node: number): boolean {
    return node >= this.rowCount;
  }

  /** Adds a node that has no parent as the last child. */
  append(parent: number, child: number): void {
    const last = this.#last[parent]!;
    if (last === none) this.#first[parent] = child;
    else this.#next[last] = child;
    this.#last[parent] = child;
    this.#next[child] = none;
  }

  /** -1 where there is none. */
  firstChild(node: number): number {
    return this.#first[node]!;
  }

  nextSibling(node: number): number {
    return this.#next[node]!;
  }

  /** Takes all children off a node and returns them. */
  takeChildren(node: number): number[] {
    const children: number[] = [];
    for (let child = this.#first[node]!; child !== none; child = this.#next[child]!) children.push(child);
    this.#first[node] = none;
    this.#last[node] = none;
    return children;
  }
}
