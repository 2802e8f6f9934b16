import { createCipheriv, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DecryptionError, decryptObject, isEncrypted, keyService } from '../../../indexer/ses/client-side-encryption.ts';
import { StorageError } from '../../../protocol/mail/errors.ts';
import type { ObjectStore } from '../../../storage/objects/object-store.ts';
import { fixture, idOf } from './fixtures.ts';
import { ada, lookAt, openRig } from './rig.ts';

/** A KMS that knows one wrapped key, and gives it for the context it was wrapped with only. */
class TestKms {
  readonly dataKey = randomBytes(32);
  readonly wrapped = randomBytes(184);
  context: Record<string, string> = {};
  isAway = false;
  asked = 0;
  readonly #server: Server = createServer(async (request, response) => {
    this.asked++;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { CiphertextBlob, EncryptionContext } = JSON.parse(Buffer.concat(chunks).toString());
    const answer = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
    };
    if (request.headers['x-amz-target'] !== 'TrentService.Decrypt') answer(400, { __type: 'UnknownOperationException' });
    else if (this.isAway) answer(500, { __type: 'KMSInternalException' });
    else if (CiphertextBlob !== this.wrapped.toString('base64')) answer(400, { __type: 'InvalidCiphertextException' });
    else if (JSON.stringify(EncryptionContext) !== JSON.stringify(this.context)) answer(400, { __type: 'InvalidCiphertextException' });
    else answer(200, { KeyId: 'arn:aws:kms:eu-west-1:444455556666:key/k', Plaintext: this.dataKey.toString('base64') });
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** What SES would have written of `message`. */
  encrypt(message: Buffer, id: string) {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.dataKey, iv);
    const body = Buffer.concat([cipher.update(message), cipher.final(), cipher.getAuthTag()]);
    this.context = { 'aws:ses:message-id': id, 'aws:ses:rule-name': 'in', 'aws:ses:source-account': '444455556666', kms_cmk_id: 'k' };
    const metadata = {
      'x-amz-key-v2': this.wrapped.toString('base64'),
      'x-amz-iv': iv.toString('base64'),
      'x-amz-cek-alg': 'AES/GCM/NoPadding',
      'x-amz-wrap-alg': 'kms',
      'x-amz-tag-len': '128',
      'x-amz-matdesc': JSON.stringify(this.context),
      'x-amz-unencrypted-content-length': String(message.length),
    };
    return { body, metadata };
  }
}

const kms = new TestKms();
let unwrapKey: ReturnType<typeof keyService>;
beforeAll(async () => {
  const endpoint = await kms.listen();
  unwrapKey = keyService({ region: 'eu-west-1', endpoint, credentials: { accessKeyId: 'test', secretAccessKey: 'test' } });
});
afterAll(() => kms.close());

const message = fixture('clean.eml');
const encrypted = () => kms.encrypt(message, idOf(message));

test('is told by the metadata', () => {
  expect(isEncrypted(encrypted().metadata)).toBe(true);
  expect(isEncrypted({})).toBe(false);
});

test('an object is decrypted, byte for byte', async () => {
  const { body, metadata } = encrypted();
  expect((await decryptObject(metadata, body, unwrapKey)).equals(message)).toBe(true);
});

describe('is refused, with a reason,', () => {
  type Encrypted = ReturnType<TestKms['encrypt']>;
  test.each<[string, (object: Encrypted) => unknown, RegExp]>([
    ['when a byte was changed', ({ body }) => (body[3]! ^= 1), /tag/],
    ['when the tag was cut off', (object) => (object.body = object.body.subarray(0, -16)), /tag/],
    ['when it is shorter than a tag', (object) => (object.body = object.body.subarray(0, 3)), /envelope/],
    [
      "with another message's context",
      ({ metadata }) => (metadata['x-amz-matdesc'] = '{"aws:ses:message-id":"other"}'),
      /KMS does not give/,
    ],
    ['without a context', ({ metadata }) => (metadata['x-amz-matdesc'] = '[1]'), /description/],
    ['with a foreign key', ({ metadata }) => (metadata['x-amz-key-v2'] = 'AAAA'), /KMS does not give/],
    ['with an unknown cipher', ({ metadata }) => (metadata['x-amz-cek-alg'] = 'AES/CBC/PKCS5Padding'), /cipher/],
    ['with a key wrapped otherwise', ({ metadata }) => (metadata['x-amz-wrap-alg'] = 'AESWrap'), /wrapped/],
  ])('%s', async (_, spoil, reason) => {
    const object = encrypted();
    spoil(object);
    const failure = await decryptObject(object.metadata, object.body, unwrapKey).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DecryptionError);
    expect((failure as Error).message).toMatch(reason);
  });
});

test('while KMS is away the object waits', async () => {
  kms.isAway = true;
  const { body, metadata } = encrypted();
  await expect(decryptObject(metadata, body, unwrapKey)).rejects.toBeInstanceOf(StorageError);
  kms.isAway = false;
});

/** The bucket, whose inbound objects have the metadata that a put by SES gave them. */
function withMetadata(store: ObjectStore, metadata: Record<string, string>): ObjectStore {
  return new Proxy(store, {
    get(target, name) {
      const member = Reflect.get(target, name, target);
      if (name === 'get')
        return async (key: string) => ({ ...(await target.get(key)), metadata: /^(inbound|failed)\/[^.]*$/.test(key) ? metadata : {} });
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

test('the pipeline delivers what was encrypted as it was sent', async () => {
  const { body, metadata } = encrypted();
  const rig = await openRig({ through: (store) => withMetadata(store, metadata), unwrapKey, copyBytesMin: 1 });
  await rig.bucket.store.put(`inbound/${idOf(message)}`, body);
  expect((await rig.pipeline.ingest({ key: `inbound/${idOf(message)}` })).kind).toBe('delivered');
  const { inbox } = await lookAt(rig.bucket, ada);
  expect(inbox[0]!.bytes.equals(message)).toBe(true);
  expect(inbox[0]!.delivery).toMatchObject({ source: 'ses', spam: 'PASS' });
});

test('what cannot be decrypted is held as it is, and released when it can', async () => {
  const { body, metadata } = encrypted();
  const without = await openRig({ through: (store) => withMetadata(store, metadata) });
  const key = `inbound/${idOf(message)}`;
  await without.bucket.store.put(key, body);
  expect(await without.pipeline.ingest({ key })).toMatchObject({ kind: 'held', reason: 'encrypted' });
  const { bucket } = without;
  const rig = await openRig({ bucket, through: (store) => withMetadata(store, metadata), unwrapKey });
  expect((await rig.pipeline.release(idOf(message), ['ada@example.com']))?.kind).toBe('delivered');
  expect((await lookAt(bucket, ada)).inbox[0]!.bytes.equals(message)).toBe(true);
});
