import { describe, expect, test } from 'vitest';
import { formatClauses, parseClauses } from '../../../indexer/rules/rule-text.ts';
import { type HookAnswer, RuleTransport, type TransportMessage } from '../../../indexer/rules/transport.ts';
import type { Rule, RuleDirection } from '../../../storage/directory/rule-records.ts';

const message = Buffer.from(
  [
    'From: "Grace, of Sales" <grace@shop.example.org>',
    'To: ada@example.com, ben@example.com',
    'Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=',
    'X-Spam-Score: 7.5',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/plain',
    '',
    'Hello',
    '--b',
    'Content-Type: application/zip; name="Offer.EXE"',
    'Content-Transfer-Encoding: base64',
    '',
    'UEsDBA==',
    '--b--',
    '',
  ].join('\r\n'),
);

function rule(clauses: readonly string[], direction: RuleDirection = 'inbound', order = 1): Rule {
  return { id: `r${order}`, name: clauses.join(' '), direction, order, createdAt: 0, ...parseClauses(clauses) };
}

function apply(rules: readonly Rule[], changes: Partial<TransportMessage> = {}, askHook?: () => Promise<HookAnswer>) {
  return new RuleTransport({ rules: () => rules, ...(askHook && { askHook }) }).apply({
    direction: 'inbound',
    bytes: message,
    envelopeFrom: 'bounce+1@mailer.example.net',
    recipients: ['ada@example.com', 'ben@example.com'],
    results: { spam: 'FAIL', dkim: 'PASS' },
    key: 'm1',
    ...changes,
  });
}

describe('a condition', () => {
  test.each([
    ['sender=bounce+1@mailer.example.net', true],
    ['sender=grace@shop.example.org', true],
    ['sender=shop.example.org', true],
    ['sender=*.example.org', true],
    ['sender=example.org', false],
    ['sender=*', true],
    ['sender=x@y.example,mailer.example.net', true],
    ['!sender=*.example.org', false],
    ['recipient=ada@example.com', true],
    ['recipient=carl@example.com', false],
    ['recipient=example.com', true],
    ['!recipient=example.com', false],
    ['header:X-Spam-Score', true],
    ['!header:X-Spam-Score', false],
    ['header:x-other', false],
    ['header:subject=GRÜSSE'.replace('SS', 'ß'), true],
    ['header:subject==Grüße', true],
    ['header:subject==Grü', false],
    ['header:x-spam-score=7.', true],
    [`size>${message.length - 1}`, true],
    [`size>${message.length}`, false],
    [`size<${message.length + 1}`, true],
    ['verdict:spam=fail', true],
    ['verdict:spam=PASS,GRAY', false],
    ['verdict:virus=FAIL', false],
    ['verdict:dkim=PASS', true],
    ['attachment=.exe', true],
    ['attachment=.pdf', false],
    ['attachment=application/zip', true],
    ['attachment=application/*', true],
    ['attachment=image/*', false],
    ['!attachment=image/*', true],
  ])('%s holds: %s', async (clause, isMet) => {
    const outcome = await apply([rule([clause, 'drop'])]);
    expect(outcome!.copies.some(({ fate }) => fate === 'drop')).toBe(isMet);
  });

  test('on recipients picks those it is met for, and all conditions must hold', async () => {
    const fates = async (...clauses: string[]) => (await apply([rule([...clauses, 'drop'])]))!.copies.map(({ fate }) => fate);
    expect(await fates('recipient=ada@example.com')).toEqual(['drop', 'deliver']);
    expect(await fates('recipient=ada@example.com', 'verdict:spam=PASS')).toEqual(['deliver', 'deliver']);
    expect(await fates('recipient=*', '!recipient=ada@example.com')).toEqual(['deliver', 'drop']);
  });

  test('on the null sender is met by * alone', async () => {
    const none = { envelopeFrom: '', bytes: Buffer.from('Subject: x\r\n\r\n') };
    expect((await apply([rule(['sender=*', 'drop'])], none))!.copies[0]!.fate).toBe('drop');
    expect((await apply([rule(['sender=example.org', 'drop'])], none))!.copies[0]!.fate).toBe('deliver');
  });
});

describe('an action', () => {
  test.each([
    ['drop', { fate: 'drop' }],
    ['bounce=No, thank you', { fate: 'bounce', bounceMessage: 'No, thank you' }],
    ['junk', { fate: 'deliver', placement: 'junk' }],
    ['never-junk', { fate: 'deliver', placement: 'inbox' }],
    ['move=Offers/2027', { fate: 'deliver', mailbox: ['Offers', '2027'] }],
  ])('%s', async (clause, want) => {
    const { copies } = (await apply([rule([clause])]))!;
    expect(copies).toHaveLength(2);
    for (const copy of copies) expect(copy).toMatchObject({ ...want, bytes: message, rules: [clause] });
  });

  test('redirect sends one copy elsewhere in place of those it is for', async () => {
    const { copies } = (await apply([rule(['recipient=ada@example.com', 'redirect=Out@Side.example'])]))!;
    expect(copies.map(({ address, fate, via }) => [address, fate, via])).toEqual([
      ['ada@example.com', 'drop', undefined],
      ['ben@example.com', 'deliver', undefined],
      ['out@side.example', 'deliver', 'ada@example.com'],
    ]);
  });

  test('redirect to whom it is for already changes nothing', async () => {
    const { copies } = (await apply([rule(['redirect=ada@example.com'])]))!;
    expect(copies.map(({ address, fate }) => [address, fate])).toEqual([
      ['ada@example.com', 'deliver'],
      ['ben@example.com', 'drop'],
    ]);
  });

  test('add-recipient adds one copy, once', async () => {
    const rules = [rule(['add-recipient=audit@example.com']), rule(['add-recipient=audit@example.com'], 'inbound', 2)];
    expect((await apply(rules))!.copies.map(({ address }) => address)).toEqual(['ada@example.com', 'ben@example.com', 'audit@example.com']);
  });

  test('add-header puts a field on top and leaves the rest byte for byte', async () => {
    const { copies } = (await apply([rule(['add-header=X-Checked: grüßend'])]))!;
    expect(copies[0]!.bytes.toString()).toBe(`X-Checked: =?utf-8?B?Z3LDvMOfZW5k?=\r\n${message}`);
    expect(copies[1]!.bytes).toBe(copies[0]!.bytes);
  });

  test('journal asks for a report with all its recipients', async () => {
    const { journals } = (await apply([rule(['journal=journal@archive.example'])]))!;
    expect(journals).toEqual([{ to: 'journal@archive.example', recipients: ['ada@example.com', 'ben@example.com'], bytes: message }]);
  });

  test('stop lets no later rule be asked; what stands behind a final action is not done', async () => {
    expect((await apply([rule(['stop']), rule(['drop'], 'inbound', 2)]))!.copies[0]!.fate).toBe('deliver');
    expect((await apply([rule(['drop', 'journal=j@archive.example'])]))!.journals).toEqual([]);
  });

  test('of a hook is told for each recipient, with the bytes it has made', async () => {
    const bytes = Buffer.from('Subject: new\r\n\r\n');
    const askHook = async () => ({
      bytes,
      actions: new Map([['ada@example.com', 'junk'] as const, ['ben@example.com', 'bounce'] as const]),
    });
    const { copies } = (await apply([rule(['hook=scan'])], {}, askHook))!;
    expect(copies).toMatchObject([
      { fate: 'deliver', placement: 'junk', bytes },
      { fate: 'bounce', bytes },
    ]);
  });

  test('that asks a hook which is not configured lets the message wait', async () => {
    await expect(apply([rule(['hook=scan'])])).rejects.toMatchObject({ code: 'unavailable' });
  });
});

test('rules of the other direction are not asked', async () => {
  expect(await apply([rule(['drop'], 'outbound')])).toBeUndefined();
  expect((await apply([rule(['drop'], 'outbound')], { direction: 'outbound' }))!.copies[0]!.fate).toBe('drop');
});

describe('the text of a rule', () => {
  test.each([
    [
      [
        '!sender=*.example.org,x@y.example',
        'header:x-a==b',
        'header:x-c=d',
        'header:x-e',
        'size>5',
        'size<9',
        'verdict:dmarc=FAIL',
        'attachment=.exe',
        'drop',
      ],
    ],
    [
      [
        'bounce=a=b',
        'junk',
        'never-junk',
        'move=A/B',
        'redirect=a@b.example',
        'add-recipient=a@b.example',
        'add-header=X-A: b',
        'banner=Hi',
        'journal=a@b.example',
        'hook=h',
        'stop',
      ],
    ],
  ])('comes back as it was read: %j', (clauses) => {
    expect(formatClauses(parseClauses(clauses))).toEqual(clauses);
  });

  test('may say sizes in kilobytes and megabytes', () => {
    expect(formatClauses(parseClauses(['size>10M', 'size<64k', 'drop']))).toEqual(['size>10485760', 'size<65536', 'drop']);
  });

  test.each([
    [['sender=*'], 'does nothing'],
    [['sander=x', 'drop'], 'neither a condition nor an action'],
    [['sender=a b', 'drop'], 'neither an address nor a domain'],
    [['sender=a.example,,b.example', 'drop'], 'nothing between two commas'],
    [['verdict:ham=PASS', 'drop'], 'the verdicts are'],
    [['attachment=exe', 'drop'], 'neither an ending'],
    [['redirect=nobody'], 'not a mail address'],
    [['bounce='], 'lacks what stands behind'],
    [['move=A//B'], 'write the mailbox as'],
    [['add-header=Bcc: x@y.example'], 'cannot be added'],
    [['add-header=X: a\r\nBcc: b'], 'write add-header'],
  ])('is refused with a sentence: %j', (clauses, sentence) => {
    expect(() => parseClauses(clauses)).toThrow(sentence);
  });
});
