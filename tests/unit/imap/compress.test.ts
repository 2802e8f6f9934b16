/** COMPRESS=DEFLATE (RFC 4978): with a client of its own, byte by byte, under STARTTLS, with a peer that does not read, and by imapflow. */
import { connect, type Socket } from 'node:net';
import { Duplex, duplexPair } from 'node:stream';
import { connect as connectTls, createSecureContext } from 'node:tls';
import { constants, createDeflateRaw, createInflateRaw, deflateRawSync } from 'node:zlib';
import { ImapFlow } from 'imapflow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DeflatedStream } from '../../../server/net/deflated-stream.ts';
import { makeSelfSigned } from '../../../server/tls/self-signed.ts';
import { type ImapApp, password, startImapApp, user } from '../../support/imap/app.ts';
import { ImapTestClient } from '../../support/imap/client.ts';

const selfSigned = makeSelfSigned({ names: ['localhost'], serial: '01020304', now: Date.now() });
const secureContext = createSecureContext({ cert: selfSigned.cert, key: selfSigned.key });

let app: ImapApp;
let port: number;
beforeAll(async () => {
  app = await startImapApp({ secureContext: () => secureContext });
  port = (await app.listen()).port;
});
afterAll(() => app[Symbol.asyncDispose]());

async function firstChunk(socket: Duplex): Promise<string> {
  return new Promise((resolve) => socket.once('data', (chunk: Buffer) => resolve(chunk.toString())));
}

/** Logs in and turns compression on; what is written to the client goes out packed, cut into pieces of `pieceBytes`. */
async function compressed(socket: Duplex, pieceBytes = 65_536): Promise<ImapTestClient> {
  socket.write(`a LOGIN ${user} "${password}"\r\n`);
  for (let heard = ''; !heard.includes('a OK'); heard += await firstChunk(socket));
  socket.write('b COMPRESS DEFLATE\r\n');
  expect(await firstChunk(socket)).toMatch(/^b OK /);
  const writable = createDeflateRaw({ flush: constants.Z_SYNC_FLUSH });
  writable.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; at += pieceBytes) socket.write(chunk.subarray(at, at + pieceBytes));
  });
  return new ImapTestClient(Duplex.from({ readable: socket.pipe(createInflateRaw()), writable }));
}

async function plainSocket(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await firstChunk(socket);
  return socket;
}

describe('COMPRESS=DEFLATE', () => {
  it('is offered after login, once, and no other algorithm is', async () => {
    const client = await app.connect();
    expect(client.greeting).not.toContain('COMPRESS');
    expect((await client.command('COMPRESS DEFLATE')).at(-1)).toMatch(/^x BAD /);
    await client.command(`LOGIN ${user} "${password}"`);
    expect((await client.command('CAPABILITY'))[0]).toContain(' COMPRESS=DEFLATE');
    expect((await client.command('COMPRESS LZW')).at(-1)).toMatch(/^x NO /);
    client.write('y COMPRESS DEFLATE\r\nz NOOP\r\n');
    expect((await client.until('y')).at(-1)).toMatch(/^y BAD /);
    expect((await client.until('z')).at(-1)).toMatch(/^z OK /);
    client.close();
  });

  it('carries pipelined commands, literals both ways and large answers, also when its bytes come one by one', async () => {
    const client = await compressed(await plainSocket(), 1);
    const message = `Subject: packed\r\n\r\n${'All work and no play. '.repeat(5000)}\r\n`;
    client.write(`c APPEND INBOX {${message.length}+}\r\n${message}\r\nd SELECT INBOX\r\ne FETCH 1 BODY.PEEK[]\r\nf NOOP\r\n`);
    expect((await client.until('c')).at(-1)).toMatch(/^c OK /);
    expect((await client.until('d')).at(-1)).toMatch(/^d OK /);
    expect((await client.until('e'))[0]).toContain(message);
    expect((await client.until('f')).at(-1)).toMatch(/^f OK /);
    expect((await client.command('COMPRESS DEFLATE', 'g')).at(-1)).toMatch(/^g NO \[COMPRESSIONACTIVE\]/);
    expect((await client.command('CAPABILITY', 'h'))[0]).not.toContain('COMPRESS');
    client.close();
  });

  it('flushes each answer and each word of IDLE at once', async () => {
    const client = await compressed(await plainSocket());
    await client.command('SELECT Drafts');
    expect((await client.command('IDLE', 'i')).at(-1)).toMatch(/^\+ /);
    const other = await app.connect();
    await other.command(`LOGIN ${user} "${password}"`);
    await other.command('APPEND Drafts {16+}\r\nSubject: x\r\n\r\nyz');
    expect(await client.line()).toBe('* 1 EXISTS');
    client.write('DONE\r\n');
    expect((await client.until('i')).at(-1)).toMatch(/^i OK /);
    expect((await client.command('LOGOUT', 'j')).at(-1)).toMatch(/^j OK /);
    await client.ended();
    other.close();
  });

  it('works inside STARTTLS', async () => {
    const plain = await plainSocket();
    plain.write('a STARTTLS\r\n');
    await firstChunk(plain);
    const client = await compressed(connectTls({ socket: plain, rejectUnauthorized: false }));
    expect((await client.command('STATUS INBOX (MESSAGES)')).at(0)).toMatch(/^\* STATUS "?INBOX"? /);
    client.close();
  });

  it('ends a session whose bytes do not unpack, and no other', async () => {
    const socket = await plainSocket();
    await compressed(socket);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.write(Buffer.alloc(64, 0xff));
    await closed;
    (await compressed(await plainSocket())).close();
  });

  it('unpacks no more of a bomb than is read', async () => {
    const [near, far] = duplexPair();
    const stream = new DeflatedStream(far);
    const bomb = Buffer.alloc(150 * 1024 * 1024, 0x61);
    const paused = new Promise<void>((resolve) => far.once('pause', () => resolve()));
    for (let at = 0, packed = deflateRawSync(bomb); at < packed.length; at += 1024) near.write(packed.subarray(at, at + 1024));
    await paused;
    expect(stream.readableLength).toBeLessThan(256 * 1024);
    let octets = 0;
    for await (const chunk of stream) {
      octets += (chunk as Buffer).length;
      if (octets === bomb.length) break;
    }
    expect(octets).toBe(bomb.length);
  });

  it('is what imapflow uses, from login to logout', async () => {
    const client = new ImapFlow({
      host: '127.0.0.1',
      port,
      secure: false,
      doSTARTTLS: false,
      auth: { user, pass: password },
      logger: false,
    });
    await client.connect();
    const appended = await client.append('Sent', 'Subject: by imapflow\r\n\r\nHello.\r\n');
    expect(appended).toMatchObject({ destination: 'Sent' });
    const lock = await client.getMailboxLock('Sent');
    expect((await client.fetchOne('1', { source: true })) || undefined).toMatchObject({
      source: Buffer.from('Subject: by imapflow\r\n\r\nHello.\r\n'),
    });
    lock.release();
    expect((client as unknown as { _deflate?: unknown })._deflate).toBeDefined();
    await client.logout();
  });
});
