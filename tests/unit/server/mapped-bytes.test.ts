/** The system's own word on what is mapped, with an index that is larger than may be. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mappedBytes } from '../../../server/mapped-bytes.ts';
import { indexMappedBytesMax } from '../../../storage/index/limits.ts';
import { LmdbEnvironments } from '../../../storage/index/lmdb-kv.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('an index of 90 MB that is read again and again stays mapped by half the limit', { skip: process.platform !== 'linux' }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'satchel-mapped-'));
  try {
    const start = mappedBytes();
    await using environments = new LmdbEnvironments({ path: folder, bootId: 'boot', clock: new ManualClock(), mappedBytes });
    const kv = environments.kv('one');
    const key = (at: number) => `k${String(at).padStart(5, '0')}`;
    for (let at = 0; at < 900; at++) kv.write([[key(at), Buffer.alloc(100_000, at)]]);
    kv.snapshot().release();
    for (let round = 0; round < 2; round++) {
      let bytes = 0;
      for (let at = 0; at < 900; at++) bytes += kv.get(key(at))!.length;
      expect(bytes).toBe(90_000_000);
      expect(mappedBytes() - start).toBeGreaterThan(indexMappedBytesMax);
      await environments.unmapExcess();
      expect(mappedBytes() - start).toBeLessThan(indexMappedBytesMax / 2);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('where the system does not say, nothing is taken to be mapped', () => {
  expect(mappedBytes('/')).toBe(0);
  expect(mappedBytes('/nowhere')).toBe(0);
});
