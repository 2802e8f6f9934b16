/**
 * Checks an account against itself: the log's chain, the snapshots, the raw objects, that the newest snapshot is what the log makes of an older
 * one, and that the index is what the log makes of that. It reads everything but raw mail (that too, if asked), changes nothing, and holds no
 * more than names, one state in a scratch machine, and a few objects.
 *
 * It may run beside a working account: what refers is listed before what it refers to. Beside a scrubber it may find missing what is just being
 * removed.
 */

import { MemoryBlobCache } from '../blobs/blob-cache.ts';
import { BlobStore, isWholeObject } from '../blobs/blob-store.ts';
import type { Clock } from '../clock.ts';
import { fetchAhead } from '../log/fetch-ahead.ts';
import type { StateMachine, StateView } from '../log/machine.ts';
import type { BlobRef } from '../log/record.ts';
import { accountPrefix, manifestKey } from '../objects/object-keys.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { type AccountListing, listAccount } from './account-listing.ts';
import { finding, type Report } from './findings.ts';
import { restoredParts } from './loader.ts';
import { isDamage, type Manifest } from './manifest.ts';
import { hashOfLines, partLines } from './part.ts';
import { type ChainedCommit, gapsOf, LogVerifier } from './verify-log.ts';
import { type VerifyContext, verifySnapshots } from './verify-snapshots.ts';

export type ScratchMachine = Pick<StateMachine<never, unknown>, 'position' | 'apply' | 'reset' | 'restore' | 'view'>;

export interface VerifyOptions {
  readonly store: ObjectStore;
  readonly accountId: string;
  readonly clock: Clock;
  /** An empty machine in memory, to replay the log in. Without one the replay is left out. */
  readonly scratch?: () => ScratchMachine | Promise<ScratchMachine>;
  /** The live index, taken before the call. The caller releases it. */
  readonly index?: StateView;
  /** Reads every raw object and checks its SHA-256. */
  readonly isDeep?: boolean;
  readonly signal?: AbortSignal;
}

/** What was looked at. */
export interface VerifySummary {
  readonly commits: number;
  readonly manifests: number;
  readonly parts: number;
  /** Raw objects, and messages in log objects. */
  readonly blobs: number;
  /** The last commit, or that of the newest snapshot. */
  readonly tail: number;
}

/** Hashes of a state's parts, by kind and range. Parts without records count for nothing. */
type Digest = ReadonlyMap<string, string>;

/** Raw objects read at once, each of up to some 40 MB. */
const blobsAhead = 4;
const blobsPerTurn = 10_000;

/** Findings are reported as they come. Throws when the store is away. */
export async function verifyAccount(options: VerifyOptions, report: Report): Promise<VerifySummary> {
  const { store, accountId, signal } = options;
  const listing = await listAccount(store, accountId, signal);
  return new Verification({ ...options, report }, options, listing).run();
}

class Verification {
  readonly #context: VerifyContext;
  readonly #options: VerifyOptions;
  readonly #listing: AccountListing;

  constructor(context: VerifyContext, options: VerifyOptions, listing: AccountListing) {
    this.#context = context;
    this.#options = options;
    this.#listing = listing;
  }

  async run(): Promise<VerifySummary> {
    const { index } = this.#options;
    for (const { key } of this.#listing.unknown) this.#find('unknown-object', key, 'Satchel did not write this.');
    const manifests = await verifySnapshots(this.#context, this.#listing);
    const log = new LogVerifier(this.#context, this.#listing, manifests);
    log.reportGaps();
    if (index !== undefined && index.position.seq > log.tail)
      this.#find('index-off-chain', this.#prefix, `The index is at commit ${index.position.seq}, and the log ends at ${log.tail}.`);
    const replayed = await this.#replay(log, manifests);
    const state = replayed ?? index;
    if (state !== undefined) await this.#verifyBlobs(state);
    log.reportOlder(({ seq }) => state !== undefined && this.#listing.blobs.holdsLog(seq));
    replayed?.release();
    for (const { key, size } of this.#listing.blobs.unnamed()) this.#find('orphan-blob', key, `Nothing names these ${size} bytes.`);
    return {
      commits: this.#listing.log.length,
      manifests: this.#listing.manifests.length,
      parts: this.#listing.parts.size,
      blobs: this.#listing.blobs.length + this.#listing.blobs.carried,
      tail: log.tail,
    };
  }

  /** Walks the log, and replays it from the oldest state it leads on from. Returns the state at the tail, if there is one. */
  async #replay(log: LogVerifier, manifests: readonly Manifest[]): Promise<StateView | undefined> {
    const machine = await this.#options.scratch?.();
    let isReplaying = machine !== undefined && (await this.#start(machine, log, manifests));
    const newest = manifests.at(-1);
    const began = machine?.position.seq ?? 0;
    let atSnapshot: Digest | undefined;
    if (isReplaying) await this.#compareIndex(machine!);
    for await (const chained of log.walk()) {
      if (!isReplaying || machine === undefined || chained.commit.seq !== machine.position.seq + 1) continue;
      isReplaying = this.#apply(machine, chained);
      if (!isReplaying) continue;
      if (newest !== undefined && began < newest.position.seq && machine.position.hash === newest.position.hash)
        atSnapshot = await this.#digestOf(machine);
      await this.#compareIndex(machine);
    }
    const end = isReplaying && machine?.position.seq === log.tail ? machine.view() : undefined;
    if (newest !== undefined && atSnapshot !== undefined) await this.#compareSnapshot(newest, atSnapshot);
    return end;
  }

  /** From nothing, if the log is all there; else from the oldest snapshot after which it is. False when there is nothing to begin with. */
  async #start(machine: ScratchMachine, { tail }: LogVerifier, manifests: readonly Manifest[]): Promise<boolean> {
    const isWholeAfter = (seq: number) => gapsOf(this.#listing.log, seq, tail).next().done === true;
    if (isWholeAfter(0)) return true;
    const manifest = manifests.find(({ position }) => isWholeAfter(position.seq)) ?? manifests.at(-1);
    if (manifest === undefined) return false;
    return this.#restore(machine, manifest);
  }

  async #restore(machine: ScratchMachine, manifest: Manifest): Promise<boolean> {
    const { store, accountId } = this.#options;
    try {
      await machine.restore(manifest.position, restoredParts(store, accountId, manifest));
      return true;
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#find('replay-failed', manifestKey(accountId, manifest.position.seq), `This snapshot cannot be restored: ${error.message}`);
      return false;
    }
  }

  #apply(machine: ScratchMachine, { commit, hash }: ChainedCommit): boolean {
    try {
      machine.apply(commit, hash);
      return true;
    } catch (error) {
      // Whatever the machine stumbles over, the account's node will stumble over too.
      const message = error instanceof Error ? error.message : String(error);
      this.#find('replay-failed', this.#prefix, `Commit ${commit.seq} cannot be applied to what came before it: ${message}`);
      return false;
    }
  }

  async #compareIndex(machine: ScratchMachine): Promise<void> {
    const { index } = this.#options;
    if (index === undefined || index.position.seq !== machine.position.seq || index.position.seq === 0) return;
    const { seq, hash } = index.position;
    if (hash !== machine.position.hash)
      return this.#find('index-off-chain', this.#prefix, `The index is at a commit ${seq} that is not the log's.`);
    const differing = differences(await this.#digestOf(machine), await this.#digestOfView(index));
    if (differing.length > 0)
      this.#find('index-differs', this.#prefix, `At commit ${seq} the index differs from the replayed log in ${differing.join(', ')}.`);
  }

  async #compareSnapshot(manifest: Manifest, replayed: Digest): Promise<void> {
    const machine = await this.#options.scratch!();
    if (!(await this.#restore(machine, manifest))) return;
    const differing = differences(replayed, await this.#digestOf(machine));
    const key = manifestKey(this.#options.accountId, manifest.position.seq);
    if (differing.length > 0)
      this.#find('snapshot-differs', key, `This snapshot differs from the replayed log in ${differing.join(', ')}.`);
  }

  async #digestOf(machine: ScratchMachine): Promise<Digest> {
    const view = machine.view();
    try {
      return await this.#digestOfView(view);
    } finally {
      view.release();
    }
  }

  async #digestOfView(view: StateView): Promise<Digest> {
    const digest = new Map<string, string>();
    for (const part of view.parts()) {
      const lines = part.lines();
      if (lines.length > 0) digest.set(`${part.kind} ${part.range}`, hashOfLines(partLines(part, lines)));
      await this.#context.clock.sleep(0, this.#context.signal);
    }
    return digest;
  }

  async #verifyBlobs(state: StateView): Promise<void> {
    const { accountId, clock, signal, isDeep } = this.#options;
    const reported = new Set<string>();
    let count = 0;
    for (const ref of state.blobs()) {
      const size = this.#listing.blobs.name(ref.object);
      const fault = faultOf(ref, size);
      if (fault !== undefined && !reported.has(ref.object)) {
        reported.add(ref.object);
        this.#find(size === undefined ? 'missing-blob' : 'blob-size', `${accountPrefix(accountId)}${ref.object}`, fault);
      }
      if (++count % blobsPerTurn === 0) await clock.sleep(0, signal);
    }
    if (isDeep === true) await this.#readBlobs(state, reported);
  }

  async #readBlobs(state: StateView, reported: Set<string>): Promise<void> {
    const { store, accountId, clock } = this.#options;
    const random = { hex: () => '' };
    const blobs = new BlobStore({ store, accountId, clock, random, cache: new MemoryBlobCache({ bytesMax: 0 }) });
    const present = Iterator.from(state.blobs()).filter(({ object }) => !reported.has(object));
    const faults = fetchAhead(present, blobsAhead, async (ref) => {
      try {
        await blobs.get(ref);
        return undefined;
      } catch (error) {
        if (!isDamage(error)) throw error;
        return { ref, error };
      }
    });
    for await (const fault of faults) {
      if (fault === undefined || reported.has(fault.ref.object)) continue;
      reported.add(fault.ref.object);
      this.#find('unreadable-blob', blobs.keyOf(fault.ref), fault.error.message);
    }
  }

  get #prefix(): string {
    return accountPrefix(this.#options.accountId);
  }

  #find(...args: Parameters<typeof finding>): void {
    this.#context.report(finding(...args));
  }
}

function faultOf(ref: BlobRef, size: number | undefined): string | undefined {
  if (size === undefined) return `A message of ${ref.length} bytes is named by the state, and is not there.`;
  const end = ref.offset + ref.length;
  if (isWholeObject(ref) ? size !== end : size < end) return `It has ${size} bytes where the state says ${end}.`;
  return undefined;
}

/** Names of the parts in which two states differ. */
function differences(a: Digest, b: Digest): string[] {
  const names = new Set([...a.keys(), ...b.keys()]);
  return [...names].filter((name) => a.get(name) !== b.get(name));
}
