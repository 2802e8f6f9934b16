/** Uploads between the request that brings them and the commit that names them. */
import { describe, expect, it } from 'vitest';
import { readBlob, storeUpload } from '../../../server/jmap/blobs.ts';
import type { LogAccount } from '../../../storage/account/log-account.ts';
import { openProvisioned, openTestBucket } from '../../support/open-accounts.ts';

const hourMs = 60 * 60 * 1000;

function blobsNamed(account: unknown): string[] {
  const view = (account as LogAccount).view();
  try {
    return Array.from(view.blobs(), ({ sha256 }) => sha256);
  } finally {
    view.release();
  }
}

describe('an upload', () => {
  it('is named by the state, so that the scrubber leaves it, and is known to another node', async () => {
    const bucket = openTestBucket();
    await using node = bucket.node();
    const account = await openProvisioned(node);
    const blobId = await storeUpload(account, Buffer.from('hello'), 'text/plain');
    expect(blobsNamed(account)).toEqual([blobId.slice(1)]);
    await using second = bucket.node();
    const found = await readBlob(await second.accounts.open(account.id), blobId);
    expect([found?.bytes.toString(), found?.type]).toEqual(['hello', 'text/plain']);
  });

  it('goes with the first upload after its day, and not before', async () => {
    const bucket = openTestBucket();
    await using node = bucket.node();
    const account = await openProvisioned(node);
    const blobId = await storeUpload(account, Buffer.from('hello'), 'text/plain');
    bucket.clock.advance(23 * hourMs);
    await storeUpload(account, Buffer.from('second'), 'text/plain');
    expect(await readBlob(account, blobId)).toBeDefined();
    bucket.clock.advance(2 * hourMs);
    await storeUpload(account, Buffer.from('third'), 'text/plain');
    expect(await readBlob(account, blobId)).toBeUndefined();
    expect(blobsNamed(account)).toHaveLength(2);
  });
});
