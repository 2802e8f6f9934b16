/** THREAD=REFERENCES against RFC 5256's steps done one after the other on a tree of objects. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../protocol/imap/wire/byte-writer.ts';
import { orderBy } from '../../server/imap/sort/order.ts';
import type { ThreadFacts } from '../../server/imap/thread/facts.ts';
import { threadBySubject } from '../../server/imap/thread/ordered-subject.ts';
import { threadByReferences } from '../../server/imap/thread/references.ts';
import { writeThreads } from '../../server/imap/thread/write-threads.ts';

interface Message {
  /** 0 for none. */
  readonly id: number;
  readonly references: readonly number[];
  /** 1 is empty. */
  readonly subject: number;
  readonly isReply: boolean;
  readonly sentAt: number;
}

interface Node {
  message: (Message & { sequence: number }) | undefined;
  parent: Node | undefined;
  children: Node[];
}

const newNode = (): Node => ({ message: undefined, parent: undefined, children: [] });

function unlink(node: Node): void {
  if (node.parent !== undefined) node.parent.children = node.parent.children.filter((child) => child !== node);
  node.parent = undefined;
}

function link(parent: Node, child: Node): void {
  for (let above: Node | undefined = parent; above !== undefined; above = above.parent) if (above === child) return;
  parent.children.push(child);
  child.parent = parent;
}

function hang(root: Node, node: Node): void {
  unlink(node);
  root.children.push(node);
  node.parent = root;
}

const headOf = (node: Node): Message & { sequence: number } => node.message ?? node.children[0]!.message!;
const byDate = (a: Node, b: Node) => headOf(a).sentAt - headOf(b).sentAt || headOf(a).sequence - headOf(b).sequence;

function naiveThreads(messages: readonly Message[]): string {
  const all: Node[] = [];
  const byId = new Map<number, Node>();
  const add = () => {
    all.push(newNode());
    return all.at(-1)!;
  };
  const ofId = (id: number) => {
    if (!byId.has(id)) byId.set(id, add());
    return byId.get(id)!;
  };
  for (const [at, message] of messages.entries()) {
    let node = message.id === 0 ? add() : ofId(message.id);
    if (node.message !== undefined) node = add();
    node.message = { ...message, sequence: at + 1 };
    let previous: Node | undefined;
    for (const id of message.references) {
      const next = ofId(id);
      if (previous !== undefined && next.parent === undefined) link(previous, next);
      previous = next;
    }
    unlink(node);
    if (previous !== undefined) link(previous, node);
  }
  // (2), (3)
  const root = newNode();
  for (const node of all) if (node.parent === undefined) hang(root, node);
  const prune = (node: Node) => {
    for (const child of [...node.children]) {
      prune(child);
      if (child.message !== undefined) continue;
      if (child.children.length === 0) unlink(child);
      else if (node !== root || child.children.length === 1) {
        for (const grandchild of [...child.children]) hang(node, grandchild);
        unlink(child);
      }
    }
  };
  prune(root);
  // (4)
  for (const node of root.children) if (node.message === undefined) node.children.sort(byDate);
  root.children.sort(byDate);
  // (5)
  const table = new Map<number, Node>();
  for (const node of root.children) {
    const { subject } = headOf(node);
    if (subject === 1) continue;
    const known = table.get(subject);
    const replaces =
      known === undefined ||
      (known.message !== undefined && (node.message === undefined || (known.message.isReply && !node.message.isReply)));
    if (replaces) table.set(subject, node);
  }
  for (const node of [...root.children]) {
    const { subject } = headOf(node);
    const known = table.get(subject);
    if (subject === 1 || known === undefined || known === node) continue;
    if (known.message === undefined && node.message === undefined) {
      for (const child of [...node.children]) hang(known, child);
      unlink(node);
    } else if (known.message === undefined) hang(known, node);
    else if (node.message!.isReply && !known.message.isReply) hang(known, node);
    else {
      const dummy = newNode();
      hang(root, dummy);
      hang(dummy, known);
      hang(dummy, node);
      table.set(subject, dummy);
    }
  }
  // (6)
  const sort = (node: Node) => {
    for (const child of node.children) sort(child);
    node.children.sort(byDate);
  };
  sort(root);
  const format = (node: Node): string => {
    const own = node.message === undefined ? [] : [String(node.message.sequence)];
    if (node.children.length === 1) return [...own, format(node.children[0]!)].join(' ');
    return [...own, ...(node.children.length > 1 ? [node.children.map((child) => `(${format(child)})`).join('')] : [])].join(' ');
  };
  return root.children.map((node) => `(${format(node)})`).join('');
}

function factsOf(messages: readonly Message[]): ThreadFacts {
  const starts = new Uint32Array(messages.length + 1);
  for (const [at, { references }] of messages.entries()) starts[at + 1] = starts[at]! + references.length;
  return {
    count: messages.length,
    byDate: orderBy(messages.length, [{ values: messages.map(({ sentAt }) => sentAt), isReverse: false }]),
    subjects: Uint32Array.from(messages, ({ subject }) => subject),
    isReplyOrForward: Uint8Array.from(messages, ({ isReply }) => (isReply ? 1 : 0)),
    own: Uint32Array.from(messages, ({ id }) => id),
    references: { starts, numbers: Uint32Array.from(messages.flatMap(({ references }) => references)) },
    idsEnd: 100,
  };
}

function written(forest: ReturnType<typeof threadByReferences>): string {
  const out = new ByteWriter();
  writeThreads(out, forest, (row) => row + 1);
  return out
    .toBuffer()
    .toString('latin1')
    .replace(/^\* THREAD ?/, '')
    .trim();
}

const messages = fc.array(
  fc.record({
    id: fc.integer({ min: 0, max: 12 }),
    references: fc.array(fc.integer({ min: 1, max: 14 }), { maxLength: 4 }),
    subject: fc.integer({ min: 1, max: 5 }),
    isReply: fc.boolean(),
    sentAt: fc.integer({ min: 0, max: 6 }),
  }),
  { maxLength: 14 },
);

describe('THREAD', () => {
  it('REFERENCES gives what the six steps of RFC 5256 give', () => {
    fc.assert(
      fc.property(messages, (list) => {
        expect(written(threadByReferences(factsOf(list)))).toBe(naiveThreads(list));
      }),
      { numRuns: 20_000 },
    );
  });

  it('ORDEREDSUBJECT names each message once, threads and their messages in the order of their dates', () => {
    fc.assert(
      fc.property(messages, (list) => {
        const groups = new Map<number, number[]>();
        const order = [...list.keys()].sort((a, b) => list[a]!.sentAt - list[b]!.sentAt || a - b);
        for (const at of order) groups.set(list[at]!.subject, [...(groups.get(list[at]!.subject) ?? []), at + 1]);
        const want = [...groups.values()].map(([first, ...rest]) =>
          rest.length > 1 ? `(${first} ${rest.map((number) => `(${number})`).join('')})` : `(${[first, ...rest].join(' ')})`,
        );
        expect(written(threadBySubject(factsOf(list)))).toBe(want.join(''));
      }),
    );
  });

  it('takes a thread of 50,000 levels, first message last, without recursion and in time', () => {
    const list = Array.from({ length: 50_000 }, (_, at) => ({
      id: 50_000 - at,
      references: at === 49_999 ? [] : [49_999 - at],
      subject: 2,
      isReply: at !== 49_999,
      sentAt: 50_000 - at,
    }));
    const text = written(threadByReferences({ ...factsOf(list), idsEnd: 50_001 }));
    expect(text.startsWith('(50000 49999 49998')).toBe(true);
    expect(text.endsWith(' 2 1)')).toBe(true);
  });

  it('writes the examples of RFC 5256 §4', () => {
    const at = (sentAt: number, id: number, references: number[]) => ({ id, references, subject: 1, isReply: false, sentAt });
    expect(written(threadByReferences(factsOf([at(1, 1, []), at(2, 2, [1]), at(3, 3, [2]), at(4, 4, [2])])))).toBe('(1 2 (3)(4))');
    expect(written(threadByReferences(factsOf([at(1, 3, [9]), at(2, 5, [9])])))).toBe('((1)(2))');
    expect(written(threadByReferences(factsOf([])))).toBe('');
  });
});
