/** Mail to an account that is full: whoever hands it in keeps it; what SES has accepted waits where the administrator finds it. Nothing is lost. */
import { describe, expect, it } from 'vitest';
import { deliver, type OutgoingMessage } from '../../../indexer/delivery.ts';
import { parseMessage } from '../../../indexer/parse-message.ts';
import { openProvisioned, openTestBucket, rawMessage, testAccount } from '../../support/open-accounts.ts';
import { fixture, idOf } from './fixtures.ts';
import { ada, lookAt, openRig } from './rig.ts';

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
  it('is answered so, and succeeds once there is room', async () => {
    await using node = openTestBucket().node({ quotaLimits: () => ({ octets: null, messages: 1 }) });
    const account = await openProvisioned(node);
    const to = (number: number) => deliver(node.accounts, testAccount, 'me@example.com', message(number));
    expect(await to(1)).toEqual({ kind: 'delivered', mailbox: 'inbox' });
    expect(await to(2)).toEqual({ kind: 'full', reason: expect.stringMatching(/full/) });
    await account.transact((tx) => tx.destroyEmails([[1, 1]]));
    expect(await to(2)).toEqual({ kind: 'delivered', mailbox: 'inbox' });
    expect(account.read((reader) => reader.quota().usage.messages)).toBe(1);
  });

  it('from SES is held with the reason, and released when there is room', async () => {
    let messages = 0;
    const rig = await openRig({ quotaLimits: () => ({ octets: null, messages }) });
    const bytes = fixture('clean.eml');
    const name = idOf(bytes);
    await rig.store.put(`inbound/${name}`, bytes);
    expect(await rig.pipeline.ingest({ key: `inbound/${name}` })).toEqual({ kind: 'held', reason: 'accountFull', name });
    expect((await rig.pipeline.held.get(name))?.record).toMatchObject({
      kind: 'failed',
      reason: 'accountFull',
      detail: 'The account is full: it may hold 0 messages.',
      recipients: ['ada@example.com'],
    });
    expect(await rig.pipeline.release(name)).toMatchObject({ kind: 'held', reason: 'accountFull' });
    messages = 1;
    expect((await rig.pipeline.release(name))?.kind).toBe('delivered');
    expect((await lookAt(rig.bucket, ada)).inbox.map((email) => email.bytes.equals(bytes))).toEqual([true]);
    expect(await rig.pipeline.held.get(name)).toBeUndefined();
  });
});
