import { describe, expect, test } from 'vitest';
import { canaries, signs } from './canaries.ts';
import { simulate } from './simulate.ts';

/** More from the command line: run.ts. */
const groups = 8;
const seedsPerGroup = 20;

describe('the account log under faults', () => {
  for (let group = 0; group < groups; group++) {
    const first = group * seedsPerGroup + 1;
    test(`seeds ${first} to ${first + seedsPerGroup - 1}: nothing acknowledged is lost, nothing is doubled, everything is whole`, async () => {
      for (let seed = first; seed < first + seedsPerGroup; seed++) {
        const { failures, acknowledged } = await simulate({ seed });
        expect({ seed, failures }).toEqual({ seed, failures: [] });
        expect(acknowledged).toBeGreaterThan(0);
      }
    });
  }

  test("the same with the account's real index, seeds 1 to 12", async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const { failures } = await simulate({ seed, usesIndex: true });
      expect({ seed, failures }).toEqual({ seed, failures: [] });
    }
  });

  test('a seed gives the same run every time', async () => {
    const trace = async () => {
      const lines: string[] = [];
      await simulate({ seed: 5, trace: (line) => lines.push(line) });
      return lines;
    };
    const first = await trace();
    expect(first.length).toBeGreaterThan(100);
    expect(await trace()).toEqual(first);
  });
});

describe('a rule that is not kept is noticed', () => {
  for (const { without, rules, traits, shows, seeds } of canaries) {
    test(`without "${without}": ${shows}`, async () => {
      for (let seed = 1; seed <= seeds; seed++) if (signs[shows](await simulate({ seed, rules, traits }))) return;
      expect.unreachable(`${seeds} seeds show nothing`);
    });
  }
});
