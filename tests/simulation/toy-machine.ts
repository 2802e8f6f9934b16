/**
 * A state machine that can be seen through: numbered items, some with a blob, tombstones that hold the blobs of removed ones for 30 days, and the
 * token of every mutation that ever came true. In the log's terms all of it is `object.put` and `object.remove`.
 */
import { MailError, StorageError } from '../../protocol/mail/errors.ts';
import type { ModSeq } from '../../protocol/mail/ids.ts';
import type { Attempt, Outcome, PartSource, Position, RestoredPart, StateMachine, StateView } from '../../storage/log/machine.ts';
import type { BlobRef, Change, Commit } from '../../storage/log/record.ts';
import { dayMs } from './world.ts';

export interface ToyItem {
  readonly blob?: BlobRef;
  readonly touches: number;
}

interface Tombstone {
  readonly blob: BlobRef;
  readonly at: number;
}

interface State {
  position: Position;
  modSeq: number;
  nextItem: number;
  items: Map<string, ToyItem>;
  tombstones: Map<string, Tombstone>;
  tokens: Map<string, number>;
  /** Seq of the last change, by kind and range. */
  changedAt: Map<string, number>;
}

export interface ToyTx {
  /** Number of the next item. */
  readonly nextItem: number;
  readonly items: ReadonlyMap<string, ToyItem>;
  put(type: 'item' | 'token', id: string, value: unknown): void;
  remove(type: 'item', id: string): void;
}

const rangeSize = 20;

function emptyState(): State {
  return {
    position: { seq: 0, hash: '', at: 0 },
    modSeq: 0,
    nextItem: 1,
    items: new Map(),
    tombstones: new Map(),
    tokens: new Map(),
    changedAt: new Map(),
  };
}

/** Values are never changed in place. */
function copyOf(state: State): State {
  const { items, tombstones, tokens, changedAt } = state;
  return { ...state, items: new Map(items), tombstones: new Map(tombstones), tokens: new Map(tokens), changedAt: new Map(changedAt) };
}

export type ToyDisk = State;

export interface ToyOptions {
  /** The index fails now and then, when this says so. */
  readonly fails?: () => boolean;
  readonly checksPrev?: boolean;
  readonly disk?: ToyDisk;
}

export class ToyMachine implements StateMachine<ToyTx, string> {
  #state: State;
  readonly #options: ToyOptions;

  constructor(options: ToyOptions = {}) {
    this.#options = options;
    this.#state = options.disk === undefined ? emptyState() : copyOf(options.disk);
  }

  get position(): Position {
    return this.#state.position;
  }

  get items(): ReadonlyMap<string, ToyItem> {
    return this.#state.items;
  }

  /** What a disk would hold. */
  dump(): ToyDisk {
    return copyOf(this.#state);
  }

  /** All of the state in one text: equal for equal states. */
  contents(): string {
    const { position, modSeq, nextItem, items, tombstones, tokens } = this.#state;
    const sorted = (map: ReadonlyMap<string, unknown>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
    return JSON.stringify({ position, modSeq, nextItem, items: sorted(items), tombstones: sorted(tombstones), tokens: sorted(tokens) });
  }

  *living(): Iterable<BlobRef> {
    for (const { blob } of this.#state.items.values()) if (blob !== undefined) yield blob;
  }

  begin(): ToyAttempt {
    return new ToyAttempt(copyOf(this.#state));
  }

  settle(_attempt: Attempt<ToyTx>, commit: Commit, hash: string): readonly string[] {
    if (this.#options.fails?.() === true) throw new Error('the index failed');
    return this.apply(commit, hash);
  }

  apply(commit: Commit, hash: string): readonly string[] {
    const { position } = this.#state;
    if (commit.seq !== position.seq + 1 || (this.#options.checksPrev !== false && commit.prev !== position.hash))
      throw new StorageError('corrupt', `commit ${commit.seq} does not follow ${position.seq}`);
    const state = this.#state;
    const effects: string[] = [];
    for (const { modSeq, changes } of commit.mutations) {
      state.modSeq = modSeq;
      for (const change of changes) effects.push(applyChange(state, change, commit.seq, commit.at));
    }
    for (const [id, { at }] of state.tombstones) {
      if (at >= commit.at - 30 * dayMs) continue;
      state.tombstones.delete(id);
      touch(state, 'tombstone', id, commit.seq);
    }
    state.position = { seq: commit.seq, hash, at: commit.at };
    return effects;
  }

  async reset(): Promise<void> {
    this.#state = emptyState();
  }

  view(): StateView {
    const state = copyOf(this.#state);
    const kinds = { item: state.items, tombstone: state.tombstones, token: state.tokens };
    return {
      position: state.position,
      *parts(): Generator<PartSource> {
        const meta = JSON.stringify([state.modSeq, state.nextItem]);
        yield { kind: 'meta', range: 0, changedAt: state.position.seq, lines: () => [meta] };
        for (const [name, changedAt] of [...state.changedAt].sort(([a], [b]) => (a < b ? -1 : 1))) {
          const [kind, range] = name.split(' ') as [keyof typeof kinds, string];
          const records = [...kinds[kind]].filter(([id]) => rangeOf(id) === Number(range)).sort(([a], [b]) => (a < b ? -1 : 1));
          yield { kind, range: Number(range), changedAt, lines: () => records.map((record) => JSON.stringify(record)) };
        }
      },
      *blobs(): Generator<BlobRef> {
        for (const { blob } of state.items.values()) if (blob !== undefined) yield blob;
        for (const { blob } of state.tombstones.values()) yield blob;
      },
      release() {},
    };
  }

  async restore(position: Position, parts: AsyncIterable<RestoredPart>): Promise<void> {
    const state = emptyState();
    this.#state = emptyState();
    for await (const { kind, range, lines } of parts) {
      if (kind === 'meta') {
        [state.modSeq, state.nextItem] = lines[0] as [number, number];
        continue;
      }
      const map = (kind === 'item' ? state.items : kind === 'tombstone' ? state.tombstones : state.tokens) as Map<string, unknown>;
      for (const [id, value] of lines as [string, unknown][]) map.set(id, value);
      state.changedAt.set(`${kind} ${range}`, position.seq);
    }
    state.position = position;
    this.#state = state;
  }
}

class ToyAttempt implements Attempt<ToyTx> {
  #state: State;
  #before: State | undefined;

  constructor(state: State) {
    this.#state = state;
  }

  run<T>(mutation: (tx: ToyTx) => T): Outcome<T> {
    const changes: Change[] = [];
    const { items, nextItem } = this.#state;
    const tx: ToyTx = {
      items,
      nextItem,
      put: (type, id, value) => changes.push({ do: 'object.put', type, id, value }),
      remove: (type, id) => {
        if (!items.has(id)) throw new MailError('notFound', `no item ${id}`);
        changes.push({ do: 'object.remove', type, id });
      },
    };
    let value: T;
    try {
      value = mutation(tx);
    } catch (error) {
      return { kind: 'refused', error };
    }
    if (changes.length === 0) return { kind: 'unchanged', value };
    this.#before = this.#state;
    this.#state = copyOf(this.#state);
    this.#state.modSeq += 1;
    for (const change of changes) applyChange(this.#state, change, 0, 0);
    const done = { modSeq: this.#state.modSeq as ModSeq, changes };
    return { kind: 'changed', value, mutation: done, bytes: JSON.stringify(done).length };
  }

  undoLast(): void {
    this.#state = this.#before!;
  }
}

function applyChange(state: State, change: Change, seq: number, at: number): string {
  if (change.do === 'object.put' && change.type === 'item') {
    state.items.set(change.id, change.value as ToyItem);
    state.nextItem = Math.max(state.nextItem, Number(change.id) + 1);
    touch(state, 'item', change.id, seq);
  } else if (change.do === 'object.put') {
    state.tokens.set(change.id, change.value as number);
    touch(state, 'token', change.id, seq);
  } else if (change.do === 'object.remove') {
    const blob = state.items.get(change.id)?.blob;
    state.items.delete(change.id);
    touch(state, 'item', change.id, seq);
    if (blob !== undefined) {
      state.tombstones.set(change.id, { blob, at });
      touch(state, 'tombstone', change.id, seq);
    }
  }
  return change.do;
}

function touch(state: State, kind: string, id: string, seq: number): void {
  state.changedAt.set(`${kind} ${rangeOf(id)}`, seq);
}

/** Ids are numbers, tokens `T<number>`. */
function rangeOf(id: string): number {
  return Math.floor(Number(id.replace('T', '')) / rangeSize);
}
