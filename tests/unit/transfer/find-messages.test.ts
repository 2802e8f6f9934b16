import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FoundMessage, findMessages, measure } from '../../../server/transfer/find-messages.ts';
import { zipOf } from '../../support/zip-writer.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'satchel-find-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(files: Readonly<Record<string, string | Buffer>>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

async function find(path: string, messageBytesMax = 10_000) {
  const messages: FoundMessage[] = [];
  const mailboxes = new Set<string>();
  const faults: string[] = [];
  let bytes = 0;
  const options = {
    messageBytesMax,
    onMailbox: (path: readonly string[]) => mailboxes.add(path.join('/')),
    onFault: (origin: string, sentence: string) => faults.push(`${origin.slice(folder.length + 1)}: ${sentence}`),
    onBytes: (read: number) => {
      bytes += read;
    },
  };
  for await (const message of findMessages([path], options)) messages.push(message);
  return { messages, raws: messages.map(({ raw }) => raw.toString('latin1')), faults, bytes, mailboxes: [...mailboxes] };
}

const one = 'Subject: one\n\nFirst.\n';
const two = 'Subject: two\n\nSecond.\n';
const mbox = `From a@b.example Thu Jan  1 00:00:00 1998\n${one}\nFrom c@d.example Fri Jan  2 00:00:00 1998\n${two}\n`;

const withLength = (body: string) => `From a@b Thu Jan  1 00:00:00 1998\nContent-Length: ${body.length}\n\n${body}\n`;

describe('an mbox', () => {
  it.each<[claim: string, content: string, raws: string[], faults: RegExp[]]>([
    ['gives its messages without separators and their blank lines', mbox, [one, two], []],
    [
      'keeps a sentence that begins with From',
      'From a@b Thu Jan  1 00:00:00 1998\nS: 1\n\nx\n\nFrom here on it is fun.\n',
      ['S: 1\n\nx\n\nFrom here on it is fun.\n'],
      [],
    ],
    [
      'keeps a separator that follows no blank line',
      `From a@b Thu Jan  1 00:00:00 1998\nS: 1\nFrom a@b Thu Jan  1 00:00:00 1998\n`,
      ['S: 1\nFrom a@b Thu Jan  1 00:00:00 1998\n'],
      [],
    ],
    [
      'takes one > from what was quoted',
      'From a@b Thu Jan  1 00:00:00 1998\nS: 1\n\n>From me\n>>From you\n> From them\n',
      ['S: 1\n\nFrom me\n>From you\n> From them\n'],
      [],
    ],
    ['with line ends of CRLF keeps them', mbox.replaceAll('\n', '\r\n'), [one, two].map((raw) => raw.replaceAll('\n', '\r\n')), []],
    ['without a last line end gives all', mbox.slice(0, -2), [one, two.slice(0, -1)], []],
    ['that is cut off gives what is there', mbox.slice(0, 60), ['Subject: one\n\nFirs'], []],
    ['with an empty message names it', `From a@b Thu Jan  1 00:00:00 1998\n\n${mbox}`, [one, two], [/at byte 0: a message is empty/]],
    [
      'whose separators follow no blank line gives its messages, by the header behind them',
      mbox.replaceAll('\n\nFrom', '\nFrom'),
      [one, two],
      [],
    ],
    ['with blank lines at its beginning gives its messages', `\r\n\n${mbox}`, [one, two], []],
    ['without a separator before its first message gives that too', `${one}\n${mbox}`, [one, one, two], []],
    [
      'with a Content-Length that is right goes by it, and takes no > away from what is not quoted',
      withLength('\nFrom a@b Thu Jan  1 00:00:00 1998\nS: x\n\n>From y\n') + mbox,
      ['Content-Length: 49\n\n\nFrom a@b Thu Jan  1 00:00:00 1998\nS: x\n\n>From y\n', one, two],
      [],
    ],
    [
      'with a Content-Length that is right takes the > of mboxcl away',
      withLength('x\n>From y\n') + mbox,
      ['Content-Length: 10\n\nx\nFrom y\n', one, two],
      [],
    ],
    ...[3, 60, 5000].map((length): [string, string, string[], RegExp[]] => [
      `with a Content-Length that is wrong (${length}) gives each message`,
      `From a@b Thu Jan  1 00:00:00 1998\nContent-Length: ${length}\n\nxyz\n\n${mbox}`,
      [`Content-Length: ${length}\n\nxyz\n`, one, two],
      [],
    ]),
    ['with NULs keeps them', mbox.replace('First', 'F\0rst'), [one.replace('First', 'F\0rst'), two], []],
    [
      'with a message too large names it and goes on',
      `From a@b Thu Jan  1 00:00:00 1998\nS: 1\n\n${'x\n'.repeat(9000)}\n${mbox}`,
      [one, two],
      [/at byte 0: a message of \d+ bytes is larger than 10000/],
    ],
  ])('%s', async (_claim, content, raws, faults) => {
    write({ 'a.mbox': content });
    const found = await find(join(folder, 'a.mbox'));
    expect(found.raws).toEqual(raws);
    expect(found.faults).toHaveLength(faults.length);
    for (const [index, fault] of faults.entries()) expect(found.faults[index]).toMatch(fault);
    expect(found.bytes).toBe(await measure([folder]));
  });

  it('of many short lines gives them all, quoted ones among them', async () => {
    const body = Array.from({ length: 20_000 }, (_, index) => (index % 1000 === 95 ? 'From me\n' : '\n')).join('');
    write({ 'a.mbox': `From a@b Thu Jan  1 00:00:00 1998\nS: 1\n\n${body.replaceAll('From me', '>From me')}x\n\n${mbox}` });
    expect((await find(join(folder, 'a.mbox'), 100_000)).raws).toEqual([`S: 1\n\n${body}x\n`, one, two]);
  });

  it('says when its messages came, and what Status says of them', async () => {
    write({ 'a.mbox': `From a@b Thu Jan  1 00:00:00 1998\nStatus: RO\nX-Status: AF\n\nx\n` });
    expect((await find(folder)).messages).toMatchObject([
      { receivedAt: Date.UTC(1998, 0, 1), keywords: ['$answered', '$flagged', '$seen'] },
    ]);
  });
});

describe('a Maildir', () => {
  it('gives mailboxes, flags, keywords and times', async () => {
    write({
      'cur/1.x:2,FS': one,
      'cur/2.x:2,Ta': one,
      'new/3.x': two,
      '.Lists.a%2Eb/cur/4.x:2,R': two,
      '.Lists.a%2Eb/new/.hidden': two,
      'dovecot-keywords': '0 work\n',
      'dovecot.index': 'no mail',
    });
    utimesSync(join(folder, 'cur/1.x:2,FS'), 1000, 1000);
    const { messages, faults } = await find(folder);
    const told = messages.map(({ mailbox, keywords, isDeleted }) => ({ mailbox, keywords, isDeleted }));
    expect(told).toEqual([
      { mailbox: ['INBOX'], keywords: ['$flagged', '$seen'], isDeleted: false },
      { mailbox: ['INBOX'], keywords: ['work'], isDeleted: true },
      { mailbox: ['INBOX'], keywords: [], isDeleted: false },
      { mailbox: ['Lists', 'a.b'], keywords: ['$answered'], isDeleted: false },
    ]);
    expect(messages[0]!.receivedAt).toBe(1_000_000);
    expect(faults).toEqual([]);
  });
});

const place = ({ mailbox, keywords, isDeleted }: FoundMessage) =>
  `${mailbox?.join('/') ?? '-'} ${keywords.join(' ')}${isDeleted ? ' deleted' : ''}`;

it('a file that programs keep beside mail is passed over in a folder, and told where it was named', async () => {
  write({ 'Inbox.msf': 'index', 'one.eml': one });
  expect((await find(folder)).faults).toEqual([]);
  const named = await find(join(folder, 'Inbox.msf'));
  expect(named.messages).toEqual([]);
  expect(named.faults).toEqual(['Inbox.msf: by its name it is no mail, but what programs keep beside it']);
});

describe('where a message goes, and its flags', () => {
  it('follow from its place: folders, mbox files, Thunderbird, Apple Mail', async () => {
    const marked = mbox
      .replace('Subject: one', 'X-Mozilla-Status: 1005\nX-Mozilla-Keys: $label1 work\nSubject: one')
      .replace('Subject: two', 'X-Mozilla-Status: 0008\nSubject: two');
    const list =
      '<plist><dict><key>date-received</key><integer>1000</integer><key>flags</key>\n<integer>8590195717</integer></dict></plist>';
    write({
      Inbox: marked,
      'Inbox.msf': 'index',
      'Lists.sbd/Chess': mbox,
      'a/b/one.eml': one,
      'two.eml': two,
      'Saved.mbox/mbox': `From a@b Thu Jan  1 00:00:00 1998\n${one}`,
      'V.mbox/0F0F0F0F-1111-2222-3333-444455556666/Data/1/Messages/7.emlx': `${one.length}\n${one}${list}`,
      'V.mbox/Info.plist': 'x',
    });
    const { messages, faults } = await find(folder);
    expect(faults).toEqual([]);
    expect(messages.map(place)).toEqual([
      'INBOX $flagged $forwarded $label1 $seen work',
      'INBOX  deleted',
      'Lists/Chess ',
      'Lists/Chess ',
      'Saved ',
      'V $answered $seen',
      'a/b ',
      '- ',
    ]);
    expect(messages[5]).toMatchObject({ receivedAt: 1_000_000 });
    expect(messages[5]!.raw.toString()).toBe(one);
  });

  it('follow from the labels of Google Takeout', async () => {
    const labels = [
      'Inbox,Unread,Starred',
      'Work/Projects,Important,Opened,Big plans',
      '=?UTF-8?Q?Caf=C3=A9=2CSent?=',
      'Archived',
      'Category Updates,Trash',
      'A,\r\n B',
    ];
    write({
      'All.mbox': labels
        .map((label, index) => `From 1${index}@xxx Tue Jan 01 00:00:0${index} +0000 2019\r\nX-Gmail-Labels: ${label}\r\n\r\nx\r\n\r\n`)
        .join(''),
    });
    const { messages } = await find(join(folder, 'All.mbox'));
    expect(messages.map(place)).toEqual([
      'INBOX $flagged',
      'Work/Projects $important $seen big_plans',
      'Sent $seen',
      'Archive $seen',
      'Trash $seen',
      'A $seen b',
    ]);
    expect(messages[3]!.receivedAt).toBe(Date.UTC(2019, 0, 1, 0, 0, 3));
  });

  it('follow from a zip of folders, as WorkMail exports a mailbox; what leads out of it is no name', async () => {
    write({
      'export.zip': zipOf({
        'Inbox/1.eml': Buffer.from(one),
        'Sent Items/2.eml': Buffer.from(two),
        'Inbox/Lists/3.eml': Buffer.from(one),
        '../../etc/4.eml': Buffer.from(two),
        'Calendar/5.ics': Buffer.from('BEGIN:VCALENDAR\r\n'),
        'Calendar/6': Buffer.from('BEGIN:VCALENDAR\r\n'),
        'Maildir/.Old.Mail/cur/7.x:2,FS': Buffer.from(one),
      }),
    });
    const { messages, faults } = await find(join(folder, 'export.zip'));
    expect(messages.map(place)).toEqual(['INBOX ', 'Sent Items ', 'INBOX/Lists ', 'etc ', 'Old/Mail $flagged $seen']);
    expect(faults).toEqual([
      'export.zip: Calendar/5.ics: it is of a calendar or an address book, which are not kept here',
      'export.zip: Calendar/6: it does not begin like a message',
    ]);
  });

  it('follow from folders in a Maildir (Dovecot, layout fs)', async () => {
    write({ 'cur/1:2,S': one, 'Lists/cur/2:2,': two, 'Lists/Chess/new/3': one, maildirfolder: '' });
    expect((await find(folder)).messages.map(place)).toEqual(['INBOX $seen', 'Lists ', 'Lists/Chess ']);
  });

  it.each<[name: string, files: Readonly<Record<string, string>>, places: string[]]>([
    ['folders in it', { 'cur/1:2,S': one, 'Lists/cur/2:2,': two, 'Lists/Chess/new/3': one }, ['INBOX $seen', 'Lists ', 'Lists/Chess ']],
    ['folders in it, in a folder', { 'a/M/new/1': one, 'a/M/Lists/cur/2:2,': two, 'b/new/1': one }, ['INBOX ', 'Lists ', 'INBOX ']],
    [
      'folders of both kinds',
      { 'cur/1:2,S': one, '.Old.Mail/cur/2:2,': two, '.Old/Way/cur/3:2,': one },
      ['INBOX $seen', 'Old/Mail ', 'Old/Way '],
    ],
    ['a folder alone', { 'Lists/cur/2:2,': two }, ['INBOX ']],
    ['a folder alone whose name says its place', { 'backup/.Old.Mail/cur/2:2,': two }, ['Old/Mail ']],
    [
      'what is no mail, or not yet',
      { 'cur/1:2,S': one, 'cur/.keep': '', 'tmp/2': two, 'Lists/new/3': one, 'Lists/tmp/4': two },
      ['INBOX $seen', 'Lists '],
    ],
  ])('are the same for a Maildir in a zip and unpacked: %s', async (_name, files, places) => {
    const packed = Object.fromEntries(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)]));
    const zip = await find(join(write({ 'maildir.zip': zipOf(packed) }), 'maildir.zip'));
    rmSync(join(folder, 'maildir.zip'));
    const unpacked = await find(write(files));
    expect(zip.messages.map(place).sort()).toEqual(places.toSorted());
    expect(unpacked.messages.map(place).sort()).toEqual(places.toSorted());
    expect([zip.faults, unpacked.faults]).toEqual([[], []]);
  });

  it('are those that the line beside an mbox says, where it says some', async () => {
    write({ 'a.mbox': mbox, 'a.mbox.flags.json': '{"keywords":5}\n{"keywords":["work"],"mailbox":["X"],"isDeleted":true}\n' });
    expect((await find(join(folder, 'a.mbox'))).messages.map(place)).toEqual(['- ', 'X work deleted']);
    write({ 'a.mbox.flags.json': '{' });
    const { messages, faults } = await find(join(folder, 'a.mbox'));
    expect([messages.length, faults]).toEqual([2, ['a.mbox.flags.json: it is damaged, so the messages come without these flags']]);
  });
});

describe('a mailbox without messages', () => {
  it.each<[where: string, files: Readonly<Record<string, string | Buffer>>, mailboxes: string[]]>([
    ['in a Maildir', { 'cur/1:2,S': one, '.Old.Mail/new/.keep': '', '.Old.Mail/tmp/.keep': '', '.trash/x': '' }, ['INBOX', 'Old/Mail']],
    ['in folders in a Maildir', { 'cur/1:2,S': one, 'Lists/Chess/cur/.keep': '' }, ['INBOX', 'Lists/Chess']],
    ['as an mbox', { 'Lists/Chess.mbox': '', 'Go.mbox.gz': gzipSync('') }, ['Go', 'Lists/Chess']],
    [
      'as an mbox whose name a line beside it tells',
      { '%2Fa.mbox': '', '%2Fa.mbox.flags.json': '{"mailbox":["x","/a"],"keywords":[]}\n' },
      ['x//a'],
    ],
    [
      'in a zip',
      { 'a.zip': zipOf({ '.Old.Mail/cur/': Buffer.from(''), 'Go.mbox': Buffer.from(''), 'Inbox/': Buffer.from('') }) },
      ['Old/Mail', 'Go'],
    ],
  ])('is told: %s', async (_where, files, mailboxes) => {
    const found = await find(write(files));
    expect(found.faults).toEqual([]);
    expect(found.mailboxes).toEqual(mailboxes);
  });
});

describe('files and folders', () => {
  it('are walked, unpacked, and what is no mail is named', async () => {
    write({
      'a/one.eml': one,
      'a/b/two.eml.gz': gzipSync(two),
      'c.mbox.gz': gzipSync(mbox),
      'd.zip': zipOf({ 'x/one.eml': Buffer.from(one), 'all.mbox': Buffer.from(mbox), 'note.html': Buffer.from('<p>') }),
      'e.zip': zipOf({ 'two.eml': Buffer.from(two) }, { isStored: true }),
      'empty.eml': '',
      'picture.eml': Buffer.from([0x89, 0x50, 0x4e, 0x47]),
      'mail/cur/1:2,S': one,
    });
    const { raws, faults, bytes } = await find(folder);
    expect(raws).toEqual([two, one, one, two, one, one, two, two, one]);
    expect(faults).toEqual(['empty.eml: it is empty', 'picture.eml: it does not begin like a message']);
    expect(bytes).toBeGreaterThan(0);
  });

  it('that may not be read, or are links, are named, and the others are read', async () => {
    write({ 'good.eml': two });
    symlinkSync(join(folder, 'missing'), join(folder, 'link'));
    expect(await measure([folder])).toBe(two.length);
    const { raws, faults } = await find(folder);
    expect([raws, faults]).toEqual([[two], ['link: it is a link, which is not followed']]);
  });

  it('that are there and cannot be read are named, and the others are read', async () => {
    write({ 'mail/new/1': one, 'mail/cur': 'no folder', 'mail/dovecot-keywords/x': '', 'all.mbox': mbox });
    mkdirSync(join(folder, 'all.mbox.flags.json'));
    const { raws, faults } = await find(folder);
    expect(raws).toEqual([one, two, one]);
    expect(faults).toEqual([
      expect.stringMatching(/^all\.mbox\.flags\.json: EISDIR/),
      expect.stringMatching(/^mail\/dovecot-keywords: EISDIR/),
      expect.stringMatching(/^mail\/cur: ENOTDIR/),
    ]);
  });

  it('that are packed are unpacked by what they hold, in Maildirs and archives too, whatever their names', async () => {
    const packed = gzipSync(one);
    write({
      'a/1.eml': packed,
      'b/2.mbox': gzipSync(mbox),
      'b/3.mbox.zst': zstdCompressSync(mbox),
      'c.zip': zipOf({ 'Maildir/cur/1,S=9:2,F': packed, '3.eml': packed, 'all.mbox': gzipSync(mbox) }),
      'mail/cur/1,S=22,W=24:2,S': packed,
      'mail/cur/2,S=22:2,': zstdCompressSync(two),
      'plain.eml.gz': one,
    });
    const { raws, faults, messages } = await find(folder);
    expect(faults).toEqual([]);
    expect(raws).toEqual([one, one, two, one, two, one, one, one, two, one, two, one]);
    expect(messages.map(place)).toEqual([
      'a ',
      'b/2 ',
      'b/2 ',
      'b/3 ',
      'b/3 ',
      'INBOX $flagged',
      '- ',
      'all ',
      'all ',
      'INBOX $seen',
      'INBOX ',
      '- ',
    ]);
  });

  it.each<[name: string, content: Buffer, fault: RegExp]>([
    ['cut.zip', zipOf({ 'a.eml': Buffer.from(one) }).subarray(0, 40), /no directory/],
    ['encrypted.zip', zipOf({ 'a.eml': Buffer.from(one) }, { isEncrypted: true }), /a\.eml: it is encrypted/],
    ['cut.eml.gz', gzipSync(one).subarray(0, 20), /end of file/],
    ['large.eml', Buffer.from(`Subject: x\n\n${'x'.repeat(20_000)}`), /larger than 10000/],
    ['bomb.zip', zipOf({ 'a.eml': Buffer.concat([Buffer.from('Subject: x\n\n'), Buffer.alloc(1_000_000, 32)]) }), /larger than 10000/],
    ['mail/cur/bomb:2,', gzipSync(Buffer.concat([Buffer.from('Subject: x\n\n'), Buffer.alloc(50_000_000, 32)])), /larger than 10000/],
    ['mail/cur/cut:2,', gzipSync(one).subarray(0, 20), /end of file/],
    ['wrong.zip', flipped(zipOf({ 'a.eml': Buffer.from(one) }, { isStored: true })), /a\.eml: it is damaged: its checksum is another/],
    ['old.pst', Buffer.from('!BDN'), /`readpst` \(package pst-utils\) makes mbox of it/],
    ['damaged.zip', damaged(zipOf({ 'a.eml': Buffer.from(one) })), /does not begin where/],
  ])('that are broken are named: %s', async (name, content, fault) => {
    write({ [name]: content, 'good.eml': two });
    const { raws, faults } = await find(folder);
    expect(raws).toEqual([two]);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(fault);
  });
});

/** One bit of the message is another. */
function flipped(zip: Buffer): Buffer {
  const copy = Buffer.from(zip);
  copy[zip.indexOf('First')]! ^= 1;
  return copy;
}

function damaged(zip: Buffer): Buffer {
  const copy = Buffer.from(zip);
  copy[0] = 0;
  return copy;
}
