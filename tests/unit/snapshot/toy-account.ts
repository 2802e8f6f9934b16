/**
 * An account small enough to see through: items, blobs, and tombstones that hold blobs, in a memory store under a clock that is moved by hand.
 * Commits use two of the log's changes: `object.put` and `object.remove` of types `item` and `blob`.
 */
import { hash } from 'node:crypto';
import { StorageError } from '../../../protocol/mail/errors.ts';
import type { ModSeq } from '../../../protocol/mail/ids.ts';
import { MemoryBlobCache } from '../../../storage/blobs/blob-cache.ts';
import { BlobStore } from '../../../storage/blobs/blob-store.ts';
import type { Clock } from '../../../storage/clock.ts';
import { encodeCommit } from '../../../storage/log/commit-codec.ts';
import type { PartSource, Position, RestoredPart, StateView } from '../../../storage/log/machine.ts';
import type { BlobRef, Change, Commit } from '../../../storage/log/record.ts';
import { MemoryStore } from '../../../storage/objects/memory.ts';
import { accountPrefix, logKey } from '../../../storage/objects/object-keys.ts';
import type { ObjectStore } from '../../../storage/objects/object-store.ts';
import type { Random } from '../../../storage/random.ts';
import { type SnapshotOptions, type SnapshotResult, writeSnapshot } from '../../../storage/snapshot/writer.ts';

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

/** Stands still until it is moved or slept on. */
export class ManualClock implements Clock {
  wall = Date.UTC(2026, 10, 1);
  mono = 5_000;

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.mono;
  }

  async sleep(ms: number): Promise<void> {
    this.pass(ms);
  }

  pass(ms: number): void {
    this.wall += ms;
    this.mono += ms;
  }
}

export class CountingRandom implements Random {
  #next = 0;

  hex(count: number): string {
    this.#next++;
    return this.#next.toString(16).padStart(count * 2, '0');
  }

  fraction(): number {
    return 0.5;
  }
}

type Row = readonly [key: string, value: unknown];
type Kind = 'item' | 'blob' | 'tombstone';

const rangeSize = 10;
const start: Position = { seq: 0, hash: '', at: 0 };

/** Ids are numbers in text, so that ranges of ten make parts. */
export class ToyMachine {
  position = start;
  rows: Record<Kind, Map<string, unknown>> = { item: new Map(), blob: new Map(), tombstone: new Map() };
  changedAt = new Map<string, number>();
  viewsOpen = 0;
  partsRestored = 0;

  apply(commit: Commit, commitHash: string): readonly never[] {
    if (commit.seq !== this.position.seq + 1 || commit.prev !== this.position.hash)
      throw new StorageError('corrupt', `commit ${commit.seq} does not follow ${this.position.seq}`);
    for (const { changes } of commit.mutations) for (const change of changes) this.#change(commit.seq, change);
    for (const [id, value] of this.rows.tombstone) {
      if ((value as { at: number }).at >= commit.at - 30 * dayMs) continue;
      this.rows.tombstone.delete(id);
      this.#touch('tombstone', id, commit.seq);
    }
    this.position = { seq: commit.seq, hash: commitHash, at: commit.at };
    return [];
  }

  #change(seq: number, change: Change): void {
    if (change.do === 'object.put') {
      this.rows[change.type as Kind].set(change.id, change.value);
      this.#touch(change.type as Kind, change.id, seq);
    } else if (change.do === 'object.remove') {
      const kind = change.type as Kind;
      if (kind === 'blob') {
        this.rows.tombstone.set(change.id, { at: this.position.at, ref: this.rows.blob.get(change.id) });
        this.#touch('tombstone', change.id, seq);
      }
      this.rows[kind].delete(change.id);
      this.#touch(kind, change.id, seq);
    }
  }

  #touch(kind: Kind, id: string, seq: number): void {
    this.changedAt.set(`${kind} ${rangeOf(id)}`, seq);
  }

  async reset(): Promise<void> {
    this.position = start;
    this.rows = { item: new Map(), blob: new Map(), tombstone: new Map() };
    this.changedAt.clear();
  }

  view(): StateView {
    this.viewsOpen++;
    const { position } = this;
    const rows = structuredClone(this.rows);
    const changedAt = new Map(this.changedAt);
    return {
      position,
      *parts(): Generator<PartSource> {
        for (const [name, seq] of [...changedAt].sort(([a], [b]) => (a < b ? -1 : 1))) {
          const [kind, range] = name.split(' ') as [Kind, string];
          const inRange = [...rows[kind]].filter(([id]) => rangeOf(id) === Number(range)).sort(([a], [b]) => Number(a) - Number(b));
          yield { kind, range: Number(range), changedAt: seq, lines: () => inRange.map((row) => JSON.stringify(row)) };
        }
      },
      *blobs(): Generator<BlobRef> {
        for (const ref of rows.blob.values()) yield ref as BlobRef;
        for (const tombstone of rows.tombstone.values()) yield (tombstone as { ref: BlobRef }).ref;
      },
      release: () => {
        this.viewsOpen--;
      },
    };
  }

  async restore(position: Position, parts: AsyncIterable<RestoredPart>): Promise<void> {
    await this.reset();
    for await (const { kind, range, lines } of parts) {
      this.partsRestored++;
      for (const [id, value] of lines as Row[]) this.rows[kind as Kind].set(id, value);
      this.changedAt.set(`${kind} ${range}`, position.seq);
    }
    this.position = position;
  }

  /** What a reader would see. */
  contents(): unknown {
    const sorted = (kind: Kind) => [...this.rows[kind]].sort(([a], [b]) => Number(a) - Number(b));
    return { position: this.position, item: sorted('item'), blob: sorted('blob'), tombstone: sorted('tombstone') };
  }
}

function rangeOf(id: string): number {
  return Math.floor(Number(id) / rangeSize);
}

export const putItem = (id: number, value: unknown): Change => ({ do: 'object.put', type: 'item', id: String(id), value });
export const putBlob = (id: number, ref: BlobRef): Change => ({ do: 'object.put', type: 'blob', id: String(id), value: ref });
export const removeBlob = (id: number): Change => ({ do: 'object.remove', type: 'blob', id: String(id) });

export class ToyAccount {
  readonly id = 'a1b2';
  readonly clock = new ManualClock();
  readonly random = new CountingRandom();
  readonly store = new MemoryStore({ clock: this.clock });
  readonly machine = new ToyMachine();
  readonly blobs = new BlobStore({
    store: this.store,
    accountId: this.id,
    clock: this.clock,
    random: this.random,
    cache: new MemoryBlobCache({ bytesMax: 0 }),
  });

  async commit(...changes: Change[]): Promise<number> {
    const { commit, bytes, commitHash } = this.encode(this.machine.position, changes);
    await this.store.putIfAbsent(logKey(this.id, commit.seq), bytes);
    this.machine.apply(commit, commitHash);
    return commit.seq;
  }

  /** The commit after `after`, not written. */
  encode(after: Position, changes: readonly Change[]): { commit: Commit; bytes: Buffer; commitHash: string } {
    const seq = after.seq + 1;
    const mutations = [{ modSeq: seq as ModSeq, changes }];
    const commit: Commit = { seq, id: this.random.hex(8), prev: after.hash, at: this.clock.now(), by: 'node-1', mutations };
    const encoded = encodeCommit(this.id, commit);
    return { commit, bytes: encoded.bytes, commitHash: encoded.hash };
  }

  /** Uploads a blob and commits it under `id`. */
  async addBlob(id: number, text: string): Promise<BlobRef> {
    const { ref } = await this.blobs.put(Buffer.from(text));
    await this.commit(putBlob(id, ref));
    return ref;
  }

  snapshot(options: Partial<SnapshotOptions> = {}): Promise<SnapshotResult> {
    const { store, id: accountId, clock, random } = this;
    return writeSnapshot(this.machine.view(), { store, accountId, clock, random, by: 'node-1', ...options });
  }

  /** Names in the account, of one kind. */
  async names(kind: 'log' | 'manifest' | 'part' | 'raw', store: ObjectStore = this.store): Promise<string[]> {
    const prefix = accountPrefix(this.id);
    const names: string[] = [];
    for await (const { key } of store.list(`${prefix}${kind}/`)) names.push(key.slice(prefix.length));
    return names;
  }

  async numbers(kind: 'log' | 'manifest'): Promise<number[]> {
    return (await this.names(kind)).map((name) => Number.parseInt(name.slice(kind.length + 1), 10));
  }

  key(name: string): string {
    return `${accountPrefix(this.id)}${name}`;
  }

  async remove(name: string): Promise<void> {
    await this.store.deleteMany([this.key(name)]);
  }

  /** Changes one bit in the middle of an object, as disks do. */
  async flip(name: string): Promise<void> {
    const { body } = await this.store.get(this.key(name));
    body[body.length >> 1]! ^= 1;
    await this.store.put(this.key(name), body);
  }
}

export const sha256 = (text: string): string => hash('sha256', text);
