import { describe, expect, test } from 'vitest';
import { firstGap, judge } from '../../../storage/snapshot/retention.ts';

const day = 86_400_000;
const date = 1_000 * day;

interface Case {
  readonly claim: string;
  /** Seq, age in days, and whether it can be used. */
  readonly manifests: readonly (readonly [seq: number, ageDays: number, damaged?: 'damaged'])[];
  /** First and last number of the log, all as old as the oldest manifest unless said. */
  readonly log: readonly [number, number];
  readonly logAgeDays?: number;
  readonly kept: readonly number[];
  readonly logFrom: number;
}

const cases: Case[] = [
  { claim: 'without a snapshot all log stays', manifests: [], log: [1, 9], logAgeDays: 400, kept: [], logFrom: 1 },
  {
    claim: 'the only snapshot stays, and its log for 30 days',
    manifests: [[50, 29.9]],
    log: [1, 60],
    logAgeDays: 90,
    kept: [50],
    logFrom: 1,
  },
  { claim: 'log goes 30 days after a snapshot covers it', manifests: [[50, 30]], log: [1, 60], logAgeDays: 90, kept: [50], logFrom: 51 },
  {
    claim: 'the newest two snapshots stay whatever their age, and the log after the older',
    manifests: [
      [10, 900],
      [50, 800],
      [90, 700],
    ],
    log: [1, 95],
    logAgeDays: 901,
    kept: [50, 90],
    logFrom: 51,
  },
  {
    claim: 'a snapshot stays 30 days after it is superseded, not after it was written',
    manifests: [
      [10, 500],
      [50, 29.9],
      [60, 5],
      [70, 1],
    ],
    log: [1, 70],
    logAgeDays: 501,
    kept: [10, 50, 60, 70],
    logFrom: 11,
  },
  {
    claim: 'a snapshot goes 30 days after it is superseded',
    manifests: [
      [10, 500],
      [50, 30],
      [60, 5],
      [70, 1],
    ],
    log: [1, 70],
    logAgeDays: 501,
    kept: [50, 60, 70],
    logFrom: 51,
  },
  {
    claim: 'one that was put late was superseded when it was put',
    manifests: [
      [10, 3],
      [50, 80],
      [60, 70],
      [70, 60],
    ],
    log: [1, 70],
    logAgeDays: 90,
    kept: [10, 60, 70],
    logFrom: 11,
  },
  {
    claim: 'what cannot be used supersedes nothing and covers nothing',
    manifests: [
      [10, 200],
      [50, 150, 'damaged'],
      [90, 100, 'damaged'],
    ],
    log: [1, 95],
    logAgeDays: 201,
    kept: [10, 50, 90],
    logFrom: 11,
  },
  {
    claim: 'what cannot be used goes 30 days after one that can supersedes it',
    manifests: [
      [10, 200],
      [50, 150, 'damaged'],
      [90, 100],
      [99, 90],
    ],
    log: [1, 99],
    logAgeDays: 201,
    kept: [90, 99],
    logFrom: 91,
  },
  {
    claim: 'a commit under a number that was covered long ago stays until it is 7 days old',
    manifests: [
      [50, 300],
      [90, 200],
    ],
    log: [5, 5],
    logAgeDays: 6.9,
    kept: [50, 90],
    logFrom: 5,
  },
  {
    claim: 'and goes then',
    manifests: [
      [50, 300],
      [90, 200],
    ],
    log: [5, 5],
    logAgeDays: 7,
    kept: [50, 90],
    logFrom: 6,
  },
];

describe('retention', () => {
  test.each(cases)('$claim', ({ manifests, log, logAgeDays, kept, logFrom }) => {
    const listedManifests = manifests.map(([seq, ageDays, damaged]) => ({
      seq,
      key: `manifest/${seq}`,
      size: 1,
      lastModified: date - ageDays * day,
      isUsable: damaged === undefined,
    }));
    const listedLog = Array.from({ length: log[1] - log[0] + 1 }, (_, i) => {
      return { seq: log[0] + i, key: `log/${log[0] + i}`, size: 1, lastModified: date - (logAgeDays ?? 0) * day };
    });
    const retention = judge({ date, manifests: listedManifests, log: listedLog });
    expect(retention.manifestsKept.map(({ seq }) => seq)).toEqual(kept);
    expect(retention.manifestsRemoved.map(({ seq }) => seq)).toEqual(manifests.map(([seq]) => seq).filter((seq) => !kept.includes(seq)));
    const expected = listedLog.map(({ seq }) => seq).filter((seq) => seq < logFrom);
    expect(retention.logRemoved.map(({ seq }) => seq)).toEqual(expected);
  });

  test.each([
    ['nothing', [], 0, 0, undefined],
    ['a whole log', [1, 2, 3], 0, 3, undefined],
    ['a hole', [1, 2, 4], 0, 4, 3],
    ['a hole below what matters', [1, 3, 4], 2, 4, undefined],
    ['an end that a manifest knows to be later', [1, 2, 3], 0, 5, 4],
    ['a beginning that is gone', [3, 4], 0, 4, 1],
  ] as const)('the first gap of %s', (_, seqs, from, to, gap) => {
    const log = seqs.map((seq) => ({ seq, key: '', size: 0, lastModified: 0 }));
    expect(firstGap(log, from, to)).toBe(gap);
  });
});
