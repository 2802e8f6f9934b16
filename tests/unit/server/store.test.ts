import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../server/clock.ts';
import { openStore } from '../../../server/compose-store.ts';
import { effectiveConfig } from '../../../server/config.ts';
import { silentLogger } from '../../../server/logger.ts';
import { systemRandom } from '../../../server/random.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'satchel-store-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = (config: object, now = 1_800_000_000_000) =>
  openStore(effectiveConfig({ dataDir: folder, ...config }, { base: folder, hasFile: true }), {
    clock: { ...systemClock, now: () => now },
    random: systemRandom,
    logger: silentLogger,
  });
const requests = (store: Awaited<ReturnType<typeof open>>) => store.meter.snapshot().requests;

it('a store is probed before it is used, and not again for a day', async () => {
  const hour = 3_600_000;
  const counts: number[] = [];
  for (const now of [0, hour, 25 * hour, 24 * hour]) {
    await using store = await open({}, 1_800_000_000_000 + now);
    counts.push(requests(store));
  }
  // The clock that went back counts as unknown.
  expect(counts.map((count) => count > 20)).toEqual([true, false, true, true]);
});

it('another store is probed whatever was probed before', async () => {
  await using _first = await open({});
  await using second = await open({ store: { driver: 'file', path: 'other' } });
  expect(requests(second)).toBeGreaterThan(20);
});

it('a store that does not answer is told as such, with what to look at', async () => {
  const store = {
    driver: 's3',
    bucket: 'none',
    endpoint: 'http://127.0.0.1:9',
    forcePathStyle: true,
    region: 'us-east-1',
    accessKeyId: 'a',
    secretAccessKey: 'b',
  };
  await expect(open({ store })).rejects.toThrow(/The store s3 none does not answer .*Check store in the configuration/);
});
