/**
 * Writes a snapshot of one state: uploads the parts that changed since the newest manifest, takes the others from it by name, then puts the new
 * manifest if there is none of that number. It works beside everything else, in slices of one part.
 *
 * What keeps a manifest from naming a part that is being removed: it names only its own uploads and parts of a manifest that was the newest
 * less than an hour ago, counted from before the request that listed it, by whichever clock says most. A manifest, and so its parts, is kept
 * for 30 days after another supersedes it, so whatever happens in that hour, the parts stay. The age is looked at after the uploads and before
 * each attempt at the manifest's put; when half of it is over, the manifests are listed anew. Its own uploads are young when the manifest comes:
 * a snapshot that takes a day is given up.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { Clock } from '../clock.ts';
import type { PartSource, Position, StateView } from '../log/machine.ts';
import { type Moment, StoreTime } from '../log/store-time.ts';
import { accountPrefix, manifestKey, partKey } from '../objects/object-keys.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import type { Random } from '../random.ts';
import {
  baseNewestMsMax,
  manifestPutAttemptsMax,
  manifestPutPauseMs,
  partBytesTarget,
  partUploadsMax,
  snapshotWritingMsMax,
} from './limits.ts';
import {
  encodeManifest,
  isDamage,
  type ListedManifest,
  listManifests,
  type Manifest,
  type ManifestPart,
  readManifest,
} from './manifest.ts';
import { cutRecords, encodePart, hashOfLines, listPartSizes, partLines } from './part.ts';

/** The durations that the rules speak of. Only a simulation that shows what breaks without them gives others. */
export interface SnapshotRules {
  readonly baseNewestMsMax: number;
  readonly writingMsMax: number;
}

const snapshotRules: SnapshotRules = { baseNewestMsMax, writingMsMax: snapshotWritingMsMax };

export interface SnapshotOptions {
  /** May retry: all names but the manifest's are unique, and putIfAbsent is never retried inside. */
  readonly store: ObjectStore;
  readonly accountId: string;
  readonly clock: Clock;
  readonly random: Pick<Random, 'hex'>;
  /** The node. */
  readonly by: string;
  /** Parts (names in the account) that a load found damaged: uploaded anew, not taken over. */
  readonly distrusted?: ReadonlySet<string>;
  readonly signal?: AbortSignal;
  readonly partBytesTarget?: number;
  readonly rules?: Partial<SnapshotRules>;
}

/**
 * `written`: the manifest is in the store. `current`: there is a manifest of this state or a later one; nothing was written. `superseded`: the
 * manifest whose parts were to be taken over is not known to have been newest within the hour. `outOfTime`: it took more than a day. In the last
 * two nothing is wrong: the next snapshot begins anew, and what was uploaded is garbage.
 */
export type SnapshotOutcome = 'written' | 'current' | 'superseded' | 'outOfTime';

export interface SnapshotResult {
  readonly outcome: SnapshotOutcome;
  readonly position: Position;
  readonly partsUploaded: number;
  readonly partsReused: number;
  /** Compressed, without the manifest. */
  readonly bytesUploaded: number;
}

/** Takes over `view`, and releases it as soon as it is read. */
export async function writeSnapshot(view: StateView, options: SnapshotOptions): Promise<SnapshotResult> {
  return new SnapshotWriter(view, options).write();
}

interface Base {
  readonly seq: number;
  /** Undefined when it cannot be read: nothing is taken from it, then. */
  readonly manifest: Manifest | undefined;
}

class SnapshotWriter {
  readonly #view: StateView;
  readonly #options: SnapshotOptions;
  readonly #rules: SnapshotRules;
  readonly #position: Position;
  readonly #time: StoreTime;
  /** When the writing began. */
  #began: Moment | undefined;
  /** When the base was known to be the newest manifest. */
  #baseNewest: Moment | undefined;
  #base: Base | undefined;
  #isReleased = false;
  /** Of the base, by kind and range: those that may be taken over. */
  readonly #reusable = new Map<string, ManifestPart[]>();
  #partsUploaded = 0;
  #partsReused = 0;
  #bytesUploaded = 0;

  constructor(view: StateView, options: SnapshotOptions) {
    this.#view = view;
    this.#options = options;
    this.#rules = { ...snapshotRules, ...options.rules };
    this.#position = view.position;
    this.#time = new StoreTime(options.clock);
  }

  async write(): Promise<SnapshotResult> {
    let parts: ManifestPart[];
    try {
      if (this.#position.seq === 0 || !(await this.#readBase())) return this.#result('current');
      parts = await this.#writeParts();
    } finally {
      this.#release();
    }
    return this.#result(await this.#writeManifest(parts));
  }

  /** False when there is nothing to do. */
  async #readBase(): Promise<boolean> {
    const { store, accountId, distrusted } = this.#options;
    const newest = await this.#listNewest();
    if (newest === undefined) return true;
    if (newest.seq >= this.#position.seq) return false;
    const manifest = await readManifest(store, accountId, newest).catch(orUndefined);
    this.#base = { seq: newest.seq, manifest };
    if (manifest === undefined) return true;
    // A part may be gone though the state lives on (it was loaded from an older manifest): naming it again would hand the damage on.
    const sizes = await listPartSizes(store, accountId);
    const lost = new Set<string>();
    for (const part of manifest.parts) {
      const name = nameOf(part);
      const pieces = this.#reusable.get(name);
      if (pieces === undefined) this.#reusable.set(name, [part]);
      else pieces.push(part);
      if (sizes.get(part.object) !== part.bytes || distrusted?.has(part.object) === true) lost.add(name);
    }
    for (const name of lost) this.#reusable.delete(name);
    return true;
  }

  /** Lists the manifests, and counts from before the request. */
  async #listNewest(): Promise<ListedManifest | undefined> {
    const asked = this.#time.mark();
    const { manifests, date } = await listManifests(this.#options.store, this.#options.accountId);
    this.#time.sawDate(date);
    this.#baseNewest = { ...asked, store: date };
    this.#began ??= this.#baseNewest;
    return manifests.at(-1);
  }

  async #writeParts(): Promise<ManifestPart[]> {
    const { clock, signal } = this.#options;
    const named: (ManifestPart | Promise<ManifestPart>)[] = [];
    const uploads = new Set<Promise<unknown>>();
    try {
      for (const part of this.#view.parts()) {
        signal?.throwIfAborted();
        const reusable = this.#reusable.get(nameOf(part)) ?? [];
        if (this.#base !== undefined && reusable.length > 0 && part.changedAt <= this.#base.seq) {
          this.#partsReused += reusable.length;
          named.push(...reusable);
          continue;
        }
        for (const records of cutRecords(part.lines(), this.#options.partBytesTarget ?? partBytesTarget)) {
          while (uploads.size >= partUploadsMax) await Promise.race(uploads);
          const piece = this.#writePiece(part, records, reusable);
          named.push(piece);
          const upload = piece.finally(() => uploads.delete(upload));
          upload.catch(() => {});
          uploads.add(upload);
          await clock.sleep(0, signal);
        }
      }
    } finally {
      // The view is read: what is left is on its way to the store. After a failure nothing may go on behind the caller's back.
      this.#release();
      await Promise.allSettled(uploads);
    }
    return Promise.all(named);
  }

  async #writePiece(part: PartSource, records: readonly string[], reusable: readonly ManifestPart[]): Promise<ManifestPart> {
    const { store, accountId, random, signal } = this.#options;
    const lines = partLines(part, records);
    const contentHash = reusable.length > 0 ? hashOfLines(lines) : undefined;
    const same = reusable.find(({ sha256 }) => sha256 === contentHash);
    const { kind, range, changedAt } = part;
    if (same !== undefined) {
      this.#partsReused++;
      return { ...same, changedAt };
    }
    const { bytes, sha256 } = encodePart(accountId, this.#position.seq, lines);
    const key = partKey(accountId, sha256, random.hex(8));
    const { date } = await store.put(key, bytes, { signal });
    this.#time.sawDate(date);
    this.#partsUploaded++;
    this.#bytesUploaded += bytes.length;
    return { kind, range, object: key.slice(accountPrefix(accountId).length), sha256, bytes: bytes.length, changedAt };
  }

  async #writeManifest(parts: readonly ManifestPart[]): Promise<SnapshotOutcome> {
    const { store, accountId, clock, by, signal } = this.#options;
    const key = manifestKey(accountId, this.#position.seq);
    const bytes = encodeManifest(accountId, { position: this.#position, createdAt: clock.now(), by, parts });
    for (let attempt = 1; ; attempt++) {
      const obstacle = await this.#obstacle();
      if (obstacle !== undefined) return obstacle;
      try {
        const { outcome } = await store.putIfAbsent(key, bytes, { signal });
        return outcome === 'created' || (await this.#isOurs(key, bytes)) ? 'written' : 'current';
      } catch (error) {
        // The outcome is unknown: the same bytes again. When the first attempt had succeeded, the number is taken by ourselves.
        if (!(error instanceof StorageError) || error.code !== 'unavailable' || attempt >= manifestPutAttemptsMax) throw error;
        await clock.sleep(manifestPutPauseMs * 2 ** (attempt - 1), signal);
      }
    }
  }

  /** Why the manifest must not be put now. */
  async #obstacle(): Promise<SnapshotOutcome | undefined> {
    if (this.#time.ageMs(this.#began!) >= this.#rules.writingMsMax) return 'outOfTime';
    if (this.#partsReused === 0) return undefined;
    if (this.#time.ageMs(this.#baseNewest!) >= this.#rules.baseNewestMsMax / 2) {
      const newest = await this.#listNewest();
      if (newest?.seq !== this.#base?.seq) return newest !== undefined && newest.seq >= this.#position.seq ? 'current' : 'superseded';
    }
    return this.#time.ageMs(this.#baseNewest!) >= this.#rules.baseNewestMsMax ? 'superseded' : undefined;
  }

  async #isOurs(key: string, bytes: Buffer): Promise<boolean> {
    return (await this.#options.store.get(key)).body.equals(bytes);
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#view.release();
  }

  #result(outcome: SnapshotOutcome): SnapshotResult {
    return {
      outcome,
      position: this.#position,
      partsUploaded: this.#partsUploaded,
      partsReused: this.#partsReused,
      bytesUploaded: this.#bytesUploaded,
    };
  }
}

function nameOf(part: Pick<PartSource, 'kind' | 'range'>): string {
  return `${part.kind} ${part.range}`;
}

function orUndefined(error: unknown): undefined {
  if (!isDamage(error)) throw error;
}
