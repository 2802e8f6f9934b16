/** The strict server answers as AWS does, seen by the SDK and by hand-made requests. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { S3Event } from '../../support/s3/events.ts';
import { type StrictS3, startStrictS3 } from '../../support/s3/strict-s3.ts';

let server: StrictS3;
let client: S3Client;
const events: S3Event[] = [];
const at = (Key: string) => ({ Bucket: server.bucket, Key });
const status = (httpStatusCode: number) => ({ $metadata: expect.objectContaining({ httpStatusCode }) });

beforeAll(async () => {
  server = await startStrictS3({ onEvent: (event) => events.push(event), eventPrefix: 'inbound/' });
  client = newClient();
});
afterAll(async () => {
  client.destroy();
  await server[Symbol.asyncDispose]();
});

function newClient(): S3Client {
  const { region, endpoint, credentials } = server;
  return new S3Client({ region, endpoint, credentials, forcePathStyle: true, maxAttempts: 1 });
}

const put = (key: string, change: object = {}) => client.send(new PutObjectCommand({ ...at(key), Body: 'body', ...change }));

describe('conditions', () => {
  test('If-None-Match: * on a taken name is 412, and another value is not implemented', async () => {
    await put('inm', { IfNoneMatch: '*' });
    await expect(put('inm', { IfNoneMatch: '*' })).rejects.toMatchObject({ name: 'PreconditionFailed', ...status(412) });
    await expect(put('inm', { IfNoneMatch: '"abc"' })).rejects.toMatchObject(status(501));
  });

  test('If-Match takes the right ETag, is 412 for another and 404 for nothing', async () => {
    const { ETag } = await put('im');
    expect(ETag).toBe(`"${createHash('md5').update('body').digest('hex')}"`);
    await expect(put('im', { IfMatch: '"stale"' })).rejects.toMatchObject(status(412));
    await put('im', { IfMatch: ETag, Body: 'second' });
    await expect(put('im', { IfMatch: ETag })).rejects.toMatchObject(status(412));
    await expect(put('im-absent', { IfMatch: ETag })).rejects.toMatchObject({ name: 'NoSuchKey', ...status(404) });
  });

  test('of 20 writers with one ETag exactly one succeeds', async () => {
    const { ETag } = await put('im-race');
    const results = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => put('im-race', { IfMatch: ETag, Body: `racer ${i}` })));
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  });

  test('reads and deletes keep theirs', async () => {
    const { ETag } = await put('read');
    await expect(client.send(new GetObjectCommand({ ...at('read'), IfNoneMatch: ETag }))).rejects.toMatchObject(status(304));
    await expect(client.send(new GetObjectCommand({ ...at('read'), IfMatch: '"x"' }))).rejects.toMatchObject(status(412));
    await expect(client.send(new DeleteObjectCommand({ ...at('read'), IfMatch: '"x"' }))).rejects.toMatchObject(status(412));
    await client.send(new DeleteObjectCommand({ ...at('read'), IfMatch: ETag }));
    await expect(client.send(new HeadObjectCommand(at('read')))).rejects.toMatchObject({ name: 'NotFound', ...status(404) });
  });
});

describe('integrity', () => {
  test('a stream with a CRC32 trailer is stored without its framing', async () => {
    const body = Buffer.alloc(200_000, 'chunk ');
    await put('trailer', { Body: Readable.from([body.subarray(0, 70_000), body.subarray(70_000)]), ContentLength: body.length });
    const { body: stored } = await server.store.get('trailer');
    expect(stored.equals(body)).toBe(true);
  });

  test.each(['CRC32', 'CRC32C', 'SHA1', 'SHA256'])('a right %s is taken', async (ChecksumAlgorithm) => {
    await put('sum', { ChecksumAlgorithm });
  });

  test.each([
    ['Content-MD5', { ContentMD5: createHash('md5').update('other').digest('base64') }],
    ['CRC32', { ChecksumCRC32: 'AAAAAA==' }],
    ['SHA-256', { ChecksumSHA256: createHash('sha256').update('other').digest('base64') }],
  ])('a wrong %s is refused and nothing is stored', async (_name, change) => {
    await expect(put('wrong-sum', change)).rejects.toMatchObject({ name: 'BadDigest', ...status(400) });
    expect(await server.store.head('wrong-sum')).toBeUndefined();
  });

  test('a body that is not the one that was signed is refused', async () => {
    const tampering = newClient();
    tampering.middlewareStack.add(
      (next) => (args) => {
        (args.request as { body: unknown }).body = 'bodY';
        return next(args);
      },
      { step: 'finalizeRequest', priority: 'low', name: 'tamper' },
    );
    await expect(tampering.send(new PutObjectCommand({ ...at('tampered'), Body: 'body' }))).rejects.toMatchObject({
      name: 'XAmzContentSHA256Mismatch',
    });
  });

  test('an unsigned request is refused, and so is an x-amz- header added after signing', async () => {
    const reply = await fetch(`${server.endpoint}/${server.bucket}/sum`);
    expect(reply.status).toBe(403);
    expect(await reply.text()).toContain('<Code>AccessDenied</Code>');
    const adding = newClient();
    adding.middlewareStack.add(
      (next) => (args) => {
        (args.request as { headers: Record<string, string> }).headers['x-amz-meta-late'] = 'x';
        return next(args);
      },
      { step: 'finalizeRequest', priority: 'low', name: 'add' },
    );
    await expect(adding.send(new HeadObjectCommand(at('sum')))).rejects.toMatchObject(status(403));
  });
});

describe('reading', () => {
  test.each([
    ['bytes=2-4', '234', 'bytes 2-4/10'],
    ['bytes=7-', '789', 'bytes 7-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=-50', '0123456789', 'bytes 0-9/10'],
    ['bytes=8-99', '89', 'bytes 8-9/10'],
    ['bytes=4-2', '0123456789', undefined],
  ])('%s of ten bytes is %j', async (Range, want, contentRange) => {
    await put('ten', { Body: '0123456789' });
    const output = await client.send(new GetObjectCommand({ ...at('ten'), Range }));
    expect(await output.Body?.transformToString()).toBe(want);
    expect(output.ContentRange).toBe(contentRange);
  });

  test.each(['bytes=10-', 'bytes=-0'])('%s of ten bytes is 416', async (Range) => {
    await put('ten', { Body: '0123456789' });
    await expect(client.send(new GetObjectCommand({ ...at('ten'), Range }))).rejects.toMatchObject({
      name: 'InvalidRange',
      ...status(416),
    });
  });

  test('metadata and content type come back', async () => {
    await put('described', { Metadata: { colour: 'red' }, ContentType: 'message/rfc822' });
    expect(await client.send(new HeadObjectCommand(at('described')))).toMatchObject({
      Metadata: { colour: 'red' },
      ContentType: 'message/rfc822',
      ContentLength: 4,
    });
  });

  test('a delimiter gives common prefixes, counted and paged like names', async () => {
    for (const key of ['d/1', 'd/a/1', 'd/a/2', 'd/b/1', 'd/c']) await put(key);
    const list = (change: object) =>
      client.send(new ListObjectsV2Command({ Bucket: server.bucket, Prefix: 'd/', Delimiter: '/', ...change }));
    const names = ({ Contents = [], CommonPrefixes = [] }: Awaited<ReturnType<typeof list>>) => [
      ...Contents.map(({ Key }) => Key),
      ...CommonPrefixes.map(({ Prefix }) => Prefix),
    ];
    expect(names(await list({}))).toEqual(['d/1', 'd/c', 'd/a/', 'd/b/']);
    const first = await list({ MaxKeys: 2 });
    expect(names(first)).toEqual(['d/1', 'd/a/']);
    expect(first).toMatchObject({ IsTruncated: true, KeyCount: 2 });
    expect(names(await list({ ContinuationToken: first.NextContinuationToken }))).toEqual(['d/c', 'd/b/']);
  });
});

test('a multipart upload becomes one object with the ETag of its parts', async () => {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(at('inbound/parts')));
  const bodies = [Buffer.alloc(5 * 1024 * 1024, 'a'), Buffer.from('tail')];
  const parts: { PartNumber: number; ETag: string | undefined }[] = [];
  for (const [i, Body] of bodies.entries()) {
    const { ETag } = await client.send(new UploadPartCommand({ ...at('inbound/parts'), UploadId, PartNumber: i + 1, Body }));
    parts.push({ PartNumber: i + 1, ETag });
  }
  const finish = { ...at('inbound/parts'), UploadId, MultipartUpload: { Parts: parts } };
  const { ETag } = await client.send(new CompleteMultipartUploadCommand(finish));
  expect(ETag).toMatch(/^"[0-9a-f]{32}-2"$/);
  expect((await server.store.get('inbound/parts')).body.equals(Buffer.concat(bodies))).toBe(true);
  await expect(client.send(new CompleteMultipartUploadCommand(finish))).rejects.toMatchObject({ name: 'NoSuchUpload' });
});

test('a created and a removed object are announced, those outside the prefix are not', async () => {
  events.length = 0;
  await put('elsewhere/x');
  await put('inbound/a b+ü');
  await client.send(new DeleteObjectCommand(at('inbound/a b+ü')));
  expect(events.map((event) => [event.EventName, event.Records[0]?.s3.object.key, event.Records[0]?.s3.object.size])).toEqual([
    ['s3:ObjectCreated:Put', 'inbound/a+b%2B%C3%BC', 4],
    ['s3:ObjectRemoved:Delete', 'inbound/a+b%2B%C3%BC', undefined],
  ]);
  const [first, second] = events.map((event) => event.Records[0]!.s3.object.sequencer);
  expect(first! < second!).toBe(true);
});

test('events are posted to a URL', async () => {
  const hook = createServer();
  hook.listen(0, '127.0.0.1');
  await once(hook, 'listening');
  const url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/inbound`;
  const posted = once(hook, 'request');
  await using posting = await startStrictS3({ onEvent: url });
  const poster = new S3Client({ region: 'us-east-1', endpoint: posting.endpoint, forcePathStyle: true, credentials: posting.credentials });
  await poster.send(new PutObjectCommand({ Bucket: posting.bucket, Key: 'inbound/1', Body: 'x' }));
  const [request, response] = await posted;
  let text = '';
  for await (const chunk of request) text += chunk;
  response.end();
  expect(JSON.parse(text)).toMatchObject({ Key: `${posting.bucket}/inbound/1`, Records: [{ eventName: 'ObjectCreated:Put' }] });
  poster.destroy();
  hook.close();
});
