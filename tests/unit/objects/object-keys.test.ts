import { hash } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  accountPrefix,
  failedKey,
  failedReasonKey,
  inboundKey,
  logKey,
  manifestKey,
  nodeKey,
  parseInboundKey,
  parseKey,
  partKey,
  rawKey,
} from '../../../storage/objects/object-keys.ts';

const sha256 = hash('sha256', 'a message');
const random = '0123456789abcdef';
const hh = hash('sha256', 'k7').slice(0, 2);

test.each([
  [logKey('k7', 42), `${hh}/k7/log/0000000000000042.ndjson.zst`, { kind: 'log', accountId: 'k7', seq: 42 }],
  [manifestKey('k7', 7), `${hh}/k7/manifest/0000000000000007.json`, { kind: 'manifest', accountId: 'k7', seq: 7 }],
  [partKey('k7', sha256, random), `${hh}/k7/part/${sha256}-${random}.ndjson.zst`, { kind: 'part', accountId: 'k7', sha256, random }],
  [rawKey('k7', sha256, random), `${hh}/k7/raw/${sha256}-${random}`, { kind: 'raw', accountId: 'k7', sha256, random }],
  [
    logKey('directory', Number.MAX_SAFE_INTEGER),
    '00/directory/log/9007199254740991.ndjson.zst',
    { kind: 'log', accountId: 'directory', seq: Number.MAX_SAFE_INTEGER },
  ],
  [nodeKey('node-1'), 'cluster/node/node-1.json', { kind: 'node', nodeId: 'node-1' }],
  [failedKey('abc'), 'failed/abc', { kind: 'failed', name: 'abc', isReason: false }],
  [failedReasonKey('abc'), 'failed/abc.json', { kind: 'failed', name: 'abc', isReason: true }],
])('%s is read back as it was made', (key, want, parsed) => {
  expect(key).toBe(want);
  expect(parseKey(key)).toEqual(parsed);
});

test.each([
  ['the wrong hash digits', `${hh === 'ff' ? '00' : 'ff'}/k7/log/0000000000000042.ndjson.zst`],
  ['too few digits', `${hh}/k7/log/42.ndjson.zst`],
  ['letters among the digits', `${hh}/k7/log/00000000000000x2.ndjson.zst`],
  ['a number past what a number holds', `${hh}/k7/log/9999999999999999.ndjson.zst`],
  ['another suffix', `${hh}/k7/log/0000000000000042.ndjson`],
  ['an unknown kind', `${hh}/k7/other/0000000000000042.json`],
  ['a part without its random', `${hh}/k7/part/${sha256}.ndjson.zst`],
  ['capital hex', `${hh}/k7/raw/${sha256.toUpperCase()}-${random}`],
  ['an account id with a capital', `${hh}/K7/log/0000000000000042.ndjson.zst`],
  ['nothing of ours', 'inbound/abc'],
])('a name with %s is not ours', (_what, key) => {
  expect(parseKey(key)).toBeUndefined();
});

test('names sort so that what refers comes before what it refers to', () => {
  const keys = [logKey('k7', 2), manifestKey('k7', 1), partKey('k7', sha256, random), rawKey('k7', sha256, random)];
  expect(keys.toSorted()).toEqual(keys);
});

test('numbers sort as their names do', () => {
  const names = [1, 9, 10, 99, 100, 123_456_789_012].map((seq) => logKey('k7', seq));
  expect(names.toSorted()).toEqual(names);
});

test.each(['', 'A', 'a/b', '..', 'a'.repeat(33)])('the account id %j is a mistake of ours', (accountId) => {
  expect(() => accountPrefix(accountId)).toThrow('not an account id');
});

test('inbound names give the SES id, and the address of a message dropped by hand', () => {
  expect(parseInboundKey('inbound/', inboundKey('inbound/', 'o3vrnil0e2ic'))).toEqual({
    name: 'o3vrnil0e2ic',
    id: 'o3vrnil0e2ic',
    address: undefined,
  });
  expect(parseInboundKey('inbound/', 'inbound/me@example.com/a b.eml')).toEqual({
    name: 'me@example.com/a b.eml',
    id: 'a b.eml',
    address: 'me@example.com',
  });
  expect(parseInboundKey('inbound/', 'inbound/2026/x')).toMatchObject({ id: 'x', address: undefined });
  expect(parseInboundKey('inbound/', 'inbound/')).toBeUndefined();
  expect(parseInboundKey('inbound/', 'other/x')).toBeUndefined();
});
