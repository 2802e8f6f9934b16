/** How the S3 driver takes failures, on the strict server: what is unknown stays unknown, what is refused is said in a sentence. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ClockSkewError } from '../../../storage/objects/object-store.ts';
import { S3Store } from '../../../storage/objects/s3.ts';
import { realClock } from '../../support/faulty-random.ts';
import type { S3Fault } from '../../support/s3/faults.ts';
import { type StrictS3, startStrictS3 } from '../../support/s3/strict-s3.ts';

let server: StrictS3;
let store: S3Store;
let skewMs = 0;
let count = 0;
const body = Buffer.from('the body');
const fresh = () => `k${count++}`;
const options = () => ({ bucket: server.bucket, endpoint: server.endpoint, credentials: server.credentials, clock: realClock });

beforeAll(async () => {
  server = await startStrictS3({ clock: { now: () => Date.now() + skewMs } });
  store = new S3Store({ ...options(), casTimeoutMs: 400, bulkTimeoutMs: 400 });
});
afterEach(() => {
  server.faults.clear();
  skewMs = 0;
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const requestsOf = (key: string) => server.requests.filter((request) => request.key === key).length;

describe('a conditional put', () => {
  test.each<[fault: S3Fault, isWritten: boolean]>([
    [{ kind: 'status', status: 500, code: 'InternalError' }, false],
    [{ kind: 'status', status: 503, code: 'SlowDown' }, false],
    [{ kind: 'status', status: 409, code: 'ConditionalRequestConflict' }, false],
    [{ kind: 'statusAfter', status: 500, code: 'InternalError' }, true],
    [{ kind: 'dropRequest' }, false],
    [{ kind: 'dropReply' }, true],
    [{ kind: 'delayReply', ms: 900 }, true],
  ])('that meets %o is sent once and its outcome is unknown', async (fault, isWritten) => {
    const key = fresh();
    server.faults.add(fault, { isConditional: true });
    await expect(store.putIfAbsent(key, body)).rejects.toMatchObject({ code: 'unavailable' });
    expect((await store.head(key)) !== undefined).toBe(isWritten);
    const puts = () => server.requests.filter((request) => request.key === key && request.operation === 'PutObject');
    // The server logs a request once it has answered it, which here may be after the client gave up.
    await expect.poll(() => puts().length, { timeout: 3_000 }).toBe(1);
  });

  test('whose reply was lost finds the name taken when sent again, by itself', async () => {
    const key = fresh();
    server.faults.add({ kind: 'dropReply' }, { isConditional: true });
    await expect(store.putIfAbsent(key, body)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await store.putIfAbsent(key, body)).toMatchObject({ outcome: 'exists' });
    expect((await store.get(key)).body).toEqual(body);
  });

  test('answers with the store’s Date, won or lost', async () => {
    const key = fresh();
    skewMs = 600_000;
    for (const outcome of ['created', 'exists']) {
      const receipt = await store.putIfAbsent(key, body);
      expect(receipt.outcome).toBe(outcome);
      expect(Math.abs(receipt.date - (Date.now() + skewMs))).toBeLessThan(2_000);
    }
  });

  test.each([16 * 60_000, -16 * 60_000])('refused for clocks %i ms apart says so', async (ms) => {
    // A store of its own: the SDK learns the difference from the refusal, and signs with the store's time from then on.
    await using apart = new S3Store(options());
    const key = fresh();
    skewMs = ms;
    const refused = apart.putIfAbsent(key, body);
    await expect(refused).rejects.toBeInstanceOf(ClockSkewError);
    await expect(refused).rejects.toMatchObject({ code: 'unavailable', skewed: true });
    skewMs = 0;
    expect(await store.head(key)).toBeUndefined();
  });
});

describe('other requests', () => {
  test.each<S3Fault>([{ kind: 'status', status: 503, code: 'SlowDown' }, { kind: 'dropRequest' }, { kind: 'dropReply' }])(
    'are repeated by the SDK when they meet %o',
    async (fault) => {
      const key = fresh();
      server.faults.add(fault, { operation: 'PutObject' });
      await store.put(key, body);
      server.faults.add(fault, { operation: 'GetObject' });
      expect((await store.get(key)).body).toEqual(body);
      expect(requestsOf(key)).toBe(4);
    },
  );

  test('that fail for good are unavailable', async () => {
    server.faults.add({ kind: 'dropRequest' }, {}, { rate: 1 });
    await expect(store.get(fresh())).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('a body that ends early is unavailable, never short', async () => {
    const key = fresh();
    await store.put(key, Buffer.alloc(100_000, 1));
    server.faults.add({ kind: 'truncate', bytes: 50_000 }, { operation: 'GetObject' });
    await expect(store.get(key)).rejects.toMatchObject({ code: 'unavailable' });
    server.faults.add({ kind: 'truncate', bytes: 10 }, { operation: 'GetObject' });
    await expect(store.getRange(key, 5, 1000)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('a server that is not there is unavailable', async () => {
    await using nowhere = new S3Store({ ...options(), endpoint: 'http://127.0.0.1:9' });
    await expect(nowhere.putIfAbsent('a', body)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('an abort in the middle rejects with its reason', async () => {
    const key = fresh();
    await store.put(key, body);
    server.faults.add({ kind: 'delay', ms: 300 }, { operation: 'GetObject' });
    const controller = new AbortController();
    const got = store.get(key, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('the client left')), 30);
    await expect(got).rejects.toThrow('the client left');
  });
});

describe('refusals', () => {
  test.each([
    ['a wrong secret', { credentials: { accessKeyId: 'satchel', secretAccessKey: 'wrong' } }, /secret access key is wrong/],
    ['an unknown key', { credentials: { accessKeyId: 'nobody', secretAccessKey: 'x' } }, /does not know this access key/],
    ['a wrong region', { region: 'eu-west-1' }, /set store\.region/],
    ['no such bucket', { bucket: 'elsewhere' }, /no such bucket/],
  ])('%s is said in a sentence', async (_what, change, message) => {
    await using wrong = new S3Store({ ...options(), ...change });
    await expect(wrong.putIfAbsent('a', body)).rejects.toMatchObject({ code: 'refused', message });
    await expect(wrong.get('a')).rejects.toMatchObject({ code: 'refused', message });
  });

  test('an archived object is refused with what to do', async () => {
    server.faults.add({ kind: 'status', status: 403, code: 'InvalidObjectState' });
    await expect(store.get('a')).rejects.toMatchObject({ code: 'refused', message: /restore it/ });
  });
});

test('user metadata that another writer gave is read', async () => {
  const key = fresh();
  await server.store.put(key, body, { metadata: { 'x-amz-key-v2': 'c2VjcmV0' } } as object);
  expect((await store.get(key)).metadata).toEqual({ 'x-amz-key-v2': 'c2VjcmV0' });
  await store.copy(key, `${key}-copy`);
  expect((await store.get(`${key}-copy`)).metadata).toEqual({ 'x-amz-key-v2': 'c2VjcmV0' });
});

test('a prefix keeps two stores in one bucket apart', async () => {
  await using one = new S3Store({ ...options(), prefix: 'one/' });
  await using two = new S3Store({ ...options(), prefix: 'two/' });
  await one.put('a', body);
  expect(await two.head('a')).toBeUndefined();
  expect((await two.listPage('')).objects).toEqual([]);
  expect((await one.listPage('')).objects.map(({ key }) => key)).toEqual(['a']);
  expect(await store.head('one/a')).toMatchObject({ size: body.length });
  expect(() => new S3Store({ ...options(), prefix: 'three' })).toThrow('must end in "/"');
});

test('lifecycle and versioning are read, also where there are none', async () => {
  expect(await store.bucketSettings()).toEqual({ prefix: '', lifecycle: [], versioning: 'Off' });
  server.settings.lifecycleRules =
    '<Rule><ID>old</ID><Status>Enabled</Status><Filter><Prefix>a7/</Prefix></Filter><Expiration><Days>30</Days></Expiration></Rule>';
  server.settings.versioning = 'Enabled';
  const settings = await store.bucketSettings();
  expect(settings).toMatchObject({
    versioning: 'Enabled',
    lifecycle: [{ ID: 'old', Filter: { Prefix: 'a7/' }, Expiration: { Days: 30 } }],
  });
  for (const code of ['AccessDenied', 'NotImplemented']) {
    server.faults.add({ kind: 'status', status: code === 'AccessDenied' ? 403 : 501, code }, {}, { rate: 1 });
    expect(await store.bucketSettings()).toMatchObject({ lifecycle: undefined, versioning: undefined });
    server.faults.clear();
  }
});
