import { describe, expect, test } from 'vitest';
import type { ReceiptEvent } from '../../../indexer/ses/events.ts';
import { decodeEvents } from '../../../indexer/ses/events.ts';
import { StorageError } from '../../../protocol/mail/errors.ts';
import { fixture, idOf, sesMessage } from './fixtures.ts';
import { ada, ben, countingStore, keysUnder, lookAt, openRig, TestRecipients } from './rig.ts';

const receiptIn = (name: string, changes: Partial<ReceiptEvent> = {}) =>
  ({ ...decodeEvents(fixture(name).toString())[0], ...changes }) as ReceiptEvent;

async function putFixture(rig: { bucket: { store: { put(key: string, body: Uint8Array): Promise<unknown> } } }, name: string) {
  const message = fixture(name);
  const key = `inbound/${idOf(message)}`;
  await rig.bucket.store.put(key, message);
  return { key, message };
}

describe('an object', () => {
  test('goes byte for byte into the INBOX of its recipient, and out of the queue', async () => {
    const rig = await openRig();
    const { key, message } = await putFixture(rig, 'clean.eml');
    expect((await rig.pipeline.ingest({ key })).kind).toBe('delivered');
    const { inbox, junk } = await lookAt(rig.bucket, ada);
    expect(inbox).toHaveLength(1);
    expect(inbox[0]!.bytes.equals(message)).toBe(true);
    expect(inbox[0]).toMatchObject({ keywords: [], subject: 'A clean message' });
    expect(inbox[0]!.delivery).toEqual({
      source: 'ses',
      sesMessageId: idOf(message),
      envelopeFrom: 'noor@sender.example',
      envelopeTo: 'ada@example.com',
      spam: 'PASS',
      virus: 'PASS',
      spf: 'PASS',
      dkim: 'PASS',
      dmarc: 'PASS',
    });
    expect(junk).toEqual([]);
    expect(await keysUnder(rig.bucket.store, 'inbound/')).toEqual([]);
    expect(rig.events).toMatchObject([{ kind: 'delivered', account: ada, address: 'ada@example.com', mailbox: 'inbox' }]);
  });

  test.each(['spam.eml', 'forged.eml'])('that SES called spam goes into Junk with $junk: %s', async (name) => {
    const rig = await openRig();
    await rig.pipeline.ingest(await putFixture(rig, name));
    const { inbox, junk } = await lookAt(rig.bucket, ada);
    expect(inbox).toEqual([]);
    expect(junk).toMatchObject([{ keywords: ['$junk'], delivery: { spam: 'FAIL' } }]);
  });

  test('with a virus is held, and nobody gets it', async () => {
    const rig = await openRig();
    const { key, message } = await putFixture(rig, 'virus.eml');
    expect(await rig.pipeline.ingest({ key })).toEqual({ kind: 'held', reason: 'verdict', name: idOf(message) });
    expect((await lookAt(rig.bucket, ada)).inbox).toEqual([]);
    const held = await rig.pipeline.held.get(idOf(message));
    expect(held?.bytes.equals(message)).toBe(true);
    expect(held?.record).toMatchObject({
      kind: 'quarantine',
      detail: 'X-SES-Virus-Verdict: FAIL',
      recipients: ['ada@example.com'],
      envelopeFrom: 'noor@sender.example',
    });
    expect(await keysUnder(rig.bucket.store, 'inbound/')).toEqual([]);
  });

  test('that policy drops is counted and gone', async () => {
    const rig = await openRig({ verdicts: [{ header: 'X-SES-Spam-Verdict', equals: 'FAIL', action: 'drop' }] });
    expect(await rig.pipeline.ingest(await putFixture(rig, 'spam.eml'))).toEqual({ kind: 'dropped' });
    expect(rig.events).toMatchObject([{ kind: 'dropped', because: 'X-SES-Spam-Verdict: FAIL' }]);
    expect(await keysUnder(rig.bucket.store, '')).toEqual([]);
  });

  test('dropped by hand goes to the address in its name, or to those its header names', async () => {
    const rig = await openRig();
    await rig.bucket.store.put('inbound/ben@example.com/note', Buffer.from('Subject: by name\r\nTo: ada@example.com\r\n\r\nx'));
    await rig.bucket.store.put('inbound/by-hand.eml', Buffer.from('Subject: by header\nTo: ada@example.com, Ben+x@Example.com\n\nx'));
    await rig.pipeline.ingest({ key: 'inbound/ben@example.com/note' });
    await rig.pipeline.ingest({ key: 'inbound/by-hand.eml' });
    expect((await lookAt(rig.bucket, ada)).inbox.map((message) => message.subject)).toEqual(['by header']);
    expect((await lookAt(rig.bucket, ben)).inbox.map((message) => message.subject)).toEqual(['by name', 'by header']);
  });

  test('costs one charged request', async () => {
    let counts: Record<string, number> = {};
    const rig = await openRig({
      through: (store) => {
        const counting = countingStore(store);
        counts = counting.counts;
        return counting.counted;
      },
    });
    await lookAt(rig.bucket, ada);
    const { key, message } = await putFixture(rig, 'clean.eml');
    await rig.node.accounts.open(ada);
    for (const name of Object.keys(counts)) delete counts[name];
    await rig.pipeline.ingest({ key, size: message.length });
    expect(counts).toEqual({ putIfAbsent: 1, deleteMany: 1 });
  });

  test('that SES wrote is copied inside the store where that pays, and only then', async () => {
    let counts: Record<string, number> = {};
    const through = (store: Parameters<typeof countingStore>[0]) => {
      const counting = countingStore(store);
      counts = counting.counts;
      return counting.counted;
    };
    const rig = await openRig({ through, copyBytesMin: 100 });
    const { key, message } = await putFixture(rig, 'clean.eml');
    await rig.pipeline.ingest({ key });
    expect(counts).toMatchObject({ copy: 1 });
    expect(counts['put']).toBeUndefined();
    expect((await lookAt(rig.bucket, ada)).inbox[0]!.bytes.equals(message)).toBe(true);
    await rig.bucket.store.put('inbound/other-name', message);
    await rig.pipeline.ingest({ key: 'inbound/other-name' });
    expect(counts).toMatchObject({ copy: 1 });
    expect(counts['put']).toBeUndefined();
  });
});

describe('what cannot be delivered', () => {
  test('for nobody here is held with the address, and delivered on release once there is somebody', async () => {
    const rig = await openRig();
    const message = sesMessage('unknown1', 'eve@example.com');
    await rig.bucket.store.put('inbound/unknown1', message);
    expect(await rig.pipeline.ingest({ key: 'inbound/unknown1' })).toMatchObject({ kind: 'held', reason: 'unknownRecipient' });
    expect(await rig.pipeline.held.list()).toMatchObject({
      messages: [{ name: 'unknown1', record: { kind: 'failed', recipients: ['eve@example.com'], sesMessageId: 'unknown1' } }],
    });
    expect((await rig.pipeline.release('unknown1'))?.kind).toBe('held');
    expect(await keysUnder(rig.bucket.store, 'failed/')).toEqual(['failed/unknown1', 'failed/unknown1.json']);
    rig.recipients.known.set('eve@example.com', [ada]);
    expect((await rig.pipeline.release('unknown1'))?.kind).toBe('delivered');
    expect((await lookAt(rig.bucket, ada)).inbox[0]!.bytes.equals(message)).toBe(true);
    expect(await keysUnder(rig.bucket.store, 'failed/')).toEqual([]);
  });

  test('for some is delivered to the others, and released to those only', async () => {
    const rig = await openRig();
    const { key, message } = await putFixture(rig, 'many-recipients.eml');
    const receipt = receiptIn('receipt-many.json');
    expect((await rig.pipeline.ingest({ key, receipts: [receipt] })).kind).toBe('delivered');
    const held = await rig.pipeline.held.get(idOf(message));
    expect(held?.record).toMatchObject({ reason: 'unknownRecipient', recipients: ['cleo@example.com'] });
    expect(held?.record?.deliveredTo).toEqual(['ada@example.com', 'ben+lists@example.com']);
    rig.recipients.known.set('cleo@example.com', [ben]);
    await rig.pipeline.release(idOf(message));
    expect((await lookAt(rig.bucket, ben)).inbox).toHaveLength(1);
    await rig.bucket.store.put(key, message);
    await rig.pipeline.ingest({ key, receipts: [receipt] });
    expect((await lookAt(rig.bucket, ada)).inbox).toHaveLength(1);
  });

  test('is released to one of several, stays for the others, and does not come back with the sweep', async () => {
    const rig = await openRig();
    await rig.bucket.store.put('inbound/v1', sesMessage('v1', 'team@example.com', { virus: 'FAIL' }));
    const receipt = { ...receiptIn('receipt-many.json'), sesMessageId: 'v1', recipients: ['ada@example.com', 'ben@example.com'] };
    const receipts = [{ ...receipt, results: { virus: 'FAIL' } }];
    await rig.pipeline.ingest({ key: 'inbound/v1', receipts, isKept: true });
    expect((await rig.pipeline.release('v1', ['ADA@example.com']))?.kind).toBe('delivered');
    expect([(await lookAt(rig.bucket, ada)).inbox.length, (await lookAt(rig.bucket, ben)).inbox.length]).toEqual([1, 0]);
    expect((await rig.pipeline.held.get('v1'))?.record).toMatchObject({
      recipients: ['ben@example.com'],
      deliveredTo: ['ada@example.com'],
    });
    expect(await keysUnder(rig.bucket.store, 'inbound/')).toEqual([]);
    expect((await rig.pipeline.release('v1'))?.kind).toBe('delivered');
    expect([(await lookAt(rig.bucket, ada)).inbox.length, (await lookAt(rig.bucket, ben)).inbox.length]).toEqual([1, 1]);
    expect(await keysUnder(rig.bucket.store, 'failed/')).toEqual([]);
  });

  test('with a virus is delivered on release; its other verdicts still count', async () => {
    const rig = await openRig();
    await rig.pipeline.ingest(await putFixture(rig, 'virus.eml'));
    expect((await rig.pipeline.release(idOf(fixture('virus.eml'))))?.kind).toBe('delivered');
    expect((await lookAt(rig.bucket, ada)).inbox).toHaveLength(1);
  });

  test.each<[string, string, Buffer, string, readonly string[]]>([
    ['too large', 'big1', sesMessage('big1', 'ada@example.com', { body: 'x'.repeat(1024 * 1024) }), 'tooLarge', ['ada@example.com']],
    ['empty', 'empty1', Buffer.alloc(0), 'empty', []],
    ['without any recipient', 'to-nobody', Buffer.from('Subject: x\r\n\r\n'), 'noRecipient', []],
    ['only for people elsewhere', 'elsewhere', Buffer.from('To: a@else.example\r\n\r\n'), 'unknownRecipient', ['a@else.example']],
  ])('because it is %s is held with the reason', async (_, name, message, reason, recipients) => {
    const rig = await openRig();
    await rig.bucket.store.put(`inbound/${name}`, message);
    expect(await rig.pipeline.ingest({ key: `inbound/${name}` })).toEqual({ kind: 'held', reason, name });
    const held = await rig.pipeline.held.get(name);
    expect(held?.bytes.equals(message)).toBe(true);
    expect(held?.record).toMatchObject({ reason, recipients, octets: message.length });
    expect(await keysUnder(rig.bucket.store, 'inbound/')).toEqual([]);
  });

  test('because SES encrypted it is held, not shown as noise', async () => {
    const rig = await openRig();
    const store = rig.bucket.store as unknown as { put(key: string, body: Uint8Array, options: object): Promise<void> };
    await store.put('inbound/enc1', Buffer.from('ciphertext'), { metadata: { 'x-amz-key-v2': 'a2V5' } });
    expect(await rig.pipeline.ingest({ key: 'inbound/enc1' })).toMatchObject({ kind: 'held', reason: 'encrypted' });
  });

  test('for recipients of different rules is released to those who are there, and stays held for the others', async () => {
    const verdicts = [
      { header: 'X-SES-Spam-Verdict', equals: 'FAIL', recipients: ['eve@example.com'], action: 'junk' },
      { header: 'X-SES-Virus-Verdict', equals: 'FAIL', action: 'quarantine' },
    ] as const;
    const rig = await openRig({ verdicts });
    const key = 'inbound/scoped1';
    await rig.bucket.store.put(key, sesMessage('scoped1', 'eve@example.com', { virus: 'FAIL' }));
    const receipt = receiptIn('receipt-clean.json', {
      sesMessageId: 'scoped1',
      recipients: ['eve@example.com', 'ada@example.com'],
      results: { virus: 'FAIL' },
    });
    await rig.pipeline.ingest({ key, receipts: [receipt] });
    const namesOf = async () => (await rig.pipeline.held.list()).messages.map(({ name, record }) => `${name} ${record?.recipients}`);
    expect(await namesOf()).toEqual(['scoped1 eve@example.com', 'scoped1~1 ada@example.com']);
    // Both at once, as an administrator may: Eve is not here.
    expect((await rig.pipeline.release('scoped1', ['eve@example.com', 'ada@example.com']))?.kind).toBe('delivered');
    expect((await lookAt(rig.bucket, ada)).inbox).toHaveLength(1);
    expect(await namesOf()).toEqual(['scoped1~0 eve@example.com', 'scoped1~1 ada@example.com']);
    rig.recipients.known.set('eve@example.com', [ben]);
    await rig.pipeline.release('scoped1~0');
    expect((await lookAt(rig.bucket, ben)).inbox).toHaveLength(1);
  });

  test('because it makes us throw is tried three times, then held; others are not held up', async () => {
    const recipients = new TestRecipients();
    const rig = await openRig({ recipients });
    recipients.failure = new TypeError('a bug');
    await rig.bucket.store.put('inbound/poison', sesMessage('poison', 'ada@example.com'));
    expect(await rig.pipeline.ingest({ key: 'inbound/poison' })).toMatchObject({ kind: 'held', reason: 'error' });
    expect(rig.events.map((event) => event.kind)).toEqual(['faulted', 'faulted', 'faulted', 'held']);
    expect((await rig.pipeline.held.get('poison'))?.record).toMatchObject({
      detail: expect.stringContaining('a bug'),
      recipients: ['ada@example.com'],
    });
    recipients.failure = undefined;
    expect((await rig.pipeline.release('poison'))?.kind).toBe('delivered');
  });

  test("under another's name is held beside it", async () => {
    const rig = await openRig();
    for (const text of ['one', 'two', 'one']) {
      await rig.bucket.store.put('inbound/note.json', Buffer.from(`To: eve@example.com\r\n\r\n${text}`));
      await rig.pipeline.ingest({ key: 'inbound/note.json' });
    }
    const { messages } = await rig.pipeline.held.list();
    expect(messages).toHaveLength(2);
    const bodies = await Promise.all(messages.map(async ({ name }) => (await rig.pipeline.held.get(name))!.bytes.toString().slice(-3)));
    expect(bodies.sort()).toEqual(['one', 'two']);
    await rig.pipeline.held.remove(messages[0]!.name);
    expect((await rig.pipeline.held.list()).messages).toHaveLength(1);
  });

  test('is listed by pages and kinds', async () => {
    const rig = await openRig();
    for (let i = 0; i < 5; i++) {
      await rig.bucket.store.put(`inbound/u${i}`, sesMessage(`u${i}`, 'eve@example.com', i === 2 ? { virus: 'FAIL' } : {}));
      await rig.pipeline.ingest({ key: `inbound/u${i}` });
    }
    const first = await rig.pipeline.held.list({ limit: 2 });
    expect([first.messages.map(({ name }) => name), first.next]).toEqual([['u0', 'u1'], 'u1']);
    const rest = await rig.pipeline.held.list({ limit: 9, after: first.next });
    expect([rest.messages.map(({ name }) => name), rest.next]).toEqual([['u2', 'u3', 'u4'], undefined]);
    expect((await rig.pipeline.held.list({ kind: 'quarantine' })).messages.map(({ name }) => name)).toEqual(['u2']);
  });

  test("is not SES's setup notification, which is only removed", async () => {
    const rig = await openRig();
    await rig.bucket.store.put('inbound/AMAZON_SES_SETUP_NOTIFICATION', fixture('setup-notification.eml'));
    expect(await rig.pipeline.ingest({ key: 'inbound/AMAZON_SES_SETUP_NOTIFICATION' })).toEqual({ kind: 'skipped' });
    expect(await keysUnder(rig.bucket.store, '')).toEqual([]);
  });
});

describe('a receipt', () => {
  test('does not say how large its message is: it counts among the bytes in flight all the same', async () => {
    let largest = 0;
    const recipients = new TestRecipients();
    const rig = await openRig({ recipients });
    const asked = recipients.resolveRecipient.bind(recipients);
    recipients.resolveRecipient = (address) => {
      largest = Math.max(largest, rig.pipeline.load.bytes);
      return asked(address);
    };
    const { key, message } = await putFixture(rig, 'clean.eml');
    await rig.pipeline.ingest({ key, receipts: [receiptIn('receipt-clean.json')] });
    expect(largest).toBe(message.length);
  });

  test('brings recipients that no header names, also spread over several receipts', async () => {
    const rig = await openRig();
    const { key } = await putFixture(rig, 'clean.eml');
    const receipts = [receiptIn('receipt-clean.json'), receiptIn('receipt-clean.json', { recipients: ['ben@example.com'] })];
    await rig.pipeline.ingest({ key, receipts });
    expect((await lookAt(rig.bucket, ada)).inbox).toHaveLength(1);
    expect((await lookAt(rig.bucket, ben)).inbox).toMatchObject([{ delivery: { envelopeTo: 'ben@example.com' } }]);
  });

  test('that comes for an object kept before adds its recipients only', async () => {
    const rig = await openRig();
    const { key } = await putFixture(rig, 'clean.eml');
    await rig.pipeline.ingest({ key, isKept: true, receipts: [receiptIn('receipt-clean.json')] });
    expect(await keysUnder(rig.bucket.store, 'inbound/')).toEqual([key]);
    await rig.pipeline.ingest({ key, receipts: [receiptIn('receipt-clean.json', { recipients: ['team@example.com'] })] });
    expect((await lookAt(rig.bucket, ada)).inbox).toHaveLength(1);
    expect((await lookAt(rig.bucket, ben)).inbox).toHaveLength(1);
    expect(await keysUnder(rig.bucket.store, 'inbound/')).toEqual([]);
  });

  test('outranks the header block', async () => {
    const rig = await openRig();
    await rig.pipeline.ingest({
      ...(await putFixture(rig, 'clean.eml')),
      receipts: [receiptIn('receipt-clean.json', { results: { spam: 'FAIL' } })],
    });
    expect((await lookAt(rig.bucket, ada)).junk).toHaveLength(1);
    await rig.pipeline.ingest({
      ...(await putFixture(rig, 'spam.eml')),
      receipts: [receiptIn('receipt-spam.json', { results: { spam: 'PASS' } })],
    });
    expect((await lookAt(rig.bucket, ada)).inbox).toHaveLength(1);
  });
});

describe('once', () => {
  test('is how often a message comes that is announced three times, also to who has moved it since', async () => {
    const rig = await openRig();
    for (let i = 0; i < 3; i++) {
      await rig.pipeline.ingest(await putFixture(rig, 'clean.eml'));
      if (i > 0) continue;
      const account = await rig.node.accounts.open(ada);
      await account.transact((tx) => tx.destroyEmails([[1, 1]]));
    }
    expect((await lookAt(rig.bucket, ada)).inbox).toEqual([]);
    expect(rig.events.map((event) => event.kind)).toEqual(['delivered', 'duplicate', 'duplicate']);
  });

  test('is how often it comes when announced at once, on two nodes', async () => {
    const one = await openRig();
    const two = await openRig({ bucket: one.bucket });
    for (let i = 0; i < 10; i++) await one.bucket.store.put(`inbound/m${i}`, sesMessage(`m${i}`, 'team@example.com'));
    const work = Array.from({ length: 60 }, (_, i) => (i % 2 ? one : two).pipeline.ingest({ key: `inbound/m${i % 10}` }));
    await Promise.all(work);
    for (const account of [ada, ben]) {
      const subjects = (await lookAt(one.bucket, account)).inbox.map((message) => message.subject);
      expect(subjects.sort()).toEqual(Array.from({ length: 10 }, (_, i) => `Message m${i}`));
    }
    expect(await keysUnder(one.bucket.store, 'inbound/')).toEqual([]);
  });

  test('does not keep a second message of the same text under another name away', async () => {
    const rig = await openRig();
    const message = Buffer.from('To: ada@example.com\r\n\r\nsame');
    for (const name of ['x', 'y']) {
      await rig.bucket.store.put(`inbound/${name}`, message);
      await rig.pipeline.ingest({ key: `inbound/${name}` });
    }
    expect((await lookAt(rig.bucket, ada)).inbox).toHaveLength(2);
  });
});

test('a directory that cannot be asked postpones: nothing is lost or held', async () => {
  const recipients = new TestRecipients();
  const rig = await openRig({ recipients });
  recipients.failure = new StorageError('unavailable', 'the store is away');
  const { key } = await putFixture(rig, 'clean.eml');
  await expect(rig.pipeline.ingest({ key })).rejects.toMatchObject({ code: 'unavailable' });
  expect(await keysUnder(rig.bucket.store, '')).toEqual([key]);
  recipients.failure = undefined;
  expect((await rig.pipeline.ingest({ key })).kind).toBe('delivered');
});
