/** Mail to an account that is full waits; it is delivered when there is room, and is not lost meanwhile. */
import { describe, expect, it } from 'vitest';
import { deliver, type OutgoingMessage } from '../../../indexer/delivery.ts';
import { parseMessage } from '../../../indexer/parse-message.ts';
import { openProvisioned, openTestBucket, rawMessage, testAccount } from '../../support/open-accounts.ts';

const message = (number: number): OutgoingMessage => {
  const raw = rawMessage({ Subject: `Message ${number}` });
  return {
    bytes: raw,
    parse: async () => parseMessage(raw),
    upload: (account) => account.upload(raw),
    receivedAt: 1_790_000_000_000,
    placement: 'inbox',
    facts: { source: 'lmtp' },
    ingestKey: `key-${number}`,
  };
};

describe('a delivery to a full account', () => {
  it('is deferred, and succeeds once there is room', async () => {
    await using node = openTestBucket().node({ quotaLimits: { octets: null, messages: 1 } });
    const account = await openProvisioned(node);
    const to = (number: number) => deliver(node.accounts, testAccount, 'me@example.com', message(number));
    expect(await to(1)).toEqual({ kind: 'delivered', mailbox: 'inbox' });
    expect(await to(2)).toMatchObject({ kind: 'unavailable', error: { code: 'unavailable', message: expect.stringMatching(/full/) } });
    await account.transact((tx) => tx.destroyEmails([[1, 1]]));
    expect(await to(2)).toEqual({ kind: 'delivered', mailbox: 'inbox' });
    expect(account.read((reader) => reader.quota().usage.messages)).toBe(1);
  });
});
