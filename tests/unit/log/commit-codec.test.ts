import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import type { AccountId, EmailNumber, MailboxNumber, ModSeq, ThreadNumber, Uid } from '../../../protocol/mail/ids.ts';
import type { MessageFacts } from '../../../protocol/mime/facts.ts';
import { decodeCommit, encodeCommit } from '../../../storage/log/commit-codec.ts';
import { encodeObject } from '../../../storage/log/object-codec.ts';
import type { BlobRef, Change, Commit } from '../../../storage/log/record.ts';

const blob: BlobRef = { object: `raw/${'a'.repeat(64)}-00112233`, offset: 0, length: 10, sha256: 'a'.repeat(64) };
const email = 1 as EmailNumber;
const mailbox = 1 as MailboxNumber;
const uid = 1 as Uid;
const thread = 1 as ThreadNumber;
const receivedAt = 1_700_000_000_000;

const every: { readonly [Kind in Change['do']]: Extract<Change, { do: Kind }> } = {
  'mailbox.put': {
    do: 'mailbox.put',
    mailbox: { id: mailbox, name: 'Ärger', parent: null, role: 'inbox', order: 0, subscribed: true, uidValidity: 7 },
  },
  'mailbox.remove': { do: 'mailbox.remove', id: mailbox },
  'email.add': {
    do: 'email.add',
    id: email,
    thread,
    blob,
    receivedAt,
    keywords: ['$seen'],
    in: [
      { mailbox, uid },
      { mailbox: 2 as MailboxNumber, uid, deleted: true },
    ],
    facts: {} as MessageFacts,
    text: 'line\nbreak',
    preview: '',
    delivery: { source: 'ses', spam: 'PASS' },
  },
  'email.copy': { do: 'email.copy', from: email, id: 2 as EmailNumber, thread, keywords: [], in: [{ mailbox, uid }] },
  'email.remove': { do: 'email.remove', emails: [[1, 5]] },
  keywords: { do: 'keywords', emails: [[1, 1000]], add: ['$flagged'] },
  'membership.add': { do: 'membership.add', mailbox, emails: [[1, 2]], uid },
  'membership.remove': { do: 'membership.remove', mailbox, uids: [[3, 4]] },
  'membership.deleted': { do: 'membership.deleted', mailbox, uids: [[3, 4]], deleted: true },
  ingest: { do: 'ingest', key: 'k', email: null },
  'object.put': { do: 'object.put', type: 't', id: 'i', value: null },
  'object.remove': { do: 'object.remove', type: 't', id: 'i' },
  seen: { do: 'seen', viewer: 'u7k2' as AccountId, emails: [[1, 2]], seen: true },
  closed: { do: 'closed' },
};

const commitOf = (...changes: Change[]): Commit => ({
  seq: 7,
  id: 'abc',
  prev: 'b'.repeat(64),
  at: receivedAt,
  by: 'node-1',
  mutations: changes.map((change, index) => ({ modSeq: (index + 1) as ModSeq, changes: [change] })),
});

const first = { id: 'abc', prev: '', at: 1, by: 'n' };
const encode = (...lines: unknown[]) =>
  encodeObject(
    'commit',
    'acc1',
    7,
    lines.map((line) => JSON.stringify(line)),
  ).bytes;
const decode = (bytes: Uint8Array) => decodeCommit('log/7', bytes, 'acc1', 7);

describe('a commit as an object', () => {
  for (const change of Object.values(every))
    test(`${change.do} is read as it was written`, () => {
      const commit = commitOf(change);
      const { bytes, hash } = encodeCommit('acc1', commit);
      expect(decode(bytes)).toEqual({ commit, hash });
    });

  test('a commit without mutations is one', () => {
    const { bytes } = encodeCommit('acc1', commitOf());
    expect(decode(bytes).commit.mutations).toEqual([]);
  });

  test('a small one stands in its frame as it is, a large one is compressed, and zstd reads both', () => {
    const ofLength = (length: number) => commitOf({ ...every['email.add'], text: 'text '.repeat(length / 5) });
    const plainLine = '"do":"email.add"';
    for (const [length, isPlain] of [
      [500, true],
      [15_000, true],
      [50_000, false],
    ] as const) {
      const commit = ofLength(length);
      const { bytes, hash } = encodeCommit('acc1', commit);
      expect(bytes.includes(plainLine)).toBe(isPlain);
      expect(decode(bytes)).toEqual({ commit, hash });
      expect(bytes.length).toBeLessThan(isPlain ? length + 1000 : 1000);
      const unpacked = spawnSync('zstd', ['-dcq'], { input: bytes, encoding: 'utf8' });
      if (unpacked.error === undefined) expect(unpacked.stdout).toContain(plainLine);
    }
  });

  test('what it carries stands before it, byte for byte, and is passed over by its reader', () => {
    const commit = commitOf(every['email.add']);
    const carried = [Buffer.from('From: a@example.org\r\n\r\nOne\r\n'), Buffer.from([0, 255, 10])];
    const { bytes, hash } = encodeCommit('acc1', commit, { carried });
    expect(hash).toBe(encodeCommit('acc1', commit).hash);
    expect(bytes.subarray(8, 8 + carried[0]!.length).equals(carried[0]!)).toBe(true);
    expect(bytes.subarray(8 + carried[0]!.length, 8 + carried[0]!.length + 3).equals(carried[1]!)).toBe(true);
    expect(decode(bytes)).toEqual({ commit, hash });
    expect(() => decode(bytes.subarray(0, 20))).toThrow('cannot be decompressed');
    const unpacked = spawnSync('zstd', ['-dcq'], { input: bytes, encoding: 'utf8' });
    // Where the program is installed.
    if (unpacked.error === undefined) expect(unpacked.stdout.split('\n')[0]).toContain('"kind":"commit"');
  });

  test('what cannot be a commit of this account and number is refused', () => {
    const { bytes } = encodeCommit('acc1', commitOf());
    expect(() => decodeCommit('x', bytes, 'acc2', 7)).toThrow('belongs to account acc1');
    expect(() => decodeCommit('x', bytes, 'acc1', 8)).toThrow('says it has number 7');
    expect(() => decode(bytes.subarray(0, -1))).toThrow('cannot be decompressed');
  });

  for (const [what, ...lines] of [
    ['no first line'],
    ['a first line with a field that is not known', { ...first, more: 1 }],
    ['a hash that is none', { ...first, prev: 'xyz' }],
    ['a mutation without changes', first, { modSeq: 1, changes: [] }],
    ['a mutation with a field that is not known', first, { modSeq: 1, changes: [every.closed], more: 1 }],
    ['modSeqs that do not rise', first, { modSeq: 2, changes: [every.closed] }, { modSeq: 2, changes: [every.closed] }],
    ['a change that is not known', first, { modSeq: 1, changes: [{ do: 'email.explode' }] }],
    ['a change named like a property of every object', first, { modSeq: 1, changes: [{ do: 'constructor' }] }],
    ['a change with a field that is not known', first, { modSeq: 1, changes: [{ ...every['email.remove'], more: 1 }] }],
    ['a change that lacks a field', first, { modSeq: 1, changes: [{ do: 'membership.add', mailbox: 1, uid: 1 }] }],
    [
      'a blob reference with a field that is not known',
      first,
      { modSeq: 1, changes: [{ ...every['email.add'], blob: { ...blob, key: 1 } }] },
    ],
    [
      'a role that is not known',
      first,
      { modSeq: 1, changes: [{ do: 'mailbox.put', mailbox: { ...every['mailbox.put'].mailbox, role: 'x' } }] },
    ],
    ['a range that ends before it begins', first, { modSeq: 1, changes: [{ do: 'email.remove', emails: [[5, 1]] }] }],
    ['a UID of zero', first, { modSeq: 1, changes: [{ ...every['membership.add'], uid: 0 }] }],
  ] as const)
    test(`${what} is corrupt`, () => {
      expect(() => decode(encode(...lines))).toThrow(expect.objectContaining({ code: 'corrupt' }));
    });
});
