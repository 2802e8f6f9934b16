/**
 * The log's half of `verify`: every commit is read, and tied to the one before it by its hash.
 *
 * The chain is anchored in the oldest snapshot that can be used (or in nothing, at commit 1): all numbers after it must be there. Older commits
 * are kept for a while and removed from the beginning; what of them does not lead up to the anchor without a hole is outside the chain: the late
 * write of a writer that slept, which nobody was told had succeeded.
 */
import { decodeCommit } from '../log/commit-codec.ts';
import { fetchAhead } from '../log/fetch-ahead.ts';
import type { Commit } from '../log/record.ts';
import { logKey, manifestKey } from '../objects/object-keys.ts';
import type { AccountListing, ListedNumber } from './account-listing.ts';
import { finding } from './findings.ts';
import { fetchesAheadMax } from './limits.ts';
import { isDamage, type Manifest } from './manifest.ts';
import { damageOf, type VerifyContext } from './verify-snapshots.ts';

export interface ChainedCommit {
  readonly commit: Commit;
  readonly hash: string;
}

export class LogVerifier {
  readonly #context: VerifyContext;
  readonly #listing: AccountListing;
  /** Hashes that usable manifests give, by seq. */
  readonly #anchors: ReadonlyMap<number, string>;
  /** All commits after it must be there. */
  readonly anchor: number;
  /** Before the last gap below the anchor: kept for the messages they carry, or strays. */
  readonly #older: readonly ListedNumber[];
  readonly #walked: readonly ListedNumber[];
  /** Read and not yet tied to the anchor: strays, unless what follows leads up to it. */
  #loose: number[] = [];

  /** `manifests`: those that can be used, oldest first. */
  constructor(context: VerifyContext, listing: AccountListing, manifests: readonly Manifest[]) {
    this.#context = context;
    this.#listing = listing;
    this.#anchors = new Map(manifests.map(({ position }) => [position.seq, position.hash]));
    this.anchor = manifests[0]?.position.seq ?? 0;
    const { log } = listing;
    let first = log.findIndex(({ seq }) => seq > this.anchor);
    if (first < 0) first = log.length;
    let expected = this.anchor;
    while (first > 0 && log[first - 1]!.seq === expected) {
      first--;
      expected--;
    }
    this.#older = log.slice(0, first);
    this.#walked = log.slice(first);
  }

  /** Where the log ends: the newest number that a commit or manifest has. */
  get tail(): number {
    return Math.max(this.#listing.log.at(-1)?.seq ?? 0, this.#listing.manifests.at(-1)?.seq ?? 0);
  }

  reportGaps(): void {
    const { accountId, report } = this.#context;
    for (const [first, last] of gapsOf(this.#listing.log, this.anchor, this.tail)) {
      const which = first === last ? `commit ${first}` : `commits ${first} to ${last}`;
      const after = this.anchor === 0 ? 'and no snapshot that can be read covers them' : `which follow the snapshot at ${this.anchor}`;
      report(finding('log-gap', logKey(accountId, first), `The log lacks ${which}, ${after}.`));
    }
  }

  /** Older commits than those that lead up to the anchor. `isHeld`: a message in it is. */
  reportOlder(isHeld: (commit: ListedNumber) => boolean): void {
    const { accountId, report } = this.#context;
    for (const commit of this.#older) {
      if (isHeld(commit)) continue;
      const sentence = `Commit ${commit.seq} is not part of the chain, and nothing that it carries is held. It is ignored.`;
      report(finding('stray-commit', logKey(accountId, commit.seq), sentence));
    }
  }

  /** Reads all commits that lead up to the anchor, and those after it. Yields those that can be read and are tied to what came before them, oldest first. Notes the blobs that they name. */
  async *walk(): AsyncGenerator<ChainedCommit> {
    const { store, accountId, report, signal } = this.#context;
    let before: { seq: number; hash: string } | undefined;
    const bodies = fetchAhead(this.#walked, fetchesAheadMax, async (listed) => {
      return { ...listed, body: await store.get(listed.key, { signal }).then(({ body }) => body, damageOf) };
    });
    for await (const { key, seq, body } of bodies) {
      let read: ChainedCommit;
      try {
        if (body instanceof Error) throw body;
        read = decodeCommit(key, body, accountId, seq);
      } catch (error) {
        if (!isDamage(error)) throw error;
        report(finding('unreadable-commit', key, `Commit ${seq} cannot be read: ${error.message}`));
        before = undefined;
        continue;
      }
      this.#listing.blobs.nameAllIn(read.commit);
      const isTied = this.#tie(key, read, before?.seq === seq - 1 ? before.hash : undefined);
      before = { seq, hash: read.hash };
      if (isTied) yield read;
    }
    this.#end(before);
  }

  /** Whether the commit follows the one before it, whose hash the log (`hashBefore`), a snapshot, both or neither know. */
  #tie(key: string, { commit: { seq, prev } }: ChainedCommit, hashBefore: string | undefined): boolean {
    const { accountId, report } = this.#context;
    const anchored = this.#anchors.get(seq - 1) ?? (seq === 1 ? '' : undefined);
    if (seq <= this.anchor) {
      if (hashBefore !== prev) this.#reportLoose();
      this.#loose.push(seq);
      return anchored === undefined || anchored === prev;
    }
    if (seq === this.anchor + 1) {
      if (hashBefore !== prev) this.#reportLoose();
      this.#loose = [];
    }
    const followsLog = hashBefore === undefined || hashBefore === prev;
    const followsSnapshot = anchored === undefined || anchored === prev;
    if (followsLog && followsSnapshot) return true;
    if (followsLog && hashBefore !== undefined) {
      report(
        finding('manifest-off-chain', manifestKey(accountId, seq - 1), `This snapshot is of another commit ${seq - 1} than the log's.`),
      );
      return true;
    }
    if (!followsSnapshot || anchored === undefined) {
      report(finding('broken-chain', key, `Commit ${seq} follows another commit ${seq - 1} than the one that is there.`));
      return false;
    }
    // Where the snapshot is the anchor, what the log has under its number is a stray, and was reported.
    if (seq - 1 === this.anchor) return true;
    const why = `the snapshot at ${seq - 1} and commit ${seq} are of another`;
    report(finding('broken-chain', logKey(accountId, seq - 1), `This is not the commit ${seq - 1} of the chain: ${why}.`));
    return false;
  }

  /** `last`: the last commit that was read, unless one after it could not be. */
  #end(last: { readonly seq: number; readonly hash: string } | undefined): void {
    const { accountId, report } = this.#context;
    const anchored = last === undefined ? undefined : this.#anchors.get(last.seq);
    const isOther = anchored !== undefined && anchored !== last?.hash;
    if (last?.seq !== this.anchor || isOther) this.#reportLoose();
    if (isOther && last !== undefined && last.seq > this.anchor)
      report(finding('manifest-off-chain', manifestKey(accountId, last.seq), `This snapshot is of another commit than the log's last.`));
  }

  #reportLoose(): void {
    const { accountId, report } = this.#context;
    for (const seq of this.#loose)
      report(finding('stray-commit', logKey(accountId, seq), `Commit ${seq} is not part of the chain. It is ignored.`));
    this.#loose = [];
  }
}

/** Runs of numbers after `from`, up to `to`, that are not in `log`. */
export function* gapsOf(log: readonly ListedNumber[], from: number, to: number): Generator<[first: number, last: number]> {
  let expected = from + 1;
  for (const { seq } of log) {
    if (seq < expected) continue;
    if (seq > expected) yield [expected, seq - 1];
    expected = seq + 1;
  }
  if (expected <= to) yield [expected, to];
}
