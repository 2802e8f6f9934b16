/** Push subscriptions from the first message to the last (RFC 8620 §7.2), decrypted as a browser would (RFC 8188, RFC 8291), and where pushes may not go. */
import { createDecipheriv, createECDH, hkdfSync, randomBytes } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { compactVerify, importJWK } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isPublicAddress, publicLookup } from '../../../server/jmap/push/public-address.ts';
import { createPushSender, freshVapidKey } from '../../../server/jmap/push/sender.ts';
import { core, type JmapApp, mail, startJmapApp } from '../../support/jmap/app.ts';
import { deliver, rawMessage } from '../../support/open-accounts.ts';

interface Push {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

let app: JmapApp;
let service: Server;
let url: string;
let status = 201;
const pushes: Push[] = [];
let wake = Promise.withResolvers<void>();

beforeEach(async () => {
  app = await startJmapApp();
  status = 201;
  pushes.length = 0;
  service = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    pushes.push({ headers: request.headers, body: Buffer.concat(chunks) });
    response.writeHead(status).end();
    wake.resolve();
    wake = Promise.withResolvers<void>();
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(service.address() as AddressInfo).port}/push/1`;
});
afterEach(async () => {
  await app[Symbol.asyncDispose]();
  await new Promise((resolve) => service.close(resolve));
});

async function nextPush(): Promise<Push> {
  while (pushes.length === 0) await wake.promise;
  return pushes.shift()!;
}

class Browser {
  readonly #ecdh = createECDH('prime256v1');
  readonly #auth = randomBytes(16);
  readonly keys: { readonly p256dh: string; readonly auth: string };

  constructor() {
    this.keys = { p256dh: this.#ecdh.generateKeys('base64url'), auth: this.#auth.toString('base64url') };
  }

  /** RFC 8188 §2, with the key of RFC 8291 §3.4. */
  open(body: Buffer): unknown {
    const salt = body.subarray(0, 16);
    const theirs = body.subarray(21, 21 + body[20]!);
    const info = Buffer.concat([Buffer.from('WebPush: info\0'), this.#ecdh.getPublicKey(), theirs]);
    const ikm = Buffer.from(hkdfSync('sha256', this.#ecdh.computeSecret(theirs), this.#auth, info, 32));
    const cek = Buffer.from(hkdfSync('sha256', ikm, salt, 'Content-Encoding: aes128gcm\0', 16));
    const nonce = Buffer.from(hkdfSync('sha256', ikm, salt, 'Content-Encoding: nonce\0', 12));
    const record = body.subarray(21 + body[20]!);
    const decipher = createDecipheriv('aes-128-gcm', cek, nonce);
    decipher.setAuthTag(record.subarray(-16));
    const padded = Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()]);
    return JSON.parse(padded.subarray(0, padded.lastIndexOf(2)).toString());
  }
}

type Answer = Readonly<Record<string, Readonly<Record<string, Record<string, unknown>>>>>;

async function call(name: string, args: object): Promise<Answer> {
  const { methodResponses } = await app.call([[name, args, 'c']], { using: [core, mail] });
  return methodResponses[0]![1] as Answer;
}
const set = (args: object) => call('PushSubscription/set', args);
const get = async (ids: readonly string[] | null = null) =>
  (await call('PushSubscription/get', { ids })) as unknown as { list: Record<string, unknown>[]; notFound: string[] };

async function subscribe(more: object = {}): Promise<string> {
  const { created, notCreated } = await set({ create: { k: { deviceClientId: 'device', url, ...more } } });
  expect(notCreated).toBeNull();
  return created!['k']!['id'] as string;
}

/** A subscription whose code was said back. */
async function verified(more: object = {}): Promise<string> {
  const id = await subscribe(more);
  const { verificationCode } = JSON.parse((await nextPush()).body.toString()) as { verificationCode: string };
  expect(await set({ update: { [id]: { verificationCode } } })).toMatchObject({ updated: { [id]: null } });
  return id;
}

async function receive(): Promise<void> {
  const inbox = app.account.read((reader) => reader.mailboxByRole('inbox'))!;
  await deliver(app.account, inbox.id, rawMessage({ Subject: 'New' }));
}

describe('a push subscription', () => {
  it('is verified first, then hears of new states, encrypted and signed by the key that the session tells', async () => {
    const browser = new Browser();
    const id = await subscribe({ keys: browser.keys, types: ['Email', 'Mailbox'] });
    const first = await nextPush();
    const verification = browser.open(first.body) as Record<string, string>;
    expect(verification).toMatchObject({ '@type': 'PushVerification', pushSubscriptionId: id });
    expect(first.headers).toMatchObject({ 'content-encoding': 'aes128gcm', ttl: expect.stringMatching(/^\d+$/) });

    const session = (
      await app.server.inject({ method: 'GET', url: '/jmap/session', headers: { authorization: app.authorization() } })
    ).json() as { capabilities: Record<string, Record<string, string>> };
    const publicKey = session.capabilities['urn:ietf:params:jmap:webpush-vapid']!['applicationServerKey']!;
    const [, token, k] = /^vapid t=([^,]+), ?k=(.+)$/.exec(first.headers.authorization!)!;
    expect(k).toBe(publicKey);
    const point = Buffer.from(publicKey, 'base64url');
    const [x, y] = [point.subarray(1, 33).toString('base64url'), point.subarray(33).toString('base64url')];
    const { payload } = await compactVerify(token!, await importJWK({ kty: 'EC', crv: 'P-256', x, y }, 'ES256'));
    expect(JSON.parse(Buffer.from(payload).toString())).toMatchObject({ aud: new URL(url).origin, sub: 'mailto:postmaster@example.com' });

    expect(await set({ update: { [id]: { verificationCode: 'wrong' } } })).toMatchObject({
      notUpdated: { [id]: { type: 'invalidProperties', properties: ['verificationCode'] } },
    });
    await set({ update: { [id]: { verificationCode: verification['verificationCode'] } } });
    await receive();
    const change = browser.open((await nextPush()).body);
    const { state } = (await call('Email/get', { accountId: 'account1', ids: [] })) as unknown as { state: string };
    expect(change).toEqual({ '@type': 'StateChange', changed: { account1: { Email: state, Mailbox: expect.any(String) } } });
  });

  it('hears nothing before it is verified, nor of the accounts of others', async () => {
    await subscribe();
    await nextPush();
    await receive();
    const other = app.other.read((reader) => reader.mailboxByRole('inbox'))!;
    await verified();
    await deliver(app.other, other.id, rawMessage({ Subject: 'Theirs' }));
    await receive();
    const { changed } = JSON.parse((await nextPush()).body.toString()) as { changed: object };
    expect(Object.keys(changed)).toEqual(['account1']);
    expect(pushes).toHaveLength(0);
  });

  it('shows neither url nor keys, and is nobody else’s', async () => {
    const id = await subscribe({ keys: new Browser().keys });
    const { list } = await get();
    expect(list).toEqual([{ id, deviceClientId: 'device', verificationCode: null, expires: expect.any(String), types: null }]);
    expect(await call('PushSubscription/get', { properties: ['url'] })).toMatchObject({ type: 'forbidden' });
    const theirs = await app.call([['PushSubscription/get', { ids: [id] }, 'c']], { user: 'other@example.com', using: [core] });
    expect(theirs.methodResponses[0]![1]).toEqual({ list: [], notFound: [id] });
  });

  it('that the push service does not know any more is removed', async () => {
    const id = await verified();
    status = 410;
    await receive();
    await nextPush();
    await expect.poll(async () => (await get([id])).notFound).toEqual([id]);
  });

  it('keeps its url and keys, and lasts two weeks at most', async () => {
    const id = await subscribe();
    expect(await set({ update: { [id]: { url: 'https://push.example.com/' } } })).toMatchObject({
      notUpdated: { [id]: { type: 'invalidProperties', properties: ['url'] } },
    });
    const { updated } = await set({ update: { [id]: { expires: '2999-01-01T00:00:00Z' } } });
    const days = (Date.parse(String(updated![id]!['expires'])) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(13.9);
    expect(days).toBeLessThanOrEqual(14);
    expect(await set({ destroy: [id] })).toMatchObject({ destroyed: [id] });
    expect((await get()).list).toEqual([]);
  });

  it.each([
    [{ url: 'ftp://push.example.com/' }, 'url'],
    [{ url: 'no url' }, 'url'],
    [{ keys: { p256dh: 'short', auth: 'short' } }, 'keys'],
    [{ verificationCode: 'x' }, 'verificationCode'],
    [{ expires: '2001-01-01T00:00:00Z' }, 'expires'],
    [{ surprise: 1 }, 'surprise'],
  ])('with %j is refused', async (more, property) => {
    expect(await set({ create: { k: { deviceClientId: 'device', url, ...more } } })).toMatchObject({
      notCreated: { k: { type: 'invalidProperties', properties: [property] } },
    });
  });

  it('is refused where there are 32', async () => {
    const create = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, { deviceClientId: `d${i}`, url }]));
    expect(await set({ create })).toMatchObject({ notCreated: { k32: { type: 'overQuota' } } });
  });
});

describe('pushes', () => {
  const sender = createPushSender({ key: freshVapidKey(), contact: 'mailto:postmaster@example.com', allowsPrivate: false });

  it.each([
    'http://push.example.com/',
    'https://localhost/',
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://user@push.example.com/',
    'https://2130706433/',
    'https://0x7f.1/',
  ])('go not to %s', (target) => {
    expect(sender.fault({ url: target, keys: null })).toBeDefined();
  });

  it.each([{}, { all: true }])('go not where a name leads inside (%j)', async (options) => {
    const error = await new Promise((resolve) => publicLookup('localhost', options, resolve));
    expect(String(error)).toContain('no public address');
  });

  it.each([
    ['8.8.8.8', true],
    ['2606:4700::1', true],
    ['10.1.2.3', false],
    ['172.31.0.1', false],
    ['172.32.0.1', true],
    ['169.254.169.254', false],
    ['fe80::1', false],
    ['fd00::1', false],
    ['::ffff:7f00:1', false],
    ['::ffff:8.8.8.8', true],
  ])('%s is public: %s', (address, isPublic) => {
    expect(isPublicAddress(address)).toBe(isPublic);
  });
});
