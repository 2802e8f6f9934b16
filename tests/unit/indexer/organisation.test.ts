/** What the organisation's rules and groups make of mail on its way in: what lands where, and what is sent. */
import { describe, expect, test } from 'vitest';
import { ParsePool } from '../../../indexer/parse-pool.ts';
import { type HandedMessage, Pipeline } from '../../../indexer/pipeline.ts';
import { passRules } from '../../../indexer/rules/passage.ts';
import { parseClauses } from '../../../indexer/rules/rule-text.ts';
import { ServiceMail } from '../../../indexer/rules/service-mail.ts';
import { RuleTransport } from '../../../indexer/rules/transport.ts';
import { setSender } from '../../../indexer/senders.ts';
import { defaultVerdictRules } from '../../../indexer/verdict.ts';
import type { AccountId, Uid } from '../../../protocol/mail/ids.ts';
import type { AccountTransactor } from '../../../storage/account/api.ts';
import { Directory } from '../../../storage/directory/directory.ts';
import { serviceOutboxId, submissions } from '../../../storage/outbox/outbox.ts';
import { countingRandom, openTestBucket } from '../../support/open-accounts.ts';
import { sesMessage } from '../../support/ses-message.ts';

async function openOrganisation() {
  const bucket = openTestBucket();
  const { accounts } = bucket.node();
  const { clock, store } = bucket;
  const directory = await Directory.open({ accounts, clock, random: countingRandom(), catchUp: accounts.catchUp });
  await directory.addDomain('example.com');
  const ids = new Map<string, AccountId>();
  for (const name of ['ada', 'ben', 'audit']) ids.set(name, await directory.addAccount(`${name}@example.com`));
  const transport = new RuleTransport({ rules: () => directory.rules() });
  const mail = new ServiceMail({ accounts, clock, hostName: 'mail.example.com' });
  const pipeline = new Pipeline(
    {
      store,
      accounts,
      directory,
      parsers: new ParsePool(),
      clock,
      passRules: (message) => passRules({ directory, transport, mail }, message),
    },
    { inboundPrefix: 'inbound/', verdicts: defaultVerdictRules, messageBytesMax: 1024 * 1024 },
  );
  let count = 0;
  return {
    directory,
    pipeline,
    rule: (...clauses: string[]) => directory.addRule({ name: clauses.join(' '), direction: 'inbound', ...parseClauses(clauses) }),
    /** Mail by SES, as an object. */
    async receive(to: string, changes: Partial<Parameters<typeof sesMessage>[0]> = {}) {
      count += 1;
      const id = changes.id ?? `message${count}`.padEnd(40, '0');
      const bytes = sesMessage({ to, ...changes, id });
      await store.put(`inbound/${id}`, bytes);
      return { bytes, outcome: await pipeline.ingest({ key: `inbound/${id}` }) };
    },
    account: async (name: string, change: (tx: AccountTransactor) => void) => (await accounts.open(ids.get(name)!)).transact(change),
    /** Mailboxes of an account with what lies in them. */
    async mailOf(name: string) {
      const account = await accounts.open(ids.get(name)!);
      const found = account.read((reader) =>
        reader.mailboxes().flatMap((box) =>
          [...reader.uids(box.id)].map((uid) => ({
            path: reader.pathOf(box.id).join('/'),
            blob: reader.blob(reader.membership(box.id, uid as Uid)!.email)!,
          })),
        ),
      );
      return Promise.all(found.map(async ({ path, blob }) => ({ path, text: (await account.blobBytes(blob)).toString() })));
    },
    async sent() {
      const account = await accounts.open(serviceOutboxId);
      const records = account.read((reader) => [...submissions(reader)].map(({ value }) => value));
      return Promise.all(
        records.map(async ({ origin, envelope, blob }) => ({
          origin,
          from: envelope.mailFrom.email,
          to: envelope.rcptTo.map(({ email }) => email),
          text: (await account.blobBytes(blob)).toString(),
        })),
      );
    },
    hand: (changes: Partial<HandedMessage> = {}) =>
      pipeline.deliver({
        bytes: Buffer.from('From: <ada@example.com>\r\nSubject: x\r\n\r\nx\r\n'),
        targets: new Map([[ids.get('ben')!, 'ben@example.com']]),
        envelopeFrom: 'ada@example.com',
        evidence: { results: {}, fields: [], isProven: true },
        source: 'lmtp',
        name: `lmtp-${count++}`,
        ...changes,
      }),
    ids,
  };
}

const paths = (mail: readonly { readonly path: string }[]) => mail.map(({ path }) => path);

describe('a rule', () => {
  test('that drops leaves nothing anywhere, and takes the object out of the queue', async () => {
    const { rule, receive, mailOf, sent } = await openOrganisation();
    await rule('sender=music.example', 'drop');
    expect((await receive('ada@example.com')).outcome.kind).toBe('delivered');
    expect(await mailOf('ada')).toEqual([]);
    expect(await sent()).toEqual([]);
  });

  test('that moves makes the mailbox with what is missing above it', async () => {
    const { rule, receive, mailOf } = await openOrganisation();
    await rule('move=Lists/Music');
    const { bytes } = await receive('ada@example.com');
    await receive('ada@example.com');
    const mail = await mailOf('ada');
    expect(paths(mail)).toEqual(['Lists/Music', 'Lists/Music']);
    expect(mail[0]!.text).toBe(bytes.toString());
  });

  test.each([
    ['junk', 'PASS', 'Junk'],
    ['never-junk', 'FAIL', 'INBOX'],
  ] as const)('that says %s outranks the verdict %s', async (clause, spam, path) => {
    const { rule, receive, mailOf } = await openOrganisation();
    await rule(clause);
    await receive('ada@example.com', { spam });
    expect(paths(await mailOf('ada'))).toEqual([path]);
  });

  test.each([
    ['junk', 'safe', 'PASS', 'Junk'],
    ['never-junk', 'blocked', 'FAIL', 'INBOX'],
  ] as const)("that says %s outranks an account's %s sender, who outranks the verdict %s", async (clause, kind, spam, path) => {
    const { rule, receive, mailOf, account } = await openOrganisation();
    await account('ada', (tx) => setSender(tx, 'brahms@music.example', kind));
    await receive('ada@example.com', { spam: spam === 'PASS' ? 'FAIL' : 'PASS' });
    expect(paths(await mailOf('ada'))).toEqual([kind === 'safe' ? 'INBOX' : 'Junk']);
    await rule(clause);
    await receive('ada@example.com', { spam });
    expect(paths(await mailOf('ada')).filter((found) => found === path)).toHaveLength(1);
    expect(await mailOf('ada')).toHaveLength(2);
  });

  test('that redirects to somebody here delivers it there with its verdict', async () => {
    const { rule, receive, mailOf, sent } = await openOrganisation();
    await rule('recipient=ada@example.com', 'redirect=ben@example.com');
    await receive('ada@example.com', { spam: 'FAIL' });
    expect([paths(await mailOf('ada')), paths(await mailOf('ben'))]).toEqual([[], ['Junk']]);
    expect(await sent()).toEqual([]);
  });

  test('that redirects outside sends it from an address of ours, answers going to the author', async () => {
    const { rule, receive, mailOf, sent } = await openOrganisation();
    await rule('redirect=out@side.example');
    await receive('ada@example.com');
    expect(await mailOf('ada')).toEqual([]);
    const [mail] = await sent();
    expect(mail).toMatchObject({ origin: 'redirect', from: '', to: ['out@side.example'] });
    expect(mail!.text).toMatch(/^From: .*<ada@example\.com>\r$/m);
    expect(mail!.text).toMatch(/^Reply-To: .*brahms@music\.example/m);
    expect(mail!.text).not.toMatch(/^(X-SES-|Return-Path|Authentication-Results)/m);
    expect(mail!.text).toContain('In A major.');
  });

  test('that redirects spam outside has it held: other servers would blame us', async () => {
    const { rule, receive, sent, pipeline } = await openOrganisation();
    await rule('redirect=out@side.example');
    await receive('ada@example.com', { spam: 'FAIL' });
    expect(await sent()).toEqual([]);
    const { messages } = await pipeline.held.list({ limit: 10 });
    expect(messages).toMatchObject([{ record: { reason: 'rule', recipients: ['out@side.example'] } }]);
  });

  test('that redirects what went round is held', async () => {
    const { rule, receive, sent, pipeline } = await openOrganisation();
    await rule('redirect=out@side.example');
    const { outcome } = await receive('ada@example.com', { headers: ['X-Satchel-Forwarded-By: ada@example.com'] });
    expect(outcome).toMatchObject({ kind: 'delivered' });
    expect(await sent()).toEqual([]);
    const { messages } = await pipeline.held.list({ limit: 10 });
    expect(messages).toMatchObject([{ record: { reason: 'rule', detail: expect.stringContaining('circles') } }]);
  });

  test('that adds a recipient leaves the first one', async () => {
    const { rule, receive, mailOf } = await openOrganisation();
    await rule('add-recipient=audit@example.com');
    await receive('ada@example.com');
    expect([paths(await mailOf('ada')), paths(await mailOf('audit'))]).toEqual([['INBOX'], ['INBOX']]);
  });

  test('that changes the bytes changes what is delivered, for those it is for', async () => {
    const { rule, receive, mailOf, directory } = await openOrganisation();
    await directory.addGroup('two@example.com', ['ada@example.com', 'ben@example.com']);
    await rule('add-header=X-Checked: yes', 'banner=From outside');
    await receive('two@example.com');
    for (const name of ['ada', 'ben']) {
      const [mail] = await mailOf(name);
      expect(mail!.text.startsWith('X-Checked: yes\r\n')).toBe(true);
      expect(mail!.text).toContain(Buffer.from('From outside').toString('base64').slice(0, 14));
    }
  });

  test('that journals sends a report with the message in it', async () => {
    const { rule, receive, mailOf, sent } = await openOrganisation();
    await rule('journal=journal@archive.example');
    const { bytes } = await receive('ada@example.com');
    expect(paths(await mailOf('ada'))).toEqual(['INBOX']);
    const [report] = await sent();
    expect(report).toMatchObject({ origin: 'rule', to: ['journal@archive.example'] });
    expect(report!.text).toContain('Recipient: ada@example.com\r\n');
    expect(report!.text).toContain(bytes.toString());
  });

  test('that journals reports whom a second receipt names, too, and what a rule sends to the same address besides', async () => {
    const { rule, receive, sent, hand, ids } = await openOrganisation();
    await rule('journal=vault@archive.example');
    await rule('recipient=ben@example.com', 'add-recipient=vault@archive.example');
    const id = 'journaled'.padEnd(40, '0');
    await receive('ada@example.com', { id });
    await receive('ada@example.com', { id });
    await hand({
      ingestKey: `ses:${id}`,
      targets: new Map([ids.get('ada')!, ids.get('ben')!].map((account, at) => [account, ['ada@example.com', 'ben@example.com'][at]!])),
    });
    const mail = await sent();
    const reports = mail.filter(({ text }) => text.includes('Subject: Journal report'));
    expect(reports.map(({ text }) => text.match(/^Recipient: .*(?=\r)/gm))).toEqual([
      ['Recipient: ada@example.com'],
      ['Recipient: ada@example.com', 'Recipient: ben@example.com'],
    ]);
    expect(mail.filter(({ to, text }) => to.includes('vault@archive.example') && !text.includes('Subject: Journal report'))).toHaveLength(
      1,
    );
  });

  test('that bounces tells a sender who is proven, and holds what is forged', async () => {
    const { rule, receive, mailOf, sent, pipeline } = await openOrganisation();
    await rule('bounce=Not here');
    await receive('ada@example.com');
    const [report] = await sent();
    expect(report).toMatchObject({ origin: 'bounce', from: '', to: ['brahms@music.example'] });
    expect(report!.text).toContain('550 5.7.1 Not here');
    await receive('ada@example.com', { spam: 'FAIL' });
    expect(await sent()).toHaveLength(1);
    const { messages } = await pipeline.held.list({ limit: 10 });
    expect(messages).toMatchObject([{ record: { reason: 'rule' } }]);
    expect(await mailOf('ada')).toEqual([]);
  });

  test('that bounces what an MTA hands over is an answer to it, and no mail', async () => {
    const { rule, hand, sent, ids } = await openOrganisation();
    await rule('bounce=Not here');
    expect((await hand()).get(ids.get('ben')!)).toEqual({ kind: 'refused', reason: 'Not here', isByRule: true });
    expect(await sent()).toEqual([]);
  });

  test('is not asked again about what an account has taken in', async () => {
    const { rule, receive, mailOf, sent } = await openOrganisation();
    await receive('ada@example.com');
    await rule('journal=journal@archive.example');
    const again = await receive('ada@example.com', { id: 'message1'.padEnd(40, '0') });
    expect(again.outcome).toMatchObject({ kind: 'delivered' });
    expect(await mailOf('ada')).toHaveLength(1);
    expect(await sent()).toEqual([]);
  });

  test('that waits for a hook which is not there keeps the message where it was', async () => {
    const { rule, receive, hand, ids } = await openOrganisation();
    await rule('hook=scan');
    await expect(receive('ada@example.com')).rejects.toMatchObject({ code: 'unavailable' });
    expect((await hand()).get(ids.get('ben')!)).toMatchObject({ kind: 'unavailable' });
  });
});

describe('a group', () => {
  const bounced = async (senders: 'anyone' | 'members' | 'domain' | string[], from: string, changes: object = {}) => {
    const { directory, receive, mailOf } = await openOrganisation();
    await directory.addGroup('team@example.com', ['ben@example.com', 'friend@away.example'], senders);
    await receive('team@example.com', { from, ...changes });
    return (await mailOf('ben')).length === 0;
  };

  test.each<['anyone' | 'members' | 'domain' | string[], string, boolean]>([
    ['anyone', 'brahms@music.example', true],
    ['members', 'ben@example.com', true],
    ['members', 'friend@away.example', true],
    ['members', 'ada@example.com', false],
    ['domain', 'ada@example.com', true],
    ['domain', 'brahms@music.example', false],
    [['music.example', 'ada@example.com'], 'brahms@music.example', true],
    [['music.example', 'ada@example.com'], 'ada@example.com', true],
    [['music.example', 'ada@example.com'], 'ben@example.com', false],
  ])('open to %j takes mail from %s: %s', async (senders, from, isTaken) => {
    expect(await bounced(senders, from)).toBe(!isTaken);
  });

  test('sends mail on to its members outside, in its own name, and keeps what is not in the envelope to itself', async () => {
    const { directory, receive, mailOf, sent } = await openOrganisation();
    await directory.addGroup('inner@example.com', ['ada@example.com', 'far@away.example']);
    await directory.addGroup('team@example.com', ['ben@example.com', 'inner@example.com', 'friend@away.example']);
    await receive('team@example.com');
    expect([paths(await mailOf('ada')), paths(await mailOf('ben'))]).toEqual([['INBOX'], ['INBOX']]);
    const [mail, ...more] = await sent();
    expect(more).toEqual([]);
    expect(mail).toMatchObject({ origin: 'group', to: ['friend@away.example', 'far@away.example'] });
    expect(mail!.text).toMatch(/^From: .*<team@example\.com>\r$/m);
  });

  test('sends no spam on', async () => {
    const { directory, receive, mailOf, sent } = await openOrganisation();
    await directory.addGroup('team@example.com', ['ben@example.com', 'friend@away.example']);
    await receive('team@example.com', { spam: 'FAIL' });
    expect(paths(await mailOf('ben'))).toEqual(['Junk']);
    expect(await sent()).toEqual([]);
  });

  test('that a message has passed before is not passed again', async () => {
    const { directory, receive, mailOf, sent } = await openOrganisation();
    await directory.addGroup('team@example.com', ['ben@example.com', 'friend@away.example']);
    await receive('team@example.com', { headers: ['X-Satchel-Forwarded-By: team@example.com'] });
    expect(paths(await mailOf('ben'))).toEqual(['INBOX']);
    expect(await sent()).toEqual([]);
  });
});
