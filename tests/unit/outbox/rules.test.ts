/** The organisation's rules on what its users send. */
import { describe, expect, test } from 'vitest';
import { Dispatcher } from '../../../indexer/outbox/dispatcher.ts';
import { parseClauses } from '../../../indexer/rules/rule-text.ts';
import { ServiceMail } from '../../../indexer/rules/service-mail.ts';
import { RuleTransport } from '../../../indexer/rules/transport.ts';
import type { Rule } from '../../../storage/directory/rule-records.ts';
import { serviceOutboxId, submissions } from '../../../storage/outbox/outbox.ts';
import type { SubmissionOrigin } from '../../../storage/outbox/record.ts';
import { rawMessage } from '../../support/open-accounts.ts';
import { ada, ben, lookAt } from '../indexer/rig.ts';
import { openOutbox, to } from './rig.ts';

async function sendBy(clauses: readonly string[], addresses: readonly string[], origin: SubmissionOrigin = 'smtp') {
  const rig = await openOutbox();
  const { accounts } = rig.node;
  const rules: Rule[] = [{ id: 'r1', name: 'r', direction: 'outbound', order: 1, createdAt: 0, ...parseClauses(clauses) }];
  const mail = new ServiceMail({ accounts, clock: rig.bucket.clock, hostName: 'mx.example.com' });
  const dispatcher = new Dispatcher({ ...rig.ports, rules: { transport: new RuleTransport({ rules: () => rules }), mail } });
  const account = await rig.open(ada);
  dispatcher.attach(account);
  const raw = rawMessage({ From: 'ada@example.com', Subject: 'Boats' });
  const id = await rig.send(
    account,
    addresses.map((address) => to(address)),
    { origin },
    raw,
  );
  await dispatcher.turn();
  const service = await accounts.open(serviceOutboxId);
  const added = service.read((reader) => [...submissions(reader)].map(({ value }) => ({ ...value, bytes: service.blobBytes(value.blob) })));
  return { rig, recipients: rig.record(account, id)!.recipients, sent: rig.relay.sent, added, raw };
}

describe('an outbound rule', () => {
  test('that bounces is told to the sender like any failure, and nothing leaves', async () => {
    const { recipients, sent } = await sendBy(['attachment=text/plain', 'bounce=No text, please'], ['x@far.example']);
    expect(recipients).toMatchObject([{ state: 'failed', smtpReply: '550 5.7.1 No text, please' }]);
    expect(sent).toEqual([]);
  });

  test('that drops lets the sender believe that it left', async () => {
    const { recipients, sent } = await sendBy(['recipient=far.example', 'drop'], ['x@far.example', 'y@near.example']);
    expect(recipients.map(({ state }) => state)).toEqual(['delivered', 'relayed']);
    expect(sent.map(({ rcptTo }) => rcptTo.map(({ email }) => email))).toEqual([['y@near.example']]);
  });

  test('that changes the message does so for those it is for, here and elsewhere', async () => {
    const { rig, sent } = await sendBy(
      ['!recipient=near.example', 'add-header=X-Sent-By: Satchel'],
      ['x@far.example', 'y@near.example', 'ben@example.com'],
    );
    const changed = sent.map(({ rcptTo, bytes }) => [rcptTo[0]!.email, bytes.toString().startsWith('X-Sent-By: Satchel\r\n')]);
    expect(Object.fromEntries(changed)).toEqual({ 'x@far.example': true, 'y@near.example': false });
    expect((await lookAt(rig.bucket, ben)).inbox[0]!.bytes.toString()).toContain('\r\nX-Sent-By: Satchel\r\n');
  });

  test('that adds a recipient or journals sends by the service outbox, once', async () => {
    const { sent, added, raw } = await sendBy(['add-recipient=audit@example.com', 'journal=j@archive.example'], ['x@far.example']);
    expect(sent).toHaveLength(1);
    expect(added.map(({ envelope }) => envelope.rcptTo[0]!.email).sort()).toEqual(['audit@example.com', 'j@archive.example']);
    const audit = added.find(({ envelope }) => envelope.rcptTo[0]!.email === 'audit@example.com')!;
    expect(audit.envelope.mailFrom.email).toBe('ada@example.com');
    expect((await audit.bytes).toString()).toBe(raw.toString());
  });

  test('that waits for a hook defers the copies', async () => {
    const { recipients, sent } = await sendBy(['hook=scan'], ['x@far.example']);
    expect(recipients).toMatchObject([{ state: 'queued', attempts: 1 }]);
    expect(sent).toEqual([]);
  });

  test.each<SubmissionOrigin>(['bounce', 'vacation', 'redirect', 'rule'])(
    'is not asked about what the server writes itself: %s',
    async (origin) => {
      const { sent } = await sendBy(['drop'], ['x@far.example'], origin);
      expect(sent).toHaveLength(1);
    },
  );
});
