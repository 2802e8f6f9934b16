import { describe, expect, test } from 'vitest';
import { ServiceMail } from '../../../indexer/rules/service-mail.ts';
import { Undeliverable, type UndeliverablePolicy } from '../../../indexer/undeliverable.ts';
import { serviceOutboxId, submissions } from '../../../storage/outbox/outbox.ts';
import { openTestBucket } from '../../support/open-accounts.ts';
import { sesMessage } from '../../support/ses-message.ts';
import { ada, lookAt, openRig, TestRecipients } from './rig.ts';

async function openWith(policy: Partial<UndeliverablePolicy>) {
  const bucket = openTestBucket();
  const recipients = new TestRecipients();
  const node = bucket.node();
  const mail = new ServiceMail({ accounts: node.accounts, clock: bucket.clock, hostName: 'mx.example.com' });
  const undeliverable = new Undeliverable(
    { action: 'hold', bounceHours: 24, ...policy },
    { directory: recipients, clock: bucket.clock, mail },
  );
  const rig = await openRig({ bucket, recipients, undeliverable });
  const sent = async () => {
    const account = await node.accounts.open(serviceOutboxId);
    return account.read((reader) => [...submissions(reader)].map(({ value }) => value));
  };
  return { rig, bucket, sent, undeliverable };
}

async function receive(
  { rig, bucket }: Awaited<ReturnType<typeof openWith>>,
  change: Partial<Parameters<typeof sesMessage>[0]> = {},
  edit = (text: string) => text,
) {
  const message = sesMessage({ id: 'm1', to: 'nobody@example.com', ...change });
  await bucket.store.put('inbound/m1', Buffer.from(edit(message.toString('latin1')), 'latin1'));
  return rig.pipeline.ingest({ key: 'inbound/m1' });
}

test('a rule for one recipient judges his copy alone', async () => {
  const rig = await openRig({
    verdicts: [
      { header: 'X-SES-Spam-Verdict', equals: 'FAIL', recipients: ['ben@example.com'], action: 'quarantine' },
      { header: 'X-SES-Spam-Verdict', equals: 'FAIL', recipients: ['example.com'], action: 'junk' },
    ],
  });
  const message = sesMessage({ id: 'm1', to: 'ada@example.com', spam: 'FAIL' });
  await rig.bucket.store.put('inbound/m1', message);
  const receipt = {
    kind: 'receipt',
    sesMessageId: 'm1',
    envelopeFrom: 'brahms@music.example',
    recipients: ['ada@example.com', 'ben+x@example.com'],
  } as const;
  const receipts = [{ ...receipt, results: { spam: 'FAIL' }, action: 'SNS', object: undefined, content: undefined, receivedAt: undefined }];
  expect((await rig.pipeline.ingest({ key: 'inbound/m1', receipts })).kind).toBe('delivered');
  expect((await lookAt(rig.bucket, ada)).junk).toHaveLength(1);
  const { messages } = await rig.pipeline.held.list({ kind: 'quarantine' });
  expect(messages).toMatchObject([{ record: { recipients: ['ben+x@example.com'] } }]);
});

describe('a message for an address that does not exist', () => {
  test('is bounced to the sender that is proven, once', async () => {
    const setting = await openWith({ action: 'bounce' });
    expect(await receive(setting)).toEqual({ kind: 'bounced' });
    expect(await receive(setting)).toEqual({ kind: 'bounced' });
    expect(await setting.sent()).toMatchObject([
      { origin: 'bounce', envelope: { mailFrom: { email: '' }, rcptTo: [{ email: 'brahms@music.example' }] } },
    ]);
    expect(setting.rig.events).toMatchObject([{ kind: 'bounced', recipients: ['nobody@example.com'] }, { kind: 'bounced' }]);
  });

  const failed = (text: string) => text.replaceAll(/(spf|dkim)=pass/g, '$1=fail').replace('dmarc=pass', 'dmarc=fail');
  test.each<[string, Partial<Parameters<typeof sesMessage>[0]>, (text: string) => string]>([
    ['failed spam', { spam: 'FAIL' }, (text) => text],
    ['failed DMARC', {}, (text) => text.replace('dmarc=pass', 'dmarc=fail')],
    ['passed nothing', {}, failed],
    ["was sent from where the envelope's domain never sends, whoever signed it", {}, (text) => text.replace('spf=pass', 'spf=fail')],
    [
      'proves a From field of another domain than the envelope has',
      {},
      (text) => text.replace('spf=pass', 'spf=none').replace(/^From: .*$/m, 'From: <me@attacker.example>'),
    ],
    ['was only signed, by whatever domain', {}, (text) => text.replace('spf=pass', 'spf=none').replace('dmarc=pass', 'dmarc=none')],
    ['comes from a list', {}, (text) => text.replace('Subject:', 'List-Id: <dev.lists.example>\r\nSubject:')],
    ['was sent in bulk', {}, (text) => text.replace('Subject:', 'Precedence: bulk\r\nSubject:')],
    ['was written by a program', {}, (text) => text.replace('Subject:', 'Auto-Submitted: auto-replied\r\nSubject:')],
    ['comes from the null sender', {}, (text) => text.replace('Return-Path: <brahms@music.example>', 'Return-Path: <>')],
  ])('is never bounced when it %s: it is held', async (_, change, edit) => {
    const setting = await openWith({ action: 'bounce' });
    expect(await receive(setting, change, edit)).toMatchObject({ kind: 'held', reason: 'unknownRecipient' });
    expect(await setting.sent()).toEqual([]);
  });

  test('is bounced without SPF where DMARC proves the domain of the envelope', async () => {
    const setting = await openWith({ action: 'bounce' });
    expect(await receive(setting, {}, (text) => text.replace('spf=pass', 'spf=none'))).toEqual({ kind: 'bounced' });
  });

  test('is not bounced when it is old', async () => {
    const setting = await openWith({ action: 'bounce' });
    await setting.bucket.store.put('inbound/m1', sesMessage({ id: 'm1', to: 'nobody@example.com' }));
    await setting.bucket.clock.advance(25 * 3_600_000);
    expect(await setting.rig.pipeline.ingest({ key: 'inbound/m1' })).toMatchObject({ kind: 'held' });
    expect(await setting.sent()).toEqual([]);
  });

  test('or for one that policy rejects, is answered where the sender is proven, and held where not', async () => {
    const setting = await openWith({});
    const rig = await openRig({
      bucket: setting.bucket,
      undeliverable: setting.undeliverable,
      verdicts: [
        { header: 'X-Score', above: 5, action: 'reject' },
        { header: 'X-SES-DMARC-Verdict', equals: 'FAIL', action: 'reject' },
      ],
    });
    const scored = sesMessage({ id: 'm1', to: 'ada@example.com' }).toString().replace('X-SES-RECEIPT:', 'X-Score: 7.5\r\nX-SES-RECEIPT:');
    await setting.bucket.store.put('inbound/m1', Buffer.from(scored));
    expect(await rig.pipeline.ingest({ key: 'inbound/m1' })).toEqual({ kind: 'bounced' });
    expect(await setting.sent()).toMatchObject([{ origin: 'bounce', envelope: { rcptTo: [{ email: 'brahms@music.example' }] } }]);
    const forged = sesMessage({ id: 'm2', to: 'ada@example.com' }).toString().replace('dmarc=pass', 'dmarc=fail');
    await setting.bucket.store.put('inbound/m2', Buffer.from(forged));
    expect(await rig.pipeline.ingest({ key: 'inbound/m2' })).toMatchObject({ kind: 'held', reason: 'verdict' });
    expect(await setting.sent()).toHaveLength(1);
  });

  test('goes to the one account that gets all', async () => {
    const setting = await openWith({ action: 'deliver', deliverTo: 'ada@example.com' });
    expect((await receive(setting)).kind).toBe('delivered');
    expect((await lookAt(setting.bucket, ada)).inbox).toMatchObject([{ delivery: { envelopeTo: 'nobody@example.com' } }]);
  });

  test('is held in quarantine where that is asked for', async () => {
    const setting = await openWith({ action: 'quarantine' });
    expect(await receive(setting)).toMatchObject({ kind: 'held', reason: 'unknownRecipient' });
    expect((await setting.rig.pipeline.held.list({ kind: 'quarantine' })).messages).toHaveLength(1);
  });
});
