/**
 * What SES, S3 and senders may say that is forged, late, twice, or at odds with something else said about the same message: whom it reaches, where it
 * lands, and what an administrator finds.
 */
import { describe, expect, test } from 'vitest';
import type { ReceiptEvent } from '../../../indexer/ses/events.ts';
import { sesHeaderBlock } from '../../support/ses-message.ts';
import { fixture, sesMessage } from './fixtures.ts';
import { ada, ben, keysUnder, lookAt, openRig } from './rig.ts';
import { bearer, openSource, topic } from './source-rig.ts';

const bucket = 'satchel-demo';
const id = 'k3v9contradictory0';
const sender = 'noor@sender.example';
const body = ['From: <noor@sender.example>', 'To: list@elsewhere.example', 'Subject: x', '', 'Text.', ''].join('\r\n');
const block = (changes: Partial<Parameters<typeof sesHeaderBlock>[0]> = {}) =>
  sesHeaderBlock({ id, to: 'ada@example.com', sender, ...changes });

describe("a header block of SES's", () => {
  /** What the sweep makes of the object alone. */
  async function sweepUp(message: string, key = `inbound/${id}`) {
    const rig = await openRig();
    await rig.bucket.store.put(key, Buffer.from(message));
    const outcome = await rig.pipeline.ingest({ key });
    const [atAda, atBen] = await Promise.all([lookAt(rig.bucket, ada), lookAt(rig.bucket, ben)]);
    return {
      outcome,
      inbox: atAda.inbox.length,
      junk: atAda.junk.length,
      ben: atBen.inbox.length + atBen.junk.length,
      first: [...atAda.inbox, ...atAda.junk][0],
    };
  }

  test('that the sender repeated below it, with another verdict, does not count', async () => {
    expect(await sweepUp(block({ spam: 'FAIL' }) + block({ spam: 'PASS' }) + body)).toMatchObject({ inbox: 0, junk: 1 });
    expect(await sweepUp(block({ spam: 'PASS' }) + block({ spam: 'FAIL' }) + body)).toMatchObject({ inbox: 1, junk: 0 });
  });

  test('that the sender repeated below it for somebody else leads nobody there', async () => {
    expect(await sweepUp(block() + block({ to: 'ben@example.com' }) + body)).toMatchObject({ inbox: 1, ben: 0 });
  });

  test('with two verdicts in it says the first', async () => {
    const twice = (first: string, second: string) =>
      block().replace('X-SES-Spam-Verdict: PASS', `X-SES-Spam-Verdict: ${first}\r\nX-SES-Spam-Verdict: ${second}`) + body;
    expect(await sweepUp(twice('FAIL', 'PASS'))).toMatchObject({ junk: 1 });
    expect(await sweepUp(twice('PASS', 'FAIL'))).toMatchObject({ inbox: 1 });
  });

  test.each(['MAYBE', '', 'PASS; FAIL'])('with a verdict that nobody knows (%j) keeps the message out of Junk', async (verdict) => {
    expect(await sweepUp(block().replace('X-SES-Spam-Verdict: PASS', `X-SES-Spam-Verdict: ${verdict}`) + body)).toMatchObject({ inbox: 1 });
  });

  test('with a verdict in small letters means the same', async () => {
    expect(await sweepUp(block().replace('X-SES-Spam-Verdict: PASS', 'X-SES-Spam-Verdict: fail') + body)).toMatchObject({ junk: 1 });
  });

  test('of another message, in one dropped by hand, clears nothing and names nobody', async () => {
    const cleared = await sweepUp(`${block()}${body}`, 'inbound/by-hand');
    expect(cleared.first?.delivery?.spam).toBeUndefined();
    expect(await sweepUp(block({ spam: 'FAIL' }) + body, 'inbound/ben@example.com/by-hand')).toMatchObject({ ben: 1, inbox: 0 });
  });

  test('that speaks of a virus, in one dropped by hand, has the message held and not dropped', async () => {
    expect(await sweepUp(block({ virus: 'FAIL' }) + body, 'inbound/ada@example.com/by-hand')).toMatchObject({
      outcome: { kind: 'held', reason: 'verdict' },
      inbox: 0,
    });
  });

  test('that is not there leaves the message without results, and its other fields are only a guess at whom it is for', async () => {
    const forged = `X-SES-Spam-Verdict: PASS\r\nX-SES-Virus-Verdict: PASS\r\nAuthentication-Results: amazonses.com;\r\n dmarc=pass;\r\nTo: ada@example.com\r\n\r\nx`;
    const { first } = await sweepUp(forged);
    expect(first?.delivery).toMatchObject({ source: 'inbound' });
    expect(first?.delivery?.spam ?? first?.delivery?.dmarc).toBeUndefined();
  });

  test.each<[string, string, string | undefined]>([
    ['two DKIM signatures, one of them good', ' dkim=fail header.i=@a.example;\r\n dkim=pass header.i=@b.example;', 'PASS'],
    ['no signature', '', undefined],
    ['a signature that cannot be checked now', ' dkim=temperror header.i=@a.example;', 'PROCESSING_FAILED'],
  ])('tells of %s', async (_what, lines, dkim) => {
    const text = block().replace(` dkim=pass header.i=@sender.example;\r\n`, lines === '' ? '' : `${lines}\r\n`);
    expect((await sweepUp(text + body)).first?.delivery?.dkim).toBe(dkim);
  });

  test.each([
    ['a bounce', '', ''],
    ['a sender of a list', 'list-bounces+ada=example.com@lists.example', 'list-bounces+ada=example.com@lists.example'],
    ['a sender that looks like a result', 'dmarc=pass@evil.example', 'dmarc=pass@evil.example'],
  ])('has the envelope sender of %s', async (_what, from, envelopeFrom) => {
    expect((await sweepUp(block({ sender: from }) + body)).first?.delivery).toMatchObject({ envelopeFrom });
  });

  test('stands above lines of any length and bytes of any kind, and the message comes in byte for byte', async () => {
    const message = `${block()}X-Long: ${'y'.repeat(70_000)}\r\nSubject: \xfc\xff\r\nTo: ada@example.com\r\n\r\n\0\x80`;
    expect((await sweepUp(message)).first?.bytes.equals(Buffer.from(message))).toBe(true);
  });
});

/** A receipt of the S3 action, with changes at will. */
function receipt({ mail = {}, receipt: part = {}, action = {} }: { mail?: object; receipt?: object; action?: object } = {}) {
  const clean = JSON.parse(fixture('receipt-clean.json').toString());
  const object = { bucketName: bucket, objectKeyPrefix: 'inbound/', objectKey: `inbound/${id}` };
  return {
    ...clean,
    mail: { ...clean.mail, messageId: id, ...mail },
    receipt: { ...clean.receipt, ...part, action: { ...clean.receipt.action, ...object, ...action } },
  };
}
const asStatus = (status: string) => ({ status });
const bySns = (message: object | string, topicArn = topic) =>
  JSON.stringify({
    Type: 'Notification',
    TopicArn: topicArn,
    MessageId: 'm',
    Message: typeof message === 'string' ? message : JSON.stringify(message),
  });

async function open(message = block() + body, key = `inbound/${id}`) {
  const rig = await openSource();
  await rig.bucket.store.put(key, Buffer.from(message));
  const posted = (event: object | string) => rig.post(typeof event === 'string' ? event : JSON.stringify(event), bearer);
  const junk = async () => (await lookAt(rig.bucket, ada)).junk.length;
  return { ...rig, posted, junk };
}

describe('a receipt', () => {
  test('outranks the block, whichever of them is the worse', async () => {
    const good = await open(block({ spam: 'FAIL' }) + body);
    await good.posted(receipt());
    expect(await good.inboxSizes()).toMatchObject({ ada: 1 });
    const bad = await open(block() + body);
    await bad.posted(receipt({ receipt: { spamVerdict: asStatus('FAIL') } }));
    expect([await bad.inboxSizes(), await bad.junk()]).toMatchObject([{ ada: 0 }, 1]);
  });

  test("goes to its recipients, and neither to the header's nor to the one that the block names", async () => {
    const rig = await open(block({ to: 'ada@example.com' }) + body.replace('list@elsewhere.example', 'cleo@example.com'));
    await rig.posted(receipt({ mail: { destination: ['cleo@example.com'] }, receipt: { recipients: ['ben@example.com'] } }));
    expect(await rig.inboxSizes()).toEqual({ ada: 0, ben: 1, cleo: 0 });
  });

  test.each<[string, string, string]>([
    ['nobody', '', ''],
    ['<>', '<>', ''],
    ['the name of the mail system', 'MAILER-DAEMON', ''],
    ["another than the block's", 'else@sender.example', 'else@sender.example'],
  ])('whose source is %s gives the envelope sender', async (_what, source, envelopeFrom) => {
    const rig = await open();
    await rig.posted(receipt({ mail: { source } }));
    expect((await lookAt(rig.bucket, ada)).inbox[0]!.delivery).toMatchObject({ envelopeFrom });
  });

  test('in which fields have shapes of older days is read', async () => {
    const rig = await open();
    const odd = receipt({
      mail: { commonHeaders: { sender: ['a@b.example'] }, headersTruncated: true },
      receipt: { dmarcPolicy: 'REJECT', surprise: 1 },
    });
    expect(await rig.posted(odd)).toMatchObject({ status: 200 });
    expect(await rig.inboxSizes()).toMatchObject({ ada: 1 });
  });

  test.each<[string, object]>([
    ['without its prefix', { objectKey: id }],
    ['with it', { objectKey: `inbound/${id}` }],
    ['with no prefix given', { objectKeyPrefix: undefined }],
    ['with a prefix without its slash', { objectKeyPrefix: 'inbound', objectKey: id }],
  ])('finds the object whose key it gives %s', async (_what, action) => {
    const rig = await open();
    await rig.posted(receipt({ action }));
    expect(await rig.inboxSizes()).toMatchObject({ ada: 1 });
  });

  test('means its key letter by letter: nothing in it is an escape', async () => {
    const key = `inbound/a+b%2B%20c ü/${id}`;
    const rig = await open(block() + body, key);
    await rig.posted(receipt({ action: { objectKey: key, objectKeyPrefix: 'inbound/a+b%2B%20c ü' } }));
    expect(await rig.inboxSizes()).toMatchObject({ ada: 1 });
  });

  test('of a rule that writes into another bucket is none of ours: nothing is reported lost', async () => {
    const rig = await open();
    const elsewhere = receipt({
      receipt: { recipients: ['ben@example.com'] },
      action: { bucketName: 'archive', objectKey: `copies/${id}` },
    });
    expect(await rig.posted(elsewhere)).toMatchObject({ status: 200 });
    expect(rig.events).toMatchObject([{ kind: 'ignored' }]);
    await rig.posted(receipt());
    expect((await rig.pipeline.held.list()).messages).toEqual([]);
    expect(await rig.inboxSizes()).toEqual({ ada: 1, ben: 0, cleo: 0 });
  });

  test('of our bucket, but of another place in it, is reported: mail is lost to those it names', async () => {
    const rig = await open();
    await rig.posted(receipt({ action: { objectKey: `elsewhere/${id}`, objectKeyPrefix: 'elsewhere/' } }));
    expect((await rig.pipeline.held.list()).messages).toMatchObject([
      { record: { reason: 'objectGone', recipients: ['ada@example.com'] } },
    ]);
  });

  test('for nobody here is held, with its recipients', async () => {
    const rig = await open();
    await rig.posted(receipt({ receipt: { recipients: ['a@elsewhere.example', 'nobody@example.com'] } }));
    expect((await rig.pipeline.held.list()).messages).toMatchObject([
      { record: { reason: 'unknownRecipient', recipients: ['a@elsewhere.example', 'nobody@example.com'] } },
    ]);
  });

  test('for some here and some elsewhere is delivered, and held for the others', async () => {
    const rig = await open();
    await rig.posted(receipt({ receipt: { recipients: ['a@elsewhere.example', 'ADA+Lists@Example.COM', 'ada@example.com'] } }));
    expect(await rig.inboxSizes()).toMatchObject({ ada: 1 });
    expect((await rig.pipeline.held.list()).messages).toMatchObject([{ record: { recipients: ['a@elsewhere.example'] } }]);
  });

  test('without any recipient falls back on what the object says', async () => {
    const rig = await open();
    await rig.posted(receipt({ receipt: { recipients: [] } }));
    expect(await rig.inboxSizes()).toMatchObject({ ada: 1 });
  });

  test('of a message that is held, and has left the inbound prefix, does not report it lost', async () => {
    const rig = await open(block({ virus: 'FAIL' }) + body);
    const infected = receipt({ receipt: { virusVerdict: asStatus('FAIL'), recipients: ['ada@example.com', 'nobody@example.com'] } });
    await rig.posted(infected);
    await rig.bucket.store.deleteMany([`inbound/${id}`]);
    await rig.posted(infected);
    expect((await rig.pipeline.held.list()).messages).toMatchObject([{ name: id, record: { kind: 'quarantine', reason: 'verdict' } }]);
    // Somebody whom another rule names is without it.
    await rig.posted(receipt({ receipt: { recipients: ['ben@example.com'] } }));
    expect((await rig.pipeline.held.list()).messages).toMatchObject([
      { name: id },
      { record: { reason: 'objectGone', recipients: ['ben@example.com'] } },
    ]);
  });

  test('that comes before its object is looked for once more', async () => {
    const rig = await openSource();
    const put = () => rig.bucket.store.put(`inbound/${id}`, Buffer.from(block() + body));
    rig.onSleep(put);
    await rig.post(JSON.stringify(receipt({ receipt: { recipients: ['ada@example.com', 'ben@example.com'] } })), bearer);
    expect(await rig.inboxSizes()).toMatchObject({ ada: 1, ben: 1 });
    expect((await rig.pipeline.held.list()).messages).toEqual([]);
  });

  test.each([
    ['bare', (message: object) => JSON.stringify(message)],
    ['as SNS wraps it', (message: object) => JSON.stringify({ Records: [{ EventSource: 'aws:sns', Sns: JSON.parse(bySns(message)) }] })],
    [
      'from a Lambda action',
      (message: object) => JSON.stringify({ Records: [{ eventSource: 'aws:ses', eventVersion: '1.0', ses: message }] }),
    ],
  ])('of the setup notification is passed over, %s, in any folder', async (_what, wrap) => {
    const rig = await openSource();
    const setup = receipt({
      mail: { messageId: 'AMAZON_SES_SETUP_NOTIFICATION' },
      action: { objectKeyPrefix: 'RootMail', objectKey: 'RootMail/AMAZON_SES_SETUP_NOTIFICATION' },
    });
    expect(await rig.post(wrap(setup), bearer)).toMatchObject({ status: 200 });
    expect(rig.events).toEqual([]);
    expect((await rig.pipeline.held.list()).messages).toEqual([]);
  });
});

describe('two receipts of one message', () => {
  const unite = async (one: object, other: object) => {
    const rig = await open();
    const records = [one, other].map((message) => ({ EventSource: 'aws:sns', Sns: JSON.parse(bySns(message)) }));
    await rig.posted({ Records: records });
    return rig;
  };

  test('that come together bring all recipients of both, each once', async () => {
    const rig = await unite(
      receipt({ receipt: { recipients: ['ada@example.com', 'ben@example.com'] } }),
      receipt({ receipt: { recipients: ['ben@example.com', 'cleo@example.com'] } }),
    );
    expect(await rig.inboxSizes()).toEqual({ ada: 1, ben: 1, cleo: 1 });
  });

  test.each<[string, string, number]>([
    ['DISABLED', 'FAIL', 1],
    ['FAIL', 'DISABLED', 1],
    ['PASS', 'FAIL', 1],
    ['FAIL', 'PASS', 1],
    ['DISABLED', 'PASS', 0],
  ])('that say %s and %s: the worse counts', async (one, other, junk) => {
    const say = (status: string) => receipt({ receipt: { spamVerdict: asStatus(status) } });
    const rig = await unite(say(one), say(other));
    expect(await rig.junk()).toBe(junk);
    const { inbox } = await lookAt(rig.bucket, ada);
    if (junk === 0) expect(inbox[0]!.delivery).toMatchObject({ spam: 'PASS' });
  });

  test('of which one is of a message long gone do not keep the other from its object', async () => {
    const rig = await unite(receipt({ mail: { messageId: 'gone0' }, action: { objectKey: 'inbound/gone0' } }), receipt());
    expect(await rig.inboxSizes()).toMatchObject({ ada: 1 });
    expect((await rig.pipeline.held.list()).messages).toMatchObject([{ name: 'gone0', record: { reason: 'objectGone' } }]);
  });
});

describe('an event of S3', () => {
  const s3Event = (key: string, changes: object = {}, object: object = {}) => ({
    Records: [
      {
        eventVersion: '2.6',
        eventSource: 'aws:s3',
        eventName: 'ObjectCreated:Put',
        s3: { bucket: { name: bucket }, object: { key, ...object } },
        ...changes,
      },
    ],
  });
  const eventBridge = (key: string) => ({
    source: 'aws.s3',
    'detail-type': 'Object Created',
    detail: { bucket: { name: bucket }, object: { key, size: 5 } },
  });

  test.each<[string, string, string]>([
    ['a space', 'inbound/ada@example.com/a b', 'inbound/ada%40example.com/a+b'],
    ['a plus', 'inbound/ada@example.com/a+b', 'inbound/ada@example.com/a%2Bb'],
    ['an escape in its name', 'inbound/ada@example.com/a%2Bb', 'inbound/ada@example.com/a%252Bb'],
    ['letters of anywhere', 'inbound/ada@example.com/März 会議', 'inbound/ada@example.com/M%C3%A4rz+%E4%BC%9A%E8%AD%B0'],
  ])('brings the object with %s in its key; EventBridge, which does not encode, brings it too', async (_what, key, encoded) => {
    for (const event of [s3Event(encoded), eventBridge(key), bySns(s3Event(encoded))]) {
      const rig = await open(body, key);
      const answer =
        typeof event === 'string'
          ? await rig.posted({ Records: [{ EventSource: 'aws:sns', Sns: JSON.parse(event) }] })
          : await rig.posted(event);
      expect(answer).toMatchObject({ status: 200 });
      expect(await rig.inboxSizes()).toMatchObject({ ada: 1 });
    }
  });

  test('that comes before its object, or after it has gone, is told of, and does nothing', async () => {
    const rig = await openSource();
    expect(await rig.post(JSON.stringify(s3Event(`inbound/${id}`)), bearer)).toMatchObject({ status: 200 });
    expect(rig.events).toEqual([{ kind: 'gone', key: `inbound/${id}`, source: 'http' }]);
  });

  test.each(['ObjectCreated:Copy', 'ObjectCreated:Post', 'ObjectCreated:CompleteMultipartUpload', 's3:ObjectCreated:Put'])(
    'is taken: %s',
    async (eventName) => {
      const rig = await open();
      await rig.posted(s3Event(`inbound/${id}`, { eventName }));
      expect(await rig.inboxSizes()).toMatchObject({ ada: 1 });
    },
  );

  test.each(['ObjectRemoved:Delete', 'ObjectRemoved:DeleteMarkerCreated', 'LifecycleExpiration:Delete', 'ObjectTagging:Put'])(
    'is passed over: %s',
    async (eventName) => {
      const rig = await open();
      expect(await rig.posted(s3Event(`inbound/${id}`, { eventName }))).toMatchObject({ status: 200 });
      expect(await rig.inboxSizes()).toMatchObject({ ada: 0 });
    },
  );

  test('that names a version brings what the name stands for now', async () => {
    const rig = await open();
    await rig.posted(s3Event(`inbound/${id}`, {}, { versionId: '096fKKXTRTtl3on89fVO.nfljtsv6qko', sequencer: '00', size: 3 }));
    expect(await rig.inboxSizes()).toMatchObject({ ada: 1 });
  });

  test.each([`failed/${id}`, `other/inbound/${id}`, `/inbound/${id}`, `inboun/${id}`])(
    'of %s, which is not where mail comes in, is passed over',
    async (key) => {
      const rig = await open();
      await rig.bucket.store.put(key.replace(/^\//, 'x/'), Buffer.from(block() + body));
      await rig.posted(s3Event(key));
      expect(rig.events).toMatchObject([{ kind: 'ignored' }]);
      expect(await rig.inboxSizes()).toMatchObject({ ada: 0 });
    },
  );

  test.each([
    ['bare', (text: string) => text],
    ['as SNS wraps it', (text: string) => JSON.stringify({ Records: [{ EventSource: 'aws:sns', Sns: JSON.parse(bySns(text)) }] })],
  ])('made to test the way is passed over, %s', async (_what, wrap) => {
    const rig = await openSource();
    expect(await rig.post(wrap(fixture('s3-test-event.json').toString()), bearer)).toMatchObject({ status: 200 });
    expect(rig.events).toEqual([]);
  });

  test('and the receipt, in either order, deliver once, to all that the receipt names', async () => {
    for (const order of [0, 1]) {
      const rig = await open();
      const both = [s3Event(`inbound/${id}`), receipt({ receipt: { recipients: ['ada@example.com', 'cleo@example.com'] } })];
      for (const event of order === 0 ? both : both.reverse()) await rig.posted(event);
      expect(await rig.inboxSizes()).toEqual({ ada: 1, ben: 0, cleo: 1 });
    }
  });
});

describe('the text of an event that is held', () => {
  const record = { version: 1, kind: 'failed', reason: 'event', detail: 'It came 7 times.', recipients: [], deliveredTo: [] } as const;
  const hold = async (rig: Awaited<ReturnType<typeof open>>, text: string) =>
    rig.pipeline.held.hold('event-1', { bytes: Buffer.from(text) }, { ...record, octets: text.length, receivedAt: '', heldAt: '' });

  test('brings its mail when it is released, to all that it names', async () => {
    const rig = await open();
    await hold(rig, bySns(receipt({ receipt: { recipients: ['ada@example.com', 'cleo@example.com'] } })));
    expect(await rig.mail.release('event-1')).toMatchObject({ kind: 'delivered' });
    expect(await rig.inboxSizes()).toEqual({ ada: 1, ben: 0, cleo: 1 });
    expect((await rig.pipeline.held.list()).messages).toEqual([]);
  });

  test('stays held when nobody can read it', async () => {
    const rig = await open();
    await hold(rig, 'no event');
    expect(await rig.mail.release('event-1')).toMatchObject({ kind: 'held', reason: 'event' });
    expect((await rig.pipeline.held.list()).messages).toHaveLength(1);
  });

  test('is none when it is mail', async () => {
    const rig = await open(block({ virus: 'FAIL' }) + body);
    await rig.posted(receipt({ receipt: { virusVerdict: asStatus('FAIL') } }));
    expect(await rig.mail.release(id)).toBeUndefined();
  });
});

test('a message that its owner has moved or removed since is not brought back by what comes late', async () => {
  const rig = await open();
  await rig.posted(receipt());
  const account = await rig.node.accounts.open(ada);
  await account.transact((tx) => tx.destroyEmails([[1, 1]]));
  await rig.posted(receipt());
  expect(await rig.inboxSizes()).toMatchObject({ ada: 0 });
});

test('the same text under two ids of SES is two messages: large senders split what they send', async () => {
  const rig = await openRig();
  for (const name of ['split1', 'split2']) {
    await rig.bucket.store.put(`inbound/${name}`, sesMessage(name, 'ada@example.com'));
    await rig.pipeline.ingest({ key: `inbound/${name}` });
  }
  expect((await lookAt(rig.bucket, ada)).inbox).toHaveLength(2);
  expect(await keysUnder(rig.bucket.store, 'inbound/')).toEqual([]);
});

/** The receipts of these tests are decoded as those of SES: a change of their shape would show here. */
test('the receipts above are receipts', async () => {
  const { decodeEvents } = await import('../../../indexer/ses/events.ts');
  const [event] = decodeEvents(JSON.stringify(receipt())) as [ReceiptEvent];
  expect(event).toMatchObject({ kind: 'receipt', sesMessageId: id, object: { bucket, key: `inbound/${id}` } });
});
