/**
 * Removes an account's garbage: manifests and log that have had their time (retention.ts), parts that no kept manifest names, raw objects that
 * neither the state, nor the kept manifests and log name. What is dead stays dead: a commit or manifest may name only what lives or what was
 * uploaded a short while ago, so an object that nothing named after it was listed, and that was old then, will never be named again.
 *
 * The order matters: list first, then read what is named. Whatever was named between the two was either young when it was listed, or named by
 * what is read. All ages are the store's. An account that is not whole (a gap in the log, a state that is not the log's) is left alone.
 */
import type { Clock } from '../clock.ts';
import { fetchAhead } from '../log/fetch-ahead.ts';
import type { Position, StateView } from '../log/machine.ts';
import { decodeObject } from '../log/object-codec.ts';
import { type Moment, StoreTime } from '../log/store-time.ts';
import { logKey } from '../objects/object-keys.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { type AccountListing, type ListedNumber, listAccount } from './account-listing.ts';
import { fetchesAheadMax, removalsPerRequest, scrubListedMsMax } from './limits.ts';
import { isDamage, type Manifest, type ManifestPart, readManifest } from './manifest.ts';
import { decodePart, partKeyOf } from './part.ts';
import { firstGap, judge, type ManifestToJudge, type Retention, type RetentionRules, retentionRules } from './retention.ts';

/** What the scrubber holds to. Only a simulation that shows what breaks without a rule gives others. */
export interface ScrubRules extends RetentionRules {
  readonly listsFirst: boolean;
  readonly readsLog: boolean;
  readonly readsManifests: boolean;
}

const scrubRules: ScrubRules = { ...retentionRules, listsFirst: true, readsLog: true, readsManifests: true };

export interface Removal {
  readonly kind: 'manifest' | 'log' | 'part' | 'raw';
  readonly key: string;
  readonly size: number;
  /** By the store's clock. */
  readonly lastModified: number;
}

export interface ScrubOptions {
  readonly store: ObjectStore;
  readonly accountId: string;
  readonly clock: Clock;
  /**
   * Called after the listing: the state as it is then, at a commit that was written since the call (Log.fence), so that no put under way on an
   * older state can still name what is removed here. The scrubber releases it.
   */
  readonly view: () => Promise<StateView>;
  /** Kinds of parts that name no blobs, which need not be read. */
  readonly kindsWithoutBlobs?: ReadonlySet<string>;
  /** Removes nothing, and says what it would remove. */
  readonly isDryRun?: boolean;
  /** Told of each object, before its removal is asked for. */
  readonly onRemoval?: (removal: Removal) => void;
  readonly signal?: AbortSignal;
  readonly rules?: Partial<ScrubRules>;
}

export interface ObjectCounts {
  readonly objects: number;
  readonly bytes: number;
}

export interface ScrubReport {
  readonly accountId: string;
  /** The store's Date as of the listing: what ages are counted to. */
  readonly date: number;
  readonly isDryRun: boolean;
  /** What was removed, or in a dry run would have been. */
  readonly removed: Readonly<Record<Removal['kind'], ObjectCounts>>;
  /** Sentences: why something was left that may be garbage. */
  readonly withheld: readonly string[];
}

/** Blobs noted before others get a turn. */
const blobsPerTurn = 10_000;

export async function scrubAccount(options: ScrubOptions): Promise<ScrubReport> {
  const scrub = new Scrub(options);
  return scrub.run();
}

class Scrub {
  readonly #options: ScrubOptions;
  readonly #rules: ScrubRules;
  readonly #withheld: string[] = [];
  readonly #time: StoreTime;
  /** When the listing was asked for. */
  #listed: Moment | undefined;

  constructor(options: ScrubOptions) {
    this.#options = options;
    this.#time = new StoreTime(options.clock);
    this.#rules = { ...scrubRules, ...options.rules };
  }

  async run(): Promise<ScrubReport> {
    const { store, accountId, signal } = this.#options;
    const began = this.#time.mark();
    let listing: AccountListing;
    let view: StateView;
    if (this.#rules.listsFirst) {
      listing = await listAccount(store, accountId, signal);
      view = await this.#options.view();
    } else {
      view = await this.#options.view();
      listing = await listAccount(store, accountId, signal);
    }
    this.#listed = { ...began, store: listing.date };
    this.#time.sawDate(listing.date);
    let removals: Removal[];
    try {
      removals = await this.#findGarbage(listing, view);
    } finally {
      view.release();
    }
    await this.#remove(removals);
    return this.#report(listing.date, removals);
  }

  async #findGarbage(listing: AccountListing, view: StateView): Promise<Removal[]> {
    const manifests = await this.#readManifests(listing);
    const retention = judge({ ...listing, manifests }, this.#rules);
    const obstacle = await this.#obstacle(listing, manifests, retention, view.position);
    if (obstacle !== undefined) {
      this.#withheld.push(obstacle);
      return [];
    }
    const kept = manifests.filter((manifest) => retention.manifestsKept.includes(manifest));
    const before = listing.date - this.#rules.garbageAgeMsMin + 1;
    const blobs = await this.#unnamedBlobs(listing, kept, retention, view, before);
    return [
      ...retention.manifestsRemoved.map((manifest) => removal('manifest', manifest)),
      // What is held in a log object (a message, a tombstone, an upload) holds the object.
      ...retention.logRemoved.filter(({ seq }) => !listing.blobs.holdsLog(seq)).map((commit) => removal('log', commit)),
      ...this.#unnamedParts(listing, kept, before),
      ...blobs,
    ];
  }

  async #readManifests(listing: AccountListing): Promise<ReadManifest[]> {
    const { store, accountId } = this.#options;
    const read: ReadManifest[] = [];
    const manifests = fetchAhead(listing.manifests, fetchesAheadMax, (listed) => readManifest(store, accountId, listed).catch(orUndefined));
    for await (const manifest of manifests) {
      const isUsable = manifest?.parts.every(({ object, bytes }) => listing.parts.get(object)?.size === bytes) ?? false;
      read.push({ ...listing.manifests[read.length]!, manifest, isUsable });
    }
    return read;
  }

  /** Why nothing of this account may be removed. */
  async #obstacle(
    { log }: AccountListing,
    manifests: readonly ReadManifest[],
    { manifestsKept }: Retention,
    position: Position,
  ): Promise<string | undefined> {
    if (position.seq === 0) return 'The account has no commits: what lies under its name may be all that is left of it.';
    const oldestKept = manifestsKept.find(({ isUsable }) => isUsable)?.seq ?? 0;
    const newest = manifests.at(-1)?.seq ?? 0;
    const gap = firstGap(log, oldestKept, newest);
    if (gap !== undefined) return `The log lacks commit ${gap}.`;
    const tail = Math.max(log.at(-1)?.seq ?? 0, newest);
    if (position.seq < tail) return `The state given is at commit ${position.seq}, behind the log's ${tail}.`;
    const hash = await this.#hashAt(position.seq, manifests);
    if (this.#time.ageMs(this.#listed!) >= scrubListedMsMax)
      return 'It is more than a day since the account was listed: what was kept since may name what nothing named then.';
    if (hash === undefined) return `Neither a commit nor a manifest ${position.seq} is there to check the state against.`;
    return hash === position.hash ? undefined : `The state given at commit ${position.seq} is not the log's.`;
  }

  async #hashAt(seq: number, manifests: readonly ReadManifest[]): Promise<string | undefined> {
    const { store, accountId } = this.#options;
    const key = logKey(accountId, seq);
    try {
      const { body, date } = await store.get(key);
      this.#time.sawDate(date);
      return decodeObject(key, body, { kind: 'commit', account: accountId, seq }).header.sha256;
    } catch (error) {
      if (!isDamage(error)) throw error;
      return manifests.find((manifest) => manifest.seq === seq)?.manifest?.position.hash;
    }
  }

  #unnamedParts({ parts }: AccountListing, kept: readonly ReadManifest[], before: number): Removal[] {
    const unreadable = kept.find(({ manifest }) => manifest === undefined);
    if (unreadable !== undefined) {
      this.#withheld.push(`Parts are left: ${unreadable.key} cannot be read, and may name them.`);
      return [];
    }
    const named = new Set(kept.flatMap(({ manifest }) => manifest!.parts.map(({ object }) => object)));
    const unnamed: Removal[] = [];
    for (const [object, info] of parts) if (info.lastModified < before && !named.has(object)) unnamed.push(removal('part', info));
    return unnamed;
  }

  /** Reads the kept log and manifests only when the state leaves something unnamed, which is seldom. */
  async #unnamedBlobs(
    { blobs, log }: AccountListing,
    kept: readonly ReadManifest[],
    { logRemoved }: Retention,
    view: StateView,
    before: number,
  ): Promise<Removal[]> {
    let noted = 0;
    for (const { object } of view.blobs()) {
      blobs.name(object);
      if (++noted % blobsPerTurn === 0) await this.#options.clock.sleep(0, this.#options.signal);
    }
    const hasUnnamed = () => blobs.unnamed(before).next().done !== true;
    try {
      if (this.#rules.readsLog && hasUnnamed()) await this.#nameByLog(log, logRemoved, blobs);
      if (this.#rules.readsManifests && hasUnnamed()) await this.#nameByManifests(kept, blobs);
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#withheld.push(`Raw objects are left: ${error.message}, and may name them.`);
      return [];
    }
    return Array.from(blobs.unnamed(before), (info) => removal('raw', info));
  }

  async #nameByLog(log: readonly ListedNumber[], logRemoved: readonly ListedNumber[], blobs: AccountListing['blobs']): Promise<void> {
    const { store, accountId, signal } = this.#options;
    const removed = new Set(logRemoved);
    const kept = log.filter((commit) => !removed.has(commit));
    const bodies = fetchAhead(kept, fetchesAheadMax, async ({ key, seq }) => ({ key, seq, ...(await store.get(key, { signal })) }));
    for await (const { key, seq, body } of bodies) {
      for (const line of decodeObject(key, body, { kind: 'commit', account: accountId, seq }).lines) blobs.nameAllIn(line);
    }
  }

  async #nameByManifests(kept: readonly ReadManifest[], blobs: AccountListing['blobs']): Promise<void> {
    const { store, accountId, kindsWithoutBlobs, signal } = this.#options;
    const parts = new Map<string, ManifestPart>();
    for (const { manifest, isUsable } of kept) {
      if (!isUsable) continue;
      for (const part of manifest!.parts) if (kindsWithoutBlobs?.has(part.kind) !== true) parts.set(part.object, part);
    }
    const bodies = fetchAhead(parts.values(), fetchesAheadMax, async (part) => {
      const key = partKeyOf(accountId, part);
      return { key, part, ...(await store.get(key, { signal })) };
    });
    for await (const { key, part, body } of bodies) {
      for (const line of decodePart(key, body, accountId, part).lines) blobs.nameAllIn(line);
    }
  }

  /** What refers goes before what it refers to, and the log from its beginning: a crash halfway leaves nothing dangling and no gap. */
  async #remove(removals: readonly Removal[]): Promise<void> {
    const { store, isDryRun, onRemoval, signal } = this.#options;
    for (let from = 0; from < removals.length; ) {
      const { kind } = removals[from]!;
      const batch = removals.slice(from, from + removalsPerRequest).filter((candidate) => candidate.kind === kind);
      from += batch.length;
      for (const candidate of batch) onRemoval?.(candidate);
      if (isDryRun === true) continue;
      const keys = batch.map(({ key }) => key);
      await store.deleteMany(keys, { signal });
    }
  }

  #report(date: number, removals: readonly Removal[]): ScrubReport {
    const count = (kind: Removal['kind']): ObjectCounts => {
      const ofKind = removals.filter((candidate) => candidate.kind === kind);
      return { objects: ofKind.length, bytes: ofKind.reduce((sum, { size }) => sum + size, 0) };
    };
    const removed = { manifest: count('manifest'), log: count('log'), part: count('part'), raw: count('raw') };
    const { accountId, isDryRun = false } = this.#options;
    return { accountId, date, isDryRun, removed, withheld: this.#withheld };
  }
}

interface ReadManifest extends ManifestToJudge {
  /** Undefined when it cannot be read. */
  readonly manifest: Manifest | undefined;
}

function removal(kind: Removal['kind'], { key, size, lastModified }: Omit<Removal, 'kind'>): Removal {
  return { kind, key, size, lastModified };
}

function orUndefined(error: unknown): undefined {
  if (!isDamage(error)) throw error;
}
