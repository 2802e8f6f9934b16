import { describe, expect, test } from 'vitest';
import { decodeEvents } from '../../../indexer/ses/events.ts';
import { fixture, idOf } from './fixtures.ts';

const decode = (name: string) => decodeEvents(fixture(name).toString());
const clean = idOf(fixture('clean.eml'));
const cleanReceipt = {
  kind: 'receipt',
  sesMessageId: clean,
  envelopeFrom: 'noor@sender.example',
  recipients: ['ada@example.com'],
  results: { spam: 'PASS', virus: 'PASS', spf: 'PASS', dkim: 'PASS', dmarc: 'PASS' },
  object: { bucket: 'satchel-demo', key: `inbound/${clean}`, prefix: 'inbound/' },
  receivedAt: Date.parse('2026-09-07T08:12:33.120Z'),
};
const cleanObject = { kind: 'object', bucket: 'satchel-demo', key: `inbound/${clean}`, size: 1234 };

describe('an event', () => {
  test.each<[string, unknown]>([
    ['receipt-clean.json', cleanReceipt],
    ['sns-receipt.json', cleanReceipt],
    ['lambda-sns.json', cleanReceipt],
    ['lambda-ses.json', { ...cleanReceipt, object: undefined }],
    ['receipt-spam.json', { kind: 'receipt', results: { ...cleanReceipt.results, spam: 'FAIL' } }],
    [
      'receipt-dmarc-reject.json',
      { ...cleanReceipt, results: { ...cleanReceipt.results, dkim: 'FAIL', dmarc: 'FAIL', dmarcPolicy: 'reject' } },
    ],
    [
      'receipt-many.json',
      { kind: 'receipt', recipients: ['ada@example.com', 'ben+lists@example.com', 'cleo@example.com', 'Ada@example.com'] },
    ],
    ['receipt-scan-disabled.json', { kind: 'receipt', results: { spam: 'DISABLED', virus: 'DISABLED' } }],
    ['receipt-inline.json', { kind: 'receipt', object: undefined }],
    ['receipt-setup.json', { kind: 'skip', why: 'setup' }],
    ['s3-event.json', cleanObject],
    ['sns-s3-event.json', cleanObject],
    ['minio-event.json', cleanObject],
    ['s3-event-encoded-key.json', { kind: 'object', key: 'inbound/ada@example.com/März report+1.eml' }],
    ['s3-event-removed.json', { kind: 'skip', why: 'notCreated' }],
    ['s3-event-setup.json', { kind: 'skip', why: 'setup' }],
    ['s3-test-event.json', { kind: 'skip', why: 'test' }],
    ['eventbridge-object.json', { kind: 'object', bucket: 'satchel-demo', key: 'inbound/100%25+real', size: 1234 }],
    ['eventbridge-bounce.json', { kind: 'feedback', type: 'Bounce' }],
    ['sns-bounce.json', { kind: 'feedback', type: 'Bounce' }],
    ['identity-complaint.json', { kind: 'feedback', type: 'Complaint' }],
    [
      'sns-subscription.json',
      { kind: 'subscription', change: 'confirm', token: 'tok', topicArn: 'arn:aws:sns:eu-west-1:444455556666:mail-in' },
    ],
    ['sns-unsubscribe.json', { kind: 'subscription', change: 'ended' }],
    ['validation-note.txt', { kind: 'skip', why: 'validation' }],
  ])('in %s is read', (name, event) => {
    const events = decode(name);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject(event as object);
  });

  test('with the message in it gives its bytes', () => {
    const [event] = decode('receipt-inline.json');
    expect(event?.kind === 'receipt' && event.content?.toString()).toMatch(/^From: "Noor van Dam".*\r\nSubject: Inline\r\n/s);
  });

  const receipt = JSON.parse(fixture('receipt-clean.json').toString());
  const wrap = (message: unknown) => JSON.stringify({ Type: 'Notification', TopicArn: 't', Message: JSON.stringify(message) });
  test.each<[string, string, RegExp]>([
    ['text that is not JSON', '{"a":', /not JSON/],
    ['a bare number', '7', /not a JSON object/],
    ['null', 'null', /not a JSON object/],
    ['an unknown object', '{}', /none of the known/],
    ['no records', '{"Records":[]}', /no records/],
    ['a record of unknown source', '{"Records":[{"eventSource":"aws:sqs"}]}', /unknown source/],
    [
      'an S3 event of a later version',
      '{"Records":[{"eventSource":"aws:s3","eventVersion":"3.0","eventName":"ObjectCreated:Put"}]}',
      /version/,
    ],
    ['a badly encoded key', fixture('s3-event.json').toString().replace('inbound/', 'inbound/%E4/'), /wrongly encoded/],
    ['a receipt without recipients', JSON.stringify({ ...receipt, receipt: { ...receipt.receipt, recipients: undefined } }), /recipients/],
    ['recipients that are no strings', JSON.stringify({ ...receipt, receipt: { ...receipt.receipt, recipients: [1] } }), /recipients/],
    ['a message id that is a path', JSON.stringify({ ...receipt, mail: { ...receipt.mail, messageId: '../x' } }), /messageId/],
    [
      'SNS in SNS in SNS',
      JSON.stringify({ Type: 'Notification', TopicArn: 't', Message: wrap(JSON.parse(wrap(receipt))) }),
      /inside another/,
    ],
    ['a subscription message without a token', JSON.stringify({ Type: 'SubscriptionConfirmation', TopicArn: 't' }), /Token/],
    ['a megabyte and more', `{"a":"${'x'.repeat(1024 * 1024)}"}`, /larger/],
  ])('from %s is malformed, with the reason', (_, body, reason) => {
    const [event] = decodeEvents(body);
    expect(event).toMatchObject({ kind: 'malformed', reason: expect.stringMatching(reason) });
  });

  test('that was cut anywhere is malformed and nothing else', () => {
    const body = fixture('sns-receipt.json').toString().trimEnd();
    for (let length = 0; length < body.length; length += 7) expect(decodeEvents(body.slice(0, length))[0]?.kind).toBe('malformed');
  });
});
