import { expect, test } from 'vitest';
import { assertBucketSettings, judgeBucket, type LifecycleRule } from '../../../storage/objects/lifecycle.ts';

const expiry = { Status: 'Enabled', Expiration: { Days: 30 } };
const glacier = { Status: 'Enabled', Transitions: [{ StorageClass: 'GLACIER' }] };
const judge = (rule: LifecycleRule, prefix = '') => judgeBucket({ prefix, lifecycle: [rule], versioning: 'Off' });

test.each<[what: string, rule: LifecycleRule, prefix: string]>([
  ['expires the whole bucket', expiry, ''],
  ['expires by the old form of a rule', { ...expiry, Prefix: '' }, ''],
  ['expires on a date', { Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Date: new Date(0) } }, ''],
  ['expires the directory', { ...expiry, Filter: { Prefix: '00/' } }, ''],
  ['expires one account', { ...expiry, Filter: { Prefix: 'a7/k7/raw/' } }, ''],
  ['expires accounts by one digit', { ...expiry, Filter: { Prefix: 'a' } }, ''],
  ['expires the cluster', { ...expiry, Filter: { Prefix: 'cluster/node/' } }, ''],
  ['expires large objects', { ...expiry, Filter: { And: { Prefix: '' } } }, ''],
  ['archives the whole bucket', glacier, ''],
  ['archives accounts deeply', { Status: 'Enabled', Filter: { Prefix: '0' }, Transitions: [{ StorageClass: 'DEEP_ARCHIVE' }] }, ''],
  ['archives the queue', { ...glacier, Filter: { Prefix: 'inbound/' } }, ''],
  ['expires what holds our prefix', { ...expiry, Filter: { Prefix: 'mail' } }, 'mail/prod/'],
  ['expires accounts under our prefix', { ...expiry, Filter: { Prefix: 'mail/prod/a7/' } }, 'mail/prod/'],
])('a rule that %s is refused', (_what, rule, prefix) => {
  expect(judge(rule, prefix).refusals).toHaveLength(1);
});

test.each<[what: string, rule: LifecycleRule, prefix: string]>([
  ['is switched off', { ...expiry, Status: 'Disabled' }, ''],
  ['asks for a tag', { ...expiry, Filter: { Tag: { Key: 'a', Value: 'b' } } }, ''],
  ['asks for tags among others', { ...expiry, Filter: { And: { Prefix: '', Tags: [{ Key: 'a', Value: 'b' }] } } }, ''],
  ['acts on other names', { ...expiry, Filter: { Prefix: 'backups/' } }, ''],
  ['acts outside our prefix', { ...expiry, Filter: { Prefix: 'a7/' } }, 'mail/'],
  ['only ends unfinished uploads', { Status: 'Enabled', Filter: { Prefix: '' } }, ''],
  ['moves to a tier that can be read', { Status: 'Enabled', Transitions: [{ StorageClass: 'GLACIER_IR' }] }, ''],
  ['removes delete markers', { Status: 'Enabled', Expiration: { ExpiredObjectDeleteMarker: true } }, ''],
])('a rule that %s is none of our business', (_what, rule, prefix) => {
  expect(judge(rule, prefix)).toEqual({ refusals: [], warnings: [] });
});

test.each(['inbound/', 'failed/', 'inbound/spam/'])('expiry on %s is a warning', (prefix) => {
  const { refusals, warnings } = judge({ ...expiry, ID: 'old', Filter: { Prefix: prefix } });
  expect(refusals).toEqual([]);
  expect(warnings).toEqual([expect.stringContaining('"old"')]);
});

test('rules that cannot be read, and versions kept for ever, are warnings', () => {
  expect(judgeBucket({ prefix: '', lifecycle: undefined, versioning: undefined }).warnings).toHaveLength(1);
  expect(judgeBucket({ prefix: '', lifecycle: [], versioning: 'Enabled' }).warnings).toHaveLength(1);
  const noncurrent = { Status: 'Enabled', NoncurrentVersionExpiration: { NoncurrentDays: 1 } };
  expect(judgeBucket({ prefix: '', lifecycle: [noncurrent], versioning: 'Enabled' }).warnings).toEqual([]);
});

test('a refusal names the rule and says what to do', () => {
  const settings = { prefix: '', lifecycle: [{ ...expiry, ID: 'tidy up' }], versioning: 'Off' };
  expect(() => assertBucketSettings(settings)).toThrow(/"tidy up" would delete stored mail: remove the rule/);
});
