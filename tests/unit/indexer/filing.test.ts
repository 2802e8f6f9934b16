/** A message delivered to an account that has a script, or is away: what is in the log afterwards, and what waits in the outbox. */
import { describe, expect, test } from 'vitest';
import { deliver, type OutgoingMessage } from '../../../indexer/delivery.ts';
import { type FilingEvent, Filter } from '../../../indexer/filter/filing.ts';
import { forwardedByName, forwardedMessage } from '../../../indexer/forwarding.ts';
import { parseMessage } from '../../../indexer/parse-message.ts';
import type { Account } from '../../../storage/account/api.ts';
import type { DeliveryFacts } from '../../../storage/log/record.ts';
import { submissions } from '../../../storage/outbox/outbox.ts';
import { activateScript, lastFailure, putScript } from '../../../storage/sieve/scripts.ts';
import { countingRandom, openProvisioned, openTestBucket, testAccount } from '../../support/open-accounts.ts';

const me = 'me@example.com';

async function openRig(script?: string) {
  const bucket = openTestBucket();
  const node = bucket.node();
  const account = await openProvisioned(node);
  const events: FilingEvent[] = [];
  const filter = new Filter({
    clock: bucket.clock,
    random: countingRandom(7),
    hostName: 'mx.example.com',
    version: '1',
    owner: () => ({ addresses: [me, 'alias@example.com'], name: 'Me Myself' }),
    isLocal: (address) => address.endsWith('@example.com'),
    observe: (event) => events.push(event),
  });
  let count = 0;
  const store = async (name: string, text: string, isActive: boolean) => {
    const upload = await account.upload(Buffer.from(text));
    await account.transact(
      (tx) => {
        const { id } = putScript(tx, `s${count++}`, name, upload);
        if (isActive) activateScript(tx, id);
      },
      { uploads: [upload] },
    );
  };
  if (script !== undefined) await store('main', script, true);
  const send = (
    fields: Readonly<Record<string, string>> = {},
    facts: Partial<DeliveryFacts> = {},
    more: Partial<OutgoingMessage> = {},
    address = me,
  ) => {
    const head = { From: 'Grace <grace@example.org>', To: me, Subject: 'Hello', 'Message-ID': `<m${++count}@example.org>`, ...fields };
    const bytes = Buffer.from(
      `${Object.entries(head)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('')}\r\nbody\r\n`,
    );
    const message: OutgoingMessage = {
      bytes,
      parse: () => parseMessage(bytes),
      upload: (to) => to.upload(bytes),
      receivedAt: bucket.clock.now(),
      placement: 'inbox',
      facts: { source: 'ses', envelopeFrom: 'grace@example.org', ...facts },
      ingestKey: undefined,
      ...more,
    };
    return deliver(node.accounts, testAccount, address, message, filter);
  };
  return { bucket, node, account, filter, events, store, send };
}

/** `INBOX: Hello [$flagged]`, … */
function contents(account: Account): string[] {
  return account.read((reader) =>
    [...reader.emails()].flatMap((id) => {
      const { memberships, keywords } = reader.email(id)!;
      return memberships.map(({ mailbox, deleted }) => {
        const flags = [...keywords, ...(deleted ? ['\\deleted'] : [])];
        return `${reader.pathOf(mailbox).join('/')}: ${reader.facts(id)!.subject}${flags.length === 0 ? '' : ` [${flags.join(' ')}]`}`;
      });
    }),
  );
}

async function outgoing(account: Account) {
  const records = account.read((reader) => [...submissions(reader)].map(({ value }) => value));
  return Promise.all(
    records.map(async ({ origin, envelope, blob }) => ({
      origin,
      from: envelope.mailFrom.email,
      to: envelope.rcptTo.map(({ email }) => email),
      text: (await account.blobBytes(blob)).toString('utf8'),
    })),
  );
}

describe('filing', () => {
  test('without a script puts the message where the verdict says', async () => {
    const { account, send } = await openRig();
    expect(await send()).toEqual({ kind: 'delivered', mailbox: 'inbox' });
    await send({}, {}, { placement: 'junk' });
    expect(contents(account)).toEqual(['INBOX: Hello', 'Junk: Hello [$junk]']);
  });

  test('puts one email into several mailboxes, with flags, in one commit', async () => {
    const { account, send } = await openRig(
      'require ["fileinto","imap4flags","mailbox"]; fileinto :create :flags "\\\\Flagged" "Lists/One"; keep; fileinto :flags "\\\\Deleted" "Trash";',
    );
    const before = account.read((reader) => reader.seq);
    expect(await send()).toEqual({ kind: 'delivered', mailbox: 'Lists/One' });
    expect(account.read((reader) => reader.seq)).toBe(before + 1);
    expect(contents(account).sort()).toEqual([
      'INBOX: Hello [$flagged]',
      'Lists/One: Hello [$flagged]',
      'Trash: Hello [$flagged \\deleted]',
    ]);
  });

  test('into a mailbox that is missing keeps the message in the INBOX', async () => {
    const { account, send } = await openRig('require "fileinto"; fileinto "Nowhere";');
    await send();
    expect(contents(account)).toEqual(['INBOX: Hello']);
  });

  test('that discards remembers that the message was taken in', async () => {
    const { account, send } = await openRig('discard;');
    expect(await send({}, {}, { ingestKey: 'k' })).toEqual({ kind: 'disposed' });
    expect(await send({}, {}, { ingestKey: 'k' })).toEqual({ kind: 'duplicate' });
    expect(contents(account)).toEqual([]);
  });

  test('by a script that fails keeps the message in the INBOX, and says why', async () => {
    const { account, events, send } = await openRig('require ["fileinto","include"]; fileinto "Trash";\ninclude "missing";');
    await send();
    expect(contents(account)).toEqual(['INBOX: Hello']);
    expect(account.read(lastFailure)).toMatchObject({ script: 'main', reason: 'line 2: there is no script "missing" to include.' });
    expect(events).toMatchObject([{ kind: 'scriptFailed', script: 'main' }]);
  });

  test('stores the message as the script has changed it', async () => {
    const { account, send } = await openRig('require "editheader"; addheader "X-Seen" "yes";');
    await send();
    const blob = account.read((reader) => reader.blob([...reader.emails()][0]!)!);
    expect((await account.blobBytes(blob)).toString()).toMatch(/^X-Seen: yes\r\nFrom: Grace/);
  });

  test('parses each version of a script once', async () => {
    const { filter, store, send } = await openRig('keep;');
    await send();
    await send();
    expect(filter.compiled.size).toBe(1);
    await store('main', 'discard;', true);
    expect(await send()).toEqual({ kind: 'disposed' });
    expect(filter.compiled.size).toBe(2);
  });

  test('includes other scripts of the account', async () => {
    const { account, store, send } = await openRig('require "include"; include "other";');
    await store('other', 'require "fileinto"; fileinto "Trash";', false);
    await send();
    expect(contents(account)).toEqual(['Trash: Hello']);
  });

  const broken: readonly (readonly [claim: string, script: string, said: string])[] = [
    ['itself', 'require "include"; discard; include "main";', 'line 1: scripts include one another deeper than 10.'],
    ['a site script', 'require "include"; discard; include :global "main";', 'line 1: there is no script of the site "main" to include.'],
    [
      'more redirects than go out',
      `discard; ${[1, 2, 3, 4, 5].map((each) => `redirect "a${each}@elsewhere.example";`).join('')}`,
      'line 1: there are more than 4 redirects.',
    ],
  ];
  test.each(broken)('by a script that reaches for %s keeps the message, and nothing leaves', async (_, script, reason) => {
    const { account, send } = await openRig(script);
    await send();
    expect(contents(account)).toEqual(['INBOX: Hello']);
    expect(await outgoing(account)).toEqual([]);
    expect(account.read(lastFailure)?.reason).toBe(reason);
  });

  test('by a broken script that is included fails, though it is :optional', async () => {
    const { account, store, send } = await openRig('require "include"; discard;\ninclude :optional "part";');
    await send();
    expect(contents(account)).toEqual([]);
    await store('part', 'keep;\nfrob;', false);
    await send();
    expect(contents(account)).toEqual(['INBOX: Hello']);
    expect(account.read(lastFailure)?.reason).toBe('line 2: in the script "part": frob is no command that there is here.');
  });

  test('knows duplicates of earlier messages', async () => {
    const { account, bucket, send } = await openRig('require "duplicate"; if duplicate :seconds 60 { discard; }');
    await send({ 'Message-ID': '<same@x>' });
    await send({ 'Message-ID': '<same@x>' });
    expect(contents(account)).toHaveLength(1);
    bucket.clock.advance(61_000);
    await send({ 'Message-ID': '<same@x>' });
    expect(contents(account)).toHaveLength(2);
  });
});

describe('a redirect', () => {
  test('to outside goes from an address of ours, and answers reach the sender', async () => {
    const { account, send } = await openRig('redirect "out@elsewhere.example";');
    expect(await send({ 'DKIM-Signature': 'v=1' })).toEqual({ kind: 'disposed' });
    const [message] = await outgoing(account);
    expect(message).toMatchObject({ origin: 'redirect', from: me, to: ['out@elsewhere.example'] });
    expect(message!.text.split('\r\n\r\n')[0]!.split('\r\n')).toEqual([
      'X-Satchel-Forwarded-By: me@example.com',
      'From: "Grace via me@example.com" <me@example.com>',
      'Reply-To: Grace <grace@example.org>',
      'X-Original-From: Grace <grace@example.org>',
      'To: me@example.com',
      'Subject: Hello',
      expect.stringMatching(/^Message-ID: /),
    ]);
  });

  test('to somebody of ours leaves sender and signature alone', async () => {
    const { account, send } = await openRig('redirect "you@example.com";');
    await send({ 'DKIM-Signature': 'v=1' });
    const [message] = await outgoing(account);
    expect(message).toMatchObject({ from: 'grace@example.org' });
    expect(message!.text).toContain('DKIM-Signature: v=1');
  });

  test('that comes round again is kept, and goes no further', async () => {
    const { account, send } = await openRig('redirect "out@elsewhere.example";');
    await send({ [forwardedByName]: me });
    expect(await outgoing(account)).toEqual([]);
    expect(contents(account)).toEqual(['INBOX: Hello']);
  });

  test('of spam goes to nobody outside: it is kept', async () => {
    const { account, send } = await openRig('redirect "out@elsewhere.example"; redirect "you@example.com";');
    await send({}, { spam: 'FAIL' }, { placement: 'junk' });
    expect((await outgoing(account)).map(({ to }) => to)).toEqual([['you@example.com']]);
    expect(contents(account)).toEqual(['Junk: Hello [$junk]']);
  });

  test('has each of the fields once that a relay takes once', () => {
    const text = forwardedMessage(Buffer.from('Received: a\r\nReceived: b\r\nDate: 1\r\nDate: 2\r\nFrom: a@b.c\r\n\r\nx'), me).toString();
    expect(text.match(/^Date:/gm)).toHaveLength(1);
    expect(text.match(/^Received:/gm)).toHaveLength(2);
  });
});

describe('an answer', () => {
  const script = 'require "vacation"; vacation :days 2 :subject "Away" "Back soon.";';

  test('of vacation goes once to each sender in its time, and says what it is', async () => {
    const { account, bucket, send } = await openRig(script);
    await send();
    await send();
    const [message, ...more] = await outgoing(account);
    expect(more).toEqual([]);
    expect(message).toMatchObject({ origin: 'vacation', from: '', to: ['grace@example.org'] });
    expect(message!.text).toMatch(/^From: Me Myself <me@example\.com>\r\nTo: grace@example\.org\r\nSubject: Away\r$/m);
    expect(message!.text).toContain('Auto-Submitted: auto-replied\r\n');
    expect(message!.text).toMatch(/In-Reply-To: <m\d+@example\.org>\r\n/);
    await send({}, { envelopeFrom: 'other@example.org' });
    bucket.clock.advance(2 * 24 * 60 * 60 * 1000 + 1000);
    await send();
    expect((await outgoing(account)).map(({ to }) => to[0]).sort()).toEqual([
      'grace@example.org',
      'grace@example.org',
      'other@example.org',
    ]);
  });

  const unanswered: readonly (readonly [claim: string, fields: Record<string, string>, facts: Partial<DeliveryFacts>])[] = [
    ['the null path', {}, { envelopeFrom: '' }],
    ['a sender that is not known', {}, { envelopeFrom: undefined }],
    ['a list', { 'List-Id': '<x.example.org>' }, {}],
    ['bulk', { Precedence: 'bulk' }, {}],
    ['what was sent by a machine', { 'Auto-Submitted': 'auto-generated' }, {}],
    ['a mailer-daemon', {}, { envelopeFrom: 'MAILER-DAEMON@example.org' }],
    ['a bounce address', {}, { envelopeFrom: 'list-bounces+me=example.com@example.org' }],
    ['himself', {}, { envelopeFrom: 'alias@example.com' }],
    ['what was not addressed to him', { To: 'list@example.org' }, {}],
    ['spam', {}, { spam: 'FAIL' }],
    ['who asks for none', { 'X-Auto-Response-Suppress': 'OOF' }, {}],
  ];
  test.each(unanswered)('does not go to %s', async (_, fields, facts) => {
    const { account, send } = await openRig(script);
    await send(fields, facts);
    expect(await outgoing(account)).toEqual([]);
    expect(contents(account)).toHaveLength(1);
  });

  test('does not go out for a group that he is in', async () => {
    const { account, send } = await openRig(script);
    await send({ To: 'team@example.com' }, {}, {}, 'team@example.com');
    expect(await outgoing(account)).toEqual([]);
    await send({ To: 'me+news@example.com' }, {}, {}, 'me+news@example.com');
    expect(await outgoing(account)).toHaveLength(1);
  });

  test("of JMAP's vacation response goes between its dates, beside the script", async () => {
    const { account, bucket, send } = await openRig('require "fileinto"; fileinto "Archive";');
    const at = (ms: number) => new Date(bucket.clock.now() + ms).toISOString().replace(/\.\d+Z/, 'Z');
    const response = {
      isEnabled: true,
      fromDate: at(60_000),
      toDate: at(120_000),
      subject: null,
      textBody: 'Gone.',
      htmlBody: '<p>Gone.</p>',
    };
    await account.transact((tx) => tx.putObject('VacationResponse', 'singleton', response));
    await send();
    expect(await outgoing(account)).toEqual([]);
    bucket.clock.advance(61_000);
    await send();
    const [message] = await outgoing(account);
    expect(message!.text).toContain('Subject: Auto: Hello\r\n');
    expect(message!.text).toContain(Buffer.from('<p>Gone.</p>').toString('base64'));
    bucket.clock.advance(60_000);
    await send({}, { envelopeFrom: 'other@example.org' });
    expect(await outgoing(account)).toHaveLength(1);
  });

  const said: readonly (readonly [claim: string, vacation: string, sends: string])[] = [
    [
      'an entity with its fields for :mime',
      ':mime "Content-Type: text/html\r\nX-Own: 1\r\nBcc: x@y.example\r\n\r\n<p>Away</p>"',
      'MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>Away</p>',
    ],
    [
      'text for a :mime without fields',
      ':mime "Away."',
      'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nAway.',
    ],
    ['from whom :from says', ':from "Ädä <alias@example.com>" "Away."', '\r\nFrom: =?utf-8?B?w4Rkw6Q=?= <alias@example.com>\r\n'],
    ['the subject in encoded words', ':subject "Bin im Büro nicht" "Away."', '\r\nSubject: =?utf-8?B?QmluIGltIELDvHJvIG5pY2h0?=\r\n'],
  ];
  test.each(said)('says %s', async (_, vacation, sends) => {
    const { account, send } = await openRig(`require "vacation"; vacation ${vacation};`);
    await send();
    expect((await outgoing(account))[0]!.text).toContain(sends);
  });

  test('goes to who wrote to an address of :addresses, and again under another :handle', async () => {
    const { account, store, send } = await openRig(
      'require "vacation"; vacation :addresses "ada@elsewhere.example" :handle "one" "Away.";',
    );
    await send({ To: 'ada@elsewhere.example' });
    await store('main', 'require "vacation"; vacation :addresses "ada@elsewhere.example" :handle "one" "Still away.";', true);
    await send({ To: 'ada@elsewhere.example' });
    expect(await outgoing(account)).toHaveLength(1);
    await store('main', 'require "vacation"; vacation :addresses "ada@elsewhere.example" :handle "two" "Still away.";', true);
    await send({ To: 'ada@elsewhere.example' });
    expect(await outgoing(account)).toHaveLength(2);
  });

  test('files its copy where :fcc says', async () => {
    const { account, send } = await openRig('require ["vacation","fcc"]; vacation :fcc "Sent" "Away.";');
    await send();
    expect(contents(account).sort()).toEqual(['INBOX: Hello', 'Sent: Auto: Hello']);
  });

  test('by notify goes to its mailto:', async () => {
    const { account, send } = await openRig('require "enotify"; notify :importance "1" :message "Mail!" "mailto:phone@elsewhere.example";');
    await send();
    const [message] = await outgoing(account);
    expect(message).toMatchObject({ origin: 'notify', to: ['phone@elsewhere.example'] });
    expect(message!.text).toContain('Auto-Submitted: auto-notified');
    expect(contents(account)).toEqual(['INBOX: Hello']);
  });
});

describe('a rejection', () => {
  const script = 'require "reject"; reject "No, thanks.";';

  test('over LMTP is told at once, and nothing is kept', async () => {
    const { account, send } = await openRig(script);
    expect(await send({}, { source: 'lmtp' })).toEqual({ kind: 'refused', reason: 'No, thanks.', isByRule: true });
    expect(contents(account)).toEqual([]);
    expect(await outgoing(account)).toEqual([]);
  });

  test('after SES has accepted is a report to a sender who is who he says', async () => {
    const { account, send } = await openRig(script);
    expect(await send({}, { dmarc: 'PASS' })).toEqual({ kind: 'disposed' });
    const [message] = await outgoing(account);
    expect(message).toMatchObject({ origin: 'reject', from: '', to: ['grace@example.org'] });
    expect(message!.text).toContain('No, thanks.');
    expect(message!.text).toContain('Action: failed');
  });

  test.each([
    ['of another domain than the author', { spf: 'PASS', envelopeFrom: 'x@forged.example' }],
    ['whose domain never sends from there, whoever signed it', { spf: 'FAIL', dmarc: 'PASS', envelopeFrom: 'victim@example.org' }],
    ['of another domain than the signature proves', { spf: 'GRAY', dmarc: 'PASS', envelopeFrom: 'victim@victim.example' }],
  ])('of a sender %s is kept in Junk, and nobody hears', async (_who, facts) => {
    const { account, send } = await openRig(script);
    expect(await send({}, facts)).toEqual({ kind: 'delivered', mailbox: 'junk' });
    expect(contents(account)).toEqual(['Junk: Hello [$junk]']);
    expect(await outgoing(account)).toEqual([]);
  });
});
