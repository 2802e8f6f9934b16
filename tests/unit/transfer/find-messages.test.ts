import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
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
  const faults: string[] = [];
  let bytes = 0;
  const options = {
    messageBytesMax,
    onFault: (origin: string, sentence: string) => faults.push(`${origin.slice(folder.length + 1)}: ${sentence}`),
    onBytes: (read: number) => {
      bytes += read;
    },
  };
  for await (const message of findMessages([path], options)) messages.push(message);
  return { messages, raws: messages.map(({ raw }) => raw.toString('latin1')), faults, bytes };
}

const one = 'Subject: one\n\nFirst.\n';
const two = 'Subject: two\n\nSecond.\n';
const mbox = `From a@b.example Thu Jan  1 00:00:00 1998\n${one}\nFrom c@d.example Fri Jan  2 00:00:00 1998\n${two}\n`;

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

  it.each<[name: string, content: Buffer, fault: RegExp]>([
    ['cut.zip', zipOf({ 'a.eml': Buffer.from(one) }).subarray(0, 40), /no directory/],
    ['encrypted.zip', zipOf({ 'a.eml': Buffer.from(one) }, { isEncrypted: true }), /a\.eml: it is encrypted/],
    ['cut.eml.gz', gzipSync(one).subarray(0, 20), /end of file/],
    ['large.eml', Buffer.from(`Subject: x\n\n${'x'.repeat(20_000)}`), /larger than 10000/],
    ['bomb.zip', zipOf({ 'a.eml': Buffer.concat([Buffer.from('Subject: x\n\n'), Buffer.alloc(1_000_000, 32)]) }), /larger than 10000/],
    ['damaged.zip', damaged(zipOf({ 'a.eml': Buffer.from(one) })), /does not begin where/],
  ])('that are broken are named: %s', async (name, content, fault) => {
    write({ [name]: content, 'good.eml': two });
    const { raws, faults } = await find(folder);
    expect(raws).toEqual([two]);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(fault);
  });
});

function damaged(zip: Buffer): Buffer {
  const copy = Buffer.from(zip);
  copy[0] = 0;
  return copy;
}
