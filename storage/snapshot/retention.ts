/**
 * Which manifests and log objects have had their time. Pure: from what was listed, and which manifests can still be restored from.
 *
 * Only a usable manifest (readable, all its parts there) supersedes another or covers log: damage must never make what could repair it garbage.
 * The log after the oldest usable manifest that is kept is kept too, or falling back on that manifest would end in a gap.
 */
import type { ListedNumber } from './account-listing.ts';
import { garbageAgeMsMin, logKeptMs, manifestKeptMs, manifestsKeptMin } from './limits.ts';

export interface RetentionRules {
  readonly garbageAgeMsMin: number;
  readonly manifestKeptMs: number;
  readonly manifestsKeptMin: number;
  readonly logKeptMs: number;
}

export const retentionRules: RetentionRules = { garbageAgeMsMin, manifestKeptMs, manifestsKeptMin, logKeptMs };

export interface ManifestToJudge extends ListedNumber {
  readonly isUsable: boolean;
}

export interface Retention {
  readonly manifestsKept: readonly ManifestToJudge[];
  readonly manifestsRemoved: readonly ManifestToJudge[];
  readonly logRemoved: readonly ListedNumber[];
}

/** `date` is the store's, as of the listing; `manifests` and `log` oldest first. */
export function judge(
  listing: { readonly date: number; readonly manifests: readonly ManifestToJudge[]; readonly log: readonly ListedNumber[] },
  rules: RetentionRules = retentionRules,
): Retention {
  const { date, manifests, log } = listing;
  const ageOf = (lastModified: number) => date - lastModified;
  const usable = manifests.filter(({ isUsable }) => isUsable);
  const newest = new Set(usable.slice(Math.max(0, usable.length - rules.manifestsKeptMin)));

  const isRemoved = (manifest: ManifestToJudge): boolean => {
    if (newest.has(manifest)) return false;
    const successors = usable.filter(({ seq }) => seq > manifest.seq).map(({ lastModified }) => lastModified);
    if (successors.length === 0) return false;
    // One that was put late was superseded when it was put.
    const supersededAt = Math.max(manifest.lastModified, Math.min(...successors));
    return ageOf(supersededAt) >= rules.manifestKeptMs && ageOf(manifest.lastModified) >= rules.garbageAgeMsMin;
  };
  const manifestsRemoved = manifests.filter(isRemoved);
  const removed = new Set(manifestsRemoved);
  const manifestsKept = manifests.filter((manifest) => !removed.has(manifest));

  const covered = usable.findLast(({ lastModified }) => ageOf(lastModified) >= rules.logKeptMs)?.seq ?? 0;
  const oldestKept = manifestsKept.find(({ isUsable }) => isUsable)?.seq ?? 0;
  const logEnd = Math.min(covered, oldestKept);
  const logRemoved = log.filter(({ seq, lastModified }) => seq <= logEnd && ageOf(lastModified) >= rules.garbageAgeMsMin);
  return { manifestsKept, manifestsRemoved, logRemoved };
}

/**
 * The first number that the kept log lacks though later ones are there or a manifest says they were: the log is then damaged, and nothing of the
 * account is garbage until somebody has looked. Numbers up to `from` do not matter.
 */
export function firstGap(log: readonly ListedNumber[], from: number, to: number): number | undefined {
  const numbers = log.map(({ seq }) => seq).filter((seq) => seq > from);
  let expected = from + 1;
  for (const seq of numbers) {
    if (seq !== expected) return expected;
    expected++;
  }
  return expected <= to ? expected : undefined;
}
