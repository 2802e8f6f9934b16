/**
 * Each rule of the design taken out in turn, and what goes wrong then. A simulation that does not notice has stopped looking: within `seeds`
 * some run must fail, in the way that `shows` says.
 *
 * Where two rules cover the same danger, both go: taking out one changes nothing, which is what the other is for.
 */

import type { SimulatedRules } from './node.ts';
import type { SimulationResult } from './simulate.ts';
import type { Traits } from './simulated-store.ts';

export interface Canary {
  /** The rule that is not kept, as the design states it. */
  readonly without: string;
  readonly rules: SimulatedRules;
  /** The world in which it shows soonest. */
  readonly traits?: Partial<Traits>;
  readonly shows: keyof typeof signs;
  /** A few times what it takes. */
  readonly seeds: number;
}

const names = (result: SimulationResult, pattern: RegExp) => result.failures.some((failure) => pattern.test(failure));

export const signs = {
  lost: ({ lost }: SimulationResult) => lost > 0,
  doubled: ({ doubled }: SimulationResult) => doubled > 0,
  'blob gone': (result: SimulationResult) => names(result, /raw\/\S+ is named.* gone/),
  'part gone': (result: SimulationResult) => names(result, /missing-part|no snapshot can be read/),
} as const;

const ever = Number.POSITIVE_INFINITY;

export const canaries: readonly Canary[] = [
  { without: 'an unknown outcome is settled before anything else', rules: { log: { settleUnknown: false } }, shows: 'doubled', seeds: 5 },
  { without: 'a number that is taken may be our own', rules: { log: { checkOwnId: false } }, shows: 'doubled', seeds: 5 },
  { without: 'the tail was seen within the hour', rules: { log: { tailWithinHour: false } }, shows: 'lost', seeds: 30 },
  {
    without: 'the hour is looked at again when the answer is there',
    rules: { log: { lateSuccessCheck: false } },
    shows: 'lost',
    seeds: 60,
  },
  { without: 'the hour is counted by the clock that says most', rules: { log: { allClocks: false } }, shows: 'lost', seeds: 30 },
  { without: 'a late success counts only in the chain', rules: { log: { proveChain: false } }, shows: 'lost', seeds: 30 },
  {
    without: 'log is kept for a month after a snapshot covers it',
    rules: { scrub: { logKeptMs: 0, manifestKeptMs: 0, manifestsKeptMin: 1, garbageAgeMsMin: 0 } },
    shows: 'lost',
    seeds: 100,
  },
  {
    without: 'a commit names only what lives or was uploaded within the day',
    rules: { log: { blobWithinDay: false } },
    shows: 'blob gone',
    seeds: 10,
  },
  { without: 'garbage is a week old', rules: { scrub: { garbageAgeMsMin: 0 } }, shows: 'blob gone', seeds: 10 },
  {
    without: 'the scrubber lists first, then reads what is named',
    rules: { scrub: { listsFirst: false, readsLog: false, readsManifests: false } },
    shows: 'blob gone',
    seeds: 300,
  },
  {
    without: 'the scrubber fences before it reads what is named',
    rules: { fence: false },
    traits: { refusesSkew: false, standstills: 8, quiet: 0.85 },
    shows: 'blob gone',
    seeds: 300,
  },
  {
    without: 'what kept snapshots and log name is kept',
    rules: { scrub: { readsLog: false, readsManifests: false } },
    shows: 'blob gone',
    seeds: 100,
  },
  {
    without: 'a manifest names its own young uploads and parts of the newest',
    rules: { snapshot: { baseNewestMsMax: ever, writingMsMax: ever } },
    shows: 'part gone',
    seeds: 300,
  },
];
