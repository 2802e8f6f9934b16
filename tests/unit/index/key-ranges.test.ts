/** Ranges of keys by prefix: whatever bytes a hash or number ends with. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseMessage } from '../../../indexer/parse-message.ts';
import { endOf } from '../../../storage/index/kv.ts';
import { openProvisioned, openTestBucket, rawMessage } from '../../support/open-accounts.ts';
import { ada } from '../indexer/rig.ts';

const bytes = (key: string) => Buffer.from(key, 'latin1');

test('a range by prefix has every key that begins with it, and no other', () => {
  const byte = fc.oneof(fc.constantFrom(0, 254, 255), fc.nat(255));
  const text = fc.array(byte, { maxLength: 6 }).map((codes) => String.fromCharCode(...codes));
  fc.assert(
    fc.property(text, text, (rest, other) => {
      const prefix = `I${rest}`;
      const isInside = (key: string) =>
        Buffer.compare(bytes(prefix), bytes(key)) <= 0 && Buffer.compare(bytes(key), bytes(endOf(prefix))) < 0;
      expect(isInside(prefix + other)).toBe(true);
      expect(isInside(`I${other}`)).toBe(`I${other}`.startsWith(prefix));
      expect(isInside(`J${other}`)).toBe(false);
    }),
  );
});

test('a reply finds its thread also when the hash of the message id ends with 255', async () => {
  const hashEnd = (id: string) => createHash('sha256').update(id).digest()[7];
  const id = Array.from({ length: 5000 }, (_, at) => `m${at}@example.com`).find((each) => hashEnd(each) === 255)!;
  const account = await openProvisioned(openTestBucket().node(), ada);
  const add = async (fields: Record<string, string>) => {
    const raw = rawMessage({ From: 'ada@example.com', ...fields });
    const upload = await account.upload(raw);
    const parsed = await parseMessage(raw);
    return account.transact(
      (tx) =>
        tx.addEmail({ blob: upload.ref, receivedAt: tx.at, keywords: [], mailboxes: [tx.mailboxByRole('inbox')!.id], ...parsed }).thread,
      { uploads: [upload] },
    );
  };
  const first = await add({ 'Message-ID': `<${id}>`, Subject: 'Boats' });
  expect(await add({ 'Message-ID': '<r@example.com>', 'In-Reply-To': `<${id}>`, Subject: 'Re: Boats' })).toBe(first);
});
