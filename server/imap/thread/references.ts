/**
 * THREAD=REFERENCES (RFC 5256 §3): messages are linked by the ids that they refer to, then threads of one base subject are put together. Linear but for one
 * sort: links are kept as parents only until all are known, and rows are added to their parents in the order of their dates, so that siblings need no
 * sorting of their own.
 */
import { emptySubject, type ThreadFacts } from './facts.ts';
import { Forest } from './forest.ts';

/** A container's number; 0 is none. */
const none = 0;

export function threadByReferences(facts: ThreadFacts): Forest {
  const links = new Links(facts);
  const forest = plant(facts, links);
  gatherBySubject(forest, facts);
  return forest;
}

/** Step 1: containers for the rows and for ids that are only referred to, with their parents. */
class Links {
  /** By row. */
  readonly containerOfRow: Uint32Array;
  /** By container: its row and one more, 0 for a dummy. */
  readonly rowOf: Uint32Array;
  readonly parent: Uint32Array;
  readonly #hasChild: Uint8Array;
  /** By message id. */
  readonly #containerOfId: Uint32Array;
  end = 1;

  constructor({ count, own, references, idsEnd }: ThreadFacts) {
    const size = 1 + 2 * count + references.numbers.length;
    this.containerOfRow = new Uint32Array(count);
    this.rowOf = new Uint32Array(size);
    this.parent = new Uint32Array(size);
    this.#hasChild = new Uint8Array(size);
    this.#containerOfId = new Uint32Array(idsEnd);
    for (let row = 0; row < count; row += 1) {
      const container = this.#ofRow(own[row]!, row);
      // 1.A: each reference is the parent of the next, where that has none.
      let previous = none;
      for (let at = references.starts[row]!; at < references.starts[row + 1]!; at += 1) {
        const next = this.#ofId(references.numbers[at]!);
        if (previous !== none && this.parent[next] === none) this.#link(previous, next);
        previous = next;
      }
      // 1.B: the last one is this message's parent, whatever others said.
      this.parent[container] = none;
      if (previous !== none) this.#link(previous, container);
    }
  }

  /** RFC 5256 §3: an id belongs to the first message that bears it; the others, and those without, get one of their own. */
  #ofRow(id: number, row: number): number {
    let container = id === 0 ? this.end++ : this.#ofId(id);
    if (this.rowOf[container] !== 0) container = this.end++;
    this.rowOf[container] = row + 1;
    this.containerOfRow[row] = container;
    return container;
  }

  #ofId(id: number): number {
    const known = this.#containerOfId[id]!;
    if (known !== 0) return known;
    this.#containerOfId[id] = this.end;
    return this.end++;
  }

  /** Links, unless that would make a loop. */
  #link(parent: number, child: number): void {
    if (parent === child) return;
    // Only what has children can be above its parent.
    if (this.#hasChild[child] === 1) {
      for (let above = parent; above !== none; above = this.parent[above]!) if (above === child) return;
    }
    this.parent[child] = parent;
    this.#hasChild[parent] = 1;
  }
}

/** Steps 2 to 4, and 6 where step 5 changes nothing: dummies go, their children move up, siblings are in the order of their dates. */
function plant({ count, byDate }: ThreadFacts, links: Links): Forest {
  const { rowOf, parent, containerOfRow } = links;
  // Of a container: the container that its children hang on in the end, itself if it is a message, or the dummy at the top.
  const holder = new Uint32Array(links.end);
  const path: number[] = [];
  const holderOf = (container: number): number => {
    let at = container;
    while (holder[at] === 0 && rowOf[at] === 0 && parent[at] !== none) {
      path.push(at);
      at = parent[at]!;
    }
    const found = holder[at] === 0 ? at : holder[at]!;
    for (const passed of path) holder[passed] = found;
    path.length = 0;
    return found;
  };
  const childrenOfDummy = new Uint32Array(links.end);
  const holderOfRow = new Uint32Array(count);
  for (let row = 0; row < count; row += 1) {
    const above = parent[containerOfRow[row]!]!;
    if (above === none) continue;
    const found = holderOf(above);
    holderOfRow[row] = found;
    if (rowOf[found] === 0) childrenOfDummy[found]! += 1;
  }
  // Dummies that stay have two children; step 5 makes at most one of two threads.
  const forest = new Forest(count, count);
  const dummyNodes = new Uint32Array(links.end);
  for (let at = 0; at < count; at += 1) {
    const row = byDate[at]!;
    const above = holderOfRow[row]!;
    if (above !== none && rowOf[above] !== 0) forest.append(rowOf[above]! - 1, row);
    else if (above === none || childrenOfDummy[above] === 1) forest.roots.push(row);
    else {
      if (dummyNodes[above] === 0) {
        dummyNodes[above] = forest.addDummy();
        forest.roots.push(dummyNodes[above]!);
      }
      forest.append(dummyNodes[above]!, row);
    }
  }
  return forest;
}

/** Step 5: threads under the root with the same base subject become one; then step 6 for what was changed. */
function gatherBySubject(forest: Forest, { subjects, isReplyOrForward, byDate, count }: ThreadFacts): void {
  const messageOf = (node: number) => (forest.isDummy(node) ? forest.firstChild(node) : node);
  const subjectsEnd = subjects.reduce((most, number) => Math.max(most, number), 0) + 1;
  /** By subject, one more than the node. */
  const table = new Uint32Array(subjectsEnd);
  for (const node of forest.roots) {
    const subject = subjects[messageOf(node)]!;
    if (subject === emptySubject) continue;
    const known = table[subject]! - 1;
    const replaces =
      known < 0 || (!forest.isDummy(known) && (forest.isDummy(node) || (isReplyOrForward[known] === 1 && isReplyOrForward[node] === 0)));
    if (replaces) table[subject] = node + 1;
  }
  const subjectOf = (node: number) => subjects[messageOf(node)]!;
  const roots: number[] = [];
  const isChanged = new Set<number>();
  /** Nodes that a dummy has taken the place of. */
  const replaced = new Map<number, number>();
  for (const node of forest.roots) {
    const subject = subjectOf(node);
    const known = subject === emptySubject ? node : table[subject]! - 1;
    if (known === node) {
      roots.push(node);
      continue;
    }
    if (forest.isDummy(known)) {
      if (forest.isDummy(node)) for (const child of forest.takeChildren(node)) forest.append(known, child);
      else forest.append(known, node);
      isChanged.add(known);
    } else if (isReplyOrForward[node] === 1 && isReplyOrForward[known] === 0) {
      forest.append(known, node);
      isChanged.add(known);
    } else {
      const dummy = forest.addDummy();
      forest.append(dummy, known);
      forest.append(dummy, node);
      table[subject] = dummy + 1;
      replaced.set(known, dummy);
      isChanged.add(dummy);
    }
  }
  if (isChanged.size === 0) return;
  const rank = new Uint32Array(count);
  for (let at = 0; at < count; at += 1) rank[byDate[at]!] = at;
  const byRank = (a: number, b: number) => rank[messageOf(a)]! - rank[messageOf(b)]!;
  for (const node of isChanged) for (const child of forest.takeChildren(node).sort(byRank)) forest.append(node, child);
  // A dummy stands where the thread stood that it took in, whether that came before or after.
  forest.roots = [...new Set([...roots.filter((node) => !replaced.has(node)), ...replaced.values()])].sort(byRank);
}
