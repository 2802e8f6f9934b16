/**
 * What SES tells of mail that was sent, by SQS of fauxqs: each of its events, in both of its schemas and by each of its roads, changes what the sender sees over
 * JMAP and IMAP.
 */
import { readFileSync } from 'node:fs';
import { type FauxqsServer, startFauxqs } from 'fauxqs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verbs } from '../../server/admin/verbs.ts';
import { JamSender } from '../support/jmap/jam-sender.ts';
import { makeServerFolder, type RunningServer, type ServerFolder } from '../support/running-server.ts';
import { type StrictS3, startStrictS3 } from '../support/s3/strict-s3.ts';
import { SesServer, sesCredentials } from '../support/ses-server.ts';

const region = 'us-east-1';
const any = '127.0.0.1:0';
let sqs: FauxqsServer;
let s3: StrictS3;
let ses: SesServer;
let folder: ServerFolder;
let server: RunningServer;
let sender: JamSender;

beforeAll(async () => {
  sqs = await startFauxqs({ port: 0, logger: false });
  const { queueUrl } = sqs.createQueue('events', { region });
  for (const [topic, attributes] of [
    ['wrapped', {}],
    ['raw', { RawMessageDelivery: 'true' }],
  ] as const) {
    sqs.createTopic(topic, { region });
    sqs.subscribe({ topic, queue: 'events', region, attributes });
  }
  s3 = await startStrictS3({ region });
  const { credentials, bucket, endpoint } = s3;
  ses = await SesServer.open();
  folder = makeServerFolder({
    listen: { http: any, https: null, imap: null, imaps: any, lmtp: null, submission: null, submissions: null, managesieve: null },
    store: { driver: 's3', bucket, region, endpoint, forcePathStyle: true, ...credentials },
    inbound: { sweepSeconds: 300, sqs: [{ queueUrl, endpoint: sqs.address }] },
    relay: { driver: 'ses', region, endpoint: ses.endpoint, configurationSet: 'mail', ...sesCredentials },
  });
  server = await folder.start();
  sender = await JamSender.connect(server);
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  folder?.[Symbol.dispose]();
  await ses?.[Symbol.asyncDispose]();
  await s3?.[Symbol.asyncDispose]();
  await sqs?.stop();
});

const verb = (name: string, parameters: object) => verbs.find((row) => row.name === name)!.run(server.app.services, parameters);

type Json = Record<string, unknown>;

/** How an event comes: SES to SNS to SQS with and without SNS's wrapper, or over EventBridge; and as an identity's notification. */
const roads: Readonly<Record<string, (event: Json) => void>> = {
  'SNS and SQS': (event) => void sqs.publish('wrapped', JSON.stringify(event)),
  'SNS and SQS, raw': (event) => void sqs.publish('raw', JSON.stringify(event)),
  'EventBridge and SQS': (event) =>
    void sqs.sendMessage('events', JSON.stringify({ source: 'aws.ses', 'detail-type': 'Email Event', detail: event })),
  'an identity’s notification': ({ eventType, mail, ...rest }) => {
    const { tags: _, ...untagged } = mail as Json;
    sqs.publish('wrapped', JSON.stringify({ notificationType: eventType, mail: untagged, ...rest }));
  },
};

interface Claim {
  readonly fixture: string;
  readonly delivered: string;
  readonly smtpReply: string | RegExp;
  /** Subject of the notice in INBOX, without the message's. */
  readonly notice?: string;
  readonly suppressed?: string;
  readonly counts?: Json;
}

const claims: readonly Claim[] = [
  { fixture: 'send', delivered: 'unknown', smtpReply: /^250 / },
  { fixture: 'delivery', delivered: 'unknown', smtpReply: /^250 .*[Oo][Kk]/ },
  {
    fixture: 'bounce',
    delivered: 'no',
    smtpReply: '550 5.1.1 user unknown',
    notice: 'Undelivered',
    suppressed: 'bounce',
    counts: { bounced: 1 },
  },
  { fixture: 'bounce-transient', delivered: 'no', smtpReply: '452 4.2.2 mailbox full', notice: 'Undelivered' },
  { fixture: 'bounce-suppressed', delivered: 'no', smtpReply: /^5/, notice: 'Undelivered', suppressed: 'bounce' },
  {
    fixture: 'complaint',
    delivered: 'unknown',
    smtpReply: /^250 /,
    notice: 'Complaint',
    suppressed: 'complaint',
    counts: { complained: 1 },
  },
  { fixture: 'delivery-delay', delivered: 'unknown', smtpReply: /^4/, notice: 'Delayed' },
  { fixture: 'reject', delivered: 'no', smtpReply: '554 5.7.1 Bad content', notice: 'Undelivered', counts: { rejected: 1 } },
  { fixture: 'rendering-failure', delivered: 'no', smtpReply: /^554 5\.6\.0 Attribute/, notice: 'Undelivered' },
  { fixture: 'subscription', delivered: 'unknown', smtpReply: /^250 / },
];

/** Of the events, those that identities notify of. */
const isNotified = (fixture: string) => /^(bounce|complaint|delivery$)/.test(fixture);

const rows = claims.flatMap((claim) =>
  Object.keys(roads)
    .filter((road) => road !== 'an identity’s notification' || isNotified(claim.fixture))
    .map((road) => ({ ...claim, road })),
);

/** The fixture, as it would tell of this message to this recipient. */
function eventOf(fixture: string, message: (typeof ses.messages)[number], id: string): Json {
  const [address = ''] = message.to;
  const text = readFileSync(new URL(`../fixtures/ses/feedback/${fixture}.json`, import.meta.url), 'utf8');
  const event = JSON.parse(
    text.replaceAll(/(zoe|yan)@elsewhere\.example/g, address).replace(/"feedbackId": "[^"]+"/, `"feedbackId": "${id}"`),
  );
  const tags = Object.fromEntries(Object.entries(message.tags).map(([name, value]) => [name, [value]]));
  Object.assign(event.mail, {
    messageId: message.messageId,
    source: 'Me <me@localhost>',
    destination: message.to,
    tags: { ...event.mail.tags, ...tags },
  });
  return event;
}

async function notices(subject: string) {
  const imap = await server.imap();
  const { exists } = await imap.mailboxOpen('INBOX');
  const found = exists === 0 ? [] : await imap.fetchAll('1:*', { envelope: true, threadId: true });
  await imap.logout();
  return found
    .filter(({ envelope }) => envelope!.subject!.endsWith(subject))
    .map(({ envelope, threadId }) => ({ subject: envelope!.subject, threadId }));
}

const counted = async () => {
  const { accounts } = (await verb('outbox reputation', {})) as { accounts: Json[] };
  const { bounced = 0, complained = 0, rejected = 0 } = accounts[0] ?? {};
  return { bounced, complained, rejected } as Record<string, number>;
};

async function queueIsEmpty(): Promise<void> {
  const left = () => {
    const { ready, inflight } = sqs.inspectQueue('events')!.messages;
    return ready.length + inflight.length;
  };
  await expect.poll(left, { timeout: 15_000, interval: 20 }).toBe(0);
}

describe('an event of SES', () => {
  let number = 0;
  test.each(rows)('$fixture, by $road', async ({ fixture, road, delivered, smtpReply, notice, suppressed, counts = {} }) => {
    number += 1;
    const address = `r${number}@elsewhere.example`;
    const subject = `Message ${number}.`;
    const { submissionId } = await sender.send({ subject, to: [address] });
    await expect.poll(async () => (await sender.look(submissionId)).deliveryStatus[address]!.delivered).toBe('unknown');
    const before = await counted();
    const event = eventOf(fixture, ses.messages.at(-1)!, `event${number}`);
    // Twice: whatever comes from AWS may.
    for (let time = 0; time < 2; time += 1) roads[road]!(event);
    await queueIsEmpty();
    const seen = await sender.look(submissionId);
    expect(seen.deliveryStatus[address]).toEqual({ delivered, displayed: 'unknown', smtpReply: expect.stringMatching(smtpReply) });
    expect(seen.dsnBlobIds).toHaveLength(notice === undefined ? 0 : 1);
    const wanted = notice === undefined ? [] : [{ subject: `[${notice}] ${subject}`, threadId: seen.threadId }];
    await expect.poll(() => notices(subject)).toEqual(wanted);
    const { addresses } = (await verb('suppression list', {})) as { addresses: Json[] };
    expect(addresses.filter((entry) => entry['address'] === address).map(({ reason }) => reason)).toEqual(
      suppressed === undefined ? [] : [suppressed],
    );
    const after = await counted();
    expect(Object.fromEntries(Object.entries(after).map(([name, count]) => [name, count - before[name]!]))).toEqual({
      bounced: 0,
      complained: 0,
      rejected: 0,
      ...counts,
    });
    // What was counted must not stop the sender before the next row.
    await verb('outbox release', { account: 'me@localhost' }).catch(() => undefined);
  });
});
