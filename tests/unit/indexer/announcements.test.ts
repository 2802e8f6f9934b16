/** What AWS may say of mail beyond its plain examples: each comes to the right place, with a reason, and nothing crashes. */
import { describe, expect, test } from 'vitest';
import { fixture, sesMessage } from './fixtures.ts';
import { ada, ben, lookAt } from './rig.ts';
import { bearer, openSource } from './source-rig.ts';

type Json = Record<string, unknown>;
interface Receipt {
  readonly id?: string;
  readonly recipients?: readonly string[];
  readonly mail?: Json;
  readonly receipt?: Json;
  readonly action?: Json;
  readonly top?: Json;
}

const id = 'm1';
const bucketName = 'satchel-demo';
const status = (word: string) => ({ status: word });

function receipt({ id: messageId = id, recipients = ['ada@example.com'], mail, receipt: more, action, top }: Receipt = {}): Json {
  const pass = status('PASS');
  return {
    notificationType: 'Received',
    mail: { timestamp: '2026-11-03T10:00:00.037Z', source: 'noor@sender.example', messageId, ...mail },
    receipt: {
      recipients,
      spamVerdict: pass,
      virusVerdict: pass,
      spfVerdict: pass,
      dkimVerdict: pass,
      dmarcVerdict: pass,
      action: action ?? { type: 'S3', bucketName, objectKeyPrefix: 'inbound/', objectKey: `inbound/${messageId}` },
      ...more,
    },
    ...top,
  };
}

function s3Record(key: string, more: Json = {}, object: Json = {}): Json {
  return {
    eventVersion: '2.1',
    eventSource: 'aws:s3',
    awsRegion: 'ap-southeast-2',
    eventName: 'ObjectCreated:Put',
    s3: { bucket: { name: bucketName }, object: { key, size: 700, eTag: 'e', sequencer: '00', ...object } },
    ...more,
  };
}
const s3 = (...records: Json[]) => ({ Records: records });
const eventBridge = (key: string, more: Json = {}, detail: Json = {}) => ({
  version: '0',
  'detail-type': 'Object Created',
  source: 'aws.s3',
  detail: {
    bucket: { name: bucketName },
    object: { key, size: 1, etag: 'e', 'version-id': 'v', sequencer: '00' },
    reason: 'PutObject',
    ...detail,
  },
  ...more,
});
const lambda = (...bodies: Json[]) => ({
  Records: bodies.map(({ mail, receipt: it }) => ({ eventSource: 'aws:ses', eventVersion: '1.0', ses: { mail, receipt: it } })),
});

interface Expected {
  readonly http?: number;
  /** Messages of Ada's INBOX, of Ben's, of Ada's Junk. */
  readonly mail?: readonly [number, number, number];
  readonly held?: readonly string[];
  /** What an event of the observer says. */
  readonly told?: RegExp;
}

const rows: [what: string, body: Json | string, expected: Expected, objects?: Readonly<Record<string, Buffer>>][] = [
  [
    "S3's event of a completed multipart upload",
    s3(s3Record('inbound/m1', { eventName: 'ObjectCreated:CompleteMultipartUpload' })),
    { mail: [1, 0, 0] },
  ],
  [
    "S3's event of a copy, with a version",
    s3(s3Record('inbound/m1', { eventName: 'ObjectCreated:Copy', eventVersion: '2.6' }, { versionId: 'v1' })),
    { mail: [1, 0, 0] },
  ],
  [
    "S3's event of a form's upload",
    s3(s3Record('inbound/m1', { eventName: 'ObjectCreated:Post', awsRegion: 'us-gov-west-1' })),
    { mail: [1, 0, 0] },
  ],
  ['a delete marker', s3(s3Record('inbound/m1', { eventName: 'ObjectRemoved:DeleteMarkerCreated' })), {}],
  ['an expiry', s3(s3Record('inbound/m1', { eventName: 'LifecycleExpiration:Delete' })), {}],
  ['a restored object', s3(s3Record('inbound/m1', { eventName: 'ObjectRestore:Completed' })), {}],
  [
    'a key with a plus for a space',
    s3(s3Record('inbound/a+b')),
    { mail: [1, 0, 0] },
    { 'inbound/a b': sesMessage('a b', 'ada@example.com') },
  ],
  [
    'a key with an escaped plus',
    s3(s3Record('inbound/a%2Bb')),
    { mail: [1, 0, 0] },
    { 'inbound/a+b': sesMessage('a+b', 'ada@example.com') },
  ],
  [
    'a key in UTF-8',
    s3(s3Record('inbound/ben%40example.com/%E5%8F%97%F0%9F%93%AC.eml')),
    { mail: [0, 1, 0] },
    { 'inbound/ben@example.com/受📬.eml': sesMessage('x', 'ada@example.com') },
  ],
  [
    'several records, one of them of another bucket',
    s3(
      s3Record('inbound/m1'),
      s3Record('inbound/m2'),
      s3Record('inbound/m3', { s3: { bucket: { name: 'other' }, object: { key: 'inbound/m3' } } }),
    ),
    { mail: [2, 0, 0], told: /other/ },
    { 'inbound/m2': sesMessage('m2', 'ada@example.com') },
  ],
  ['records, one of which cannot be read', s3(s3Record('inbound/%E4'), s3Record('inbound/m1')), { http: 400, mail: [1, 0, 0] }],
  ['an object outside the prefix', s3(s3Record('reports/m1')), { told: /not in the inbound prefix/ }],
  ['an object that is gone', s3(s3Record('inbound/never')), {}],
  ['a folder that a console made', s3(s3Record('inbound/', {}, { size: 0 })), {}],
  ['an empty object', s3(s3Record('inbound/empty', {}, { size: 0 })), { held: ['empty'] }, { 'inbound/empty': Buffer.alloc(0) }],
  ['a setup notification behind a prefix', s3(s3Record('inbound/deep/AMAZON_SES_SETUP_NOTIFICATION')), {}],
  ['EventBridge, of a multipart upload', eventBridge('inbound/m1', {}, { reason: 'CompleteMultipartUpload' }), { mail: [1, 0, 0] }],
  [
    'EventBridge, with a key that looks encoded and is not',
    eventBridge('inbound/a%2Bb'),
    { mail: [1, 0, 0] },
    { 'inbound/a%2Bb': sesMessage('a%2Bb', 'ada@example.com') },
  ],
  ['EventBridge, of a removal', eventBridge('inbound/m1', { 'detail-type': 'Object Deleted' }), {}],
  [
    'a receipt whose headers were cut',
    receipt({ mail: { headersTruncated: true, headers: [{ name: 'Return-Path', value: '<x>' }] } }),
    { mail: [1, 0, 0] },
  ],
  [
    'a receipt without headers, timestamps and verdicts',
    receipt({ mail: { timestamp: undefined }, receipt: { spamVerdict: undefined, virusVerdict: null, dkimVerdict: {} } }),
    { mail: [1, 0, 0] },
  ],
  ['spam GRAY', receipt({ receipt: { spamVerdict: status('GRAY') } }), { mail: [1, 0, 0] }],
  ['spam PROCESSING_FAILED', receipt({ receipt: { spamVerdict: status('PROCESSING_FAILED') } }), { mail: [1, 0, 0] }],
  ['virus DISABLED', receipt({ receipt: { virusVerdict: status('DISABLED') } }), { mail: [1, 0, 0] }],
  ['a verdict that nobody knows yet', receipt({ receipt: { spamVerdict: status('MAYBE') } }), { mail: [1, 0, 0] }],
  ['virus FAIL', receipt({ receipt: { virusVerdict: status('FAIL') } }), { held: ['verdict'] }],
  ['DMARC failed without a policy', receipt({ receipt: { dmarcVerdict: status('FAIL') } }), { mail: [1, 0, 0] }],
  [
    "DMARC's policy as an object",
    receipt({ receipt: { dmarcVerdict: status('FAIL'), dmarcPolicy: { status: 'REJECT' } } }),
    { mail: [1, 0, 0] },
  ],
  ['a null sender that is called MAILER-DAEMON', receipt({ mail: { source: 'MAILER-DAEMON' } }), { mail: [1, 0, 0] }],
  [
    'a receipt for 250 recipients, two of them here',
    receipt({
      recipients: [...Array.from({ length: 248 }, (_, i) => `nobody${i}@elsewhere.example`), 'ada@example.com', 'BEN@EXAMPLE.COM'],
    }),
    { mail: [1, 1, 0], held: ['unknownRecipient'] },
  ],
  [
    'a receipt whose MIME destination is somebody else',
    receipt({ mail: { destination: ['ben@example.com'], commonHeaders: { to: ['ben@example.com'] } } }),
    { mail: [1, 0, 0] },
  ],
  [
    'a key without its prefix',
    receipt({ action: { type: 'S3', bucketName, objectKeyPrefix: 'inbound', objectKey: 'm1' } }),
    { mail: [1, 0, 0] },
  ],
  [
    'a receipt of another bucket',
    receipt({ action: { type: 'S3', bucketName: 'other', objectKeyPrefix: 'inbound/', objectKey: 'inbound/m1' } }),
    { told: /other/ },
  ],
  ['a Lambda action', lambda(receipt({ action: { type: 'Lambda', functionArn: 'arn:x', invocationType: 'Event' } })), { mail: [1, 0, 0] }],
  [
    'a WorkMail action of a message that is here as well',
    receipt({ action: { type: 'WorkMail', organizationArn: 'arn:x' } }),
    { mail: [1, 0, 0] },
  ],
  [
    'a WorkMail action of a message that is not here',
    receipt({ id: 'never', action: { type: 'WorkMail', organizationArn: 'arn:x' } }),
    { told: /WorkMail/ },
  ],
  ['a Stop action of a message that is here', receipt({ action: { type: 'Stop', scope: 'RuleSet' } }), { mail: [1, 0, 0] }],
  ['a Stop action of a message that is not here', receipt({ id: 'never', action: { type: 'Stop' } }), { told: /Stop/ }],
  [
    'a Bounce action: its recipients are told not to be here',
    receipt({ action: { type: 'Bounce', smtpReplyCode: '550', statusCode: '5.1.1', message: 'No' } }),
    { told: /bounced/ },
  ],
  ['an S3 action whose object is gone', receipt({ id: 'never' }), { held: ['objectGone'] }],
  [
    'an SNS action in UTF-8',
    receipt({
      id: 'inline',
      action: { type: 'SNS', encoding: 'UTF-8' },
      top: { content: sesMessage('inline', 'ada@example.com').toString() },
    }),
    { mail: [1, 0, 0] },
  ],
  [
    'an SNS action in Base64',
    receipt({
      id: 'inline',
      action: { type: 'SNS', encoding: 'BASE64' },
      top: { content: sesMessage('inline', 'ada@example.com').toString('base64') },
    }),
    { mail: [1, 0, 0] },
  ],
  ['an SNS action without content', receipt({ id: 'inline', action: { type: 'SNS', encoding: 'UTF8' } }), { held: ['objectGone'] }],
  ['a setup notification', receipt({ id: 'AMAZON_SES_SETUP_NOTIFICATION', recipients: ['recipient@example.com'] }), {}],
  ['a message id that would leave the prefix', receipt({ id: '../m1', action: { type: 'Lambda' } }), { http: 400 }],
  [
    'receipts of one message in one body, each with its recipients',
    lambda(receipt(), receipt({ recipients: ['ben@example.com'] })),
    { mail: [1, 1, 0] },
  ],
];

describe('an announcement', () => {
  test.each(rows)('of %s comes to the right place', async (...[, body, expected, objects]) => {
    const rig = await openSource();
    await rig.bucket.store.put('inbound/m1', sesMessage('m1', 'ada@example.com'));
    for (const [key, bytes] of Object.entries(objects ?? {})) await rig.bucket.store.put(key, bytes);
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    // Twice: all upstream says things at least once.
    for (const _time of [1, 2]) expect((await rig.post(text, bearer)).status).toBe(expected.http ?? 200);
    const [adas, bens] = await Promise.all([lookAt(rig.bucket, ada), lookAt(rig.bucket, ben)]);
    const held = (await rig.pipeline.held.list()).messages.map(({ record }) => record?.reason);
    expect([adas.inbox.length, bens.inbox.length, adas.junk.length, held]).toEqual([...(expected.mail ?? [0, 0, 0]), expected.held ?? []]);
    if (expected.told) expect(JSON.stringify(rig.events)).toMatch(expected.told);
  });

  test('of an object that is gone is told, with its name and where the event came from', async () => {
    const rig = await openSource({ topicArns: [] });
    await rig.bucket.store.put('inbound/m1', sesMessage('m1', 'ada@example.com'));
    // The second time it has been taken in, and removed.
    for (const _time of [1, 2]) await rig.post(JSON.stringify(s3(s3Record('inbound/m1'))), bearer);
    expect(rig.events.filter(({ kind }) => kind === 'gone')).toEqual([{ kind: 'gone', key: 'inbound/m1', source: 'http' }]);
    await rig.post(JSON.stringify(receipt({ id: 'm2' })), bearer);
    expect(rig.events).toContainEqual({ kind: 'gone', key: 'inbound/m2', source: 'http' });
  });

  test('in a raw delivery and in a wrapper means the same', async () => {
    const rig = await openSource();
    await rig.bucket.store.put('inbound/m1', sesMessage('m1', 'ada@example.com'));
    const inner = JSON.stringify(receipt({ recipients: ['ada@example.com', 'ben@example.com'] }));
    await rig.mail.take([], 'http');
    expect((await rig.post(inner, bearer)).status).toBe(200);
    const sns = JSON.stringify({ Records: [{ EventSource: 'aws:sns', Sns: { Type: 'Notification', TopicArn: 't', Message: inner } }] });
    expect((await rig.post(sns, bearer)).status).toBe(200);
    expect(await rig.inboxSizes()).toEqual({ ada: 1, ben: 1, cleo: 0 });
  });
});

describe("the sender's own word", () => {
  test.each<[string, string[], 'inbox' | 'junk' | 'held']>([
    ['a clean verdict further down', ['X-SES-Spam-Verdict: PASS', 'X-SES-Virus-Verdict: PASS'], 'held'],
    [
      'a whole block further down',
      [
        'Received: from a (a [192.0.2.1])',
        ' by inbound-smtp.eu-west-1.amazonaws.com with SMTP id m9',
        ' for ada@example.com;',
        ' Mon, 07 Sep 2026 08:12:33 +0000 (UTC)',
        'X-SES-Virus-Verdict: PASS',
        'X-SES-DKIM-SIGNATURE: a=rsa-sha256; v=1;',
      ],
      'held',
    ],
  ])('%s does not clear a message', async (_what, lines, place) => {
    const rig = await openSource();
    const message = sesMessage('m9', 'ada@example.com', { virus: 'FAIL' });
    const forged = Buffer.from(message.toString().replace('From: <noor', `${lines.join('\r\n')}\r\nFrom: <noor`));
    await rig.bucket.store.put('inbound/m9', forged);
    await rig.post(JSON.stringify(s3(s3Record('inbound/m9'))), bearer);
    const held = (await rig.pipeline.held.list()).messages.map(({ record }) => record?.reason);
    expect([(await lookAt(rig.bucket, ada)).inbox.length, held]).toEqual(place === 'held' ? [0, ['verdict']] : [1, []]);
  });

  test('a block that a rule has added a header of any name to is still read', async () => {
    const rig = await openSource();
    const message = sesMessage('m9', 'ada@example.com', { virus: 'FAIL' })
      .toString()
      .replace('X-SES-RECEIPT', 'Tenant: blue\r\nX-SES-RECEIPT');
    await rig.bucket.store.put('inbound/m9', Buffer.from(message));
    await rig.post(JSON.stringify(s3(s3Record('inbound/m9'))), bearer);
    expect((await rig.pipeline.held.list()).messages.map(({ record }) => record?.reason)).toEqual(['verdict']);
  });
});

describe('an SNS message', () => {
  const signed = (name: string): Json => JSON.parse(fixture(name).toString());
  test.each<[string, string, Json]>([
    [
      'a certificate on a host that only begins like one of SNS',
      'sns-receipt.json',
      { SigningCertURL: 'https://sns.eu-west-1.amazonaws.com.evil.example/x.pem' },
    ],
    [
      'a certificate behind user information',
      'sns-receipt.json',
      { SigningCertURL: 'https://sns.eu-west-1.amazonaws.com:443@evil.example/x.pem' },
    ],
    ['a certificate by http', 'sns-receipt.json', { SigningCertURL: 'http://sns.eu-west-1.amazonaws.com/x.pem' }],
    [
      'a certificate in a bucket',
      'sns-receipt.json',
      { SigningCertURL: 'https://s3.eu-west-1.amazonaws.com/sns.eu-west-1.amazonaws.com/x.pem' },
    ],
    [
      'a certificate behind a backslash',
      'sns-receipt.json',
      { SigningCertURL: 'https://evil.example\\@sns.eu-west-1.amazonaws.com/x.pem' },
    ],
    ['a certificate of another region', 'sns-receipt.json', { SigningCertURL: 'https://sns.us-east-1.amazonaws.com/x.pem' }],
    ['a host that only ends like one of SNS', 'sns-receipt.json', { SigningCertURL: 'https://evilsns.eu-west-1.amazonaws.com/x.pem' }],
    ['a certificate that is no string', 'sns-receipt.json', { SigningCertURL: ['https://sns.eu-west-1.amazonaws.com/x.pem'] }],
    ['a topic that is not believed', 'sns-receipt.json', { TopicArn: 'arn:aws:sns:eu-west-1:999999999999:mail-in' }],
    [
      'a subscription with a changed address',
      'sns-subscription.json',
      { SubscribeURL: 'https://evil.example/?Action=ConfirmSubscription' },
    ],
    ['an end of subscription with a changed token', 'sns-unsubscribe.json', { Token: 'other' }],
  ])('with %s is refused, and nobody is asked', async (_what, name, change) => {
    const rig = await openSource();
    const answer = await rig.post(JSON.stringify({ ...signed(name), ...change }));
    expect(answer.status).toBe(403);
    expect(rig.fetched.filter((url) => !/^https:\/\/sns\.eu-west-1\.amazonaws\.com\//.test(url))).toEqual([]);
    expect(await rig.inboxSizes()).toEqual({ ada: 0, ben: 0, cleo: 0 });
    expect(rig.events.map(({ kind }) => kind)).toEqual(['refused']);
  });
});
