/** What depends on the connection itself: TLS, protection of passwords, silence, slow clients, shutdown. */
import { connect } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../server/clock.ts';
import { makeSelfSigned } from '../../../server/tls/self-signed.ts';
import { carriedBytesMax } from '../../../storage/log/carried.ts';
import { MemoryStore } from '../../../storage/objects/memory.ts';
import { type ImapApp, password, startImapApp, user } from '../../support/imap/app.ts';
import { ImapTestClient } from '../../support/imap/client.ts';

const selfSigned = makeSelfSigned({ names: ['localhost'], serial: '01020304', now: Date.now() });
const secureContext = createSecureContext({ cert: selfSigned.cert, key: selfSigned.key });

/** A store whose writes take a turn of the event loop's timers. */
class SlowStore extends MemoryStore {
  inFlightMax = 0;
  #inFlight = 0;

  override async put(...args: Parameters<MemoryStore['put']>): ReturnType<MemoryStore['put']> {
    return this.#slowly(() => super.put(...args));
  }

  override async putIfAbsent(...args: Parameters<MemoryStore['putIfAbsent']>): ReturnType<MemoryStore['putIfAbsent']> {
    return this.#slowly(() => super.putIfAbsent(...args));
  }

  async #slowly<T>(run: () => Promise<T>): Promise<T> {
    this.#inFlight += 1;
    this.inFlightMax = Math.max(this.inFlightMax, this.#inFlight);
    await systemClock.sleep(5);
    this.#inFlight -= 1;
    return run();
  }
}

describe('without TLS', () => {
  let app: ImapApp;
  beforeAll(async () => {
    app = await startImapApp({ secureContext: () => secureContext });
  });
  afterAll(() => app[Symbol.asyncDispose]());

  it('a password from afar is refused, and CAPABILITY says so', async () => {
    const client = await app.connect({ remote: '192.0.2.1' });
    expect(client.greeting).toContain('LOGINDISABLED');
    expect(client.greeting).toContain('STARTTLS');
    expect(client.greeting).not.toContain('AUTH=PLAIN');
    expect((await client.command(`LOGIN ${user} "${password}"`)).at(-1)).toMatch(/^x NO \[PRIVACYREQUIRED\]/);
    expect((await client.command('AUTHENTICATE PLAIN')).at(-1)).toMatch(/^x NO /);
    client.close();
  });

  it('a password from loopback or a trusted proxy is taken', async () => {
    for (const facts of [{ remote: '::1' }, { remote: '10.0.0.1', isTrustedProxy: true }]) {
      const client = await app.connect(facts);
      expect(client.greeting).not.toContain('LOGINDISABLED');
      expect((await client.command(`LOGIN ${user} "${password}"`)).at(-1)).toMatch(/^x OK /);
      client.close();
    }
  });

  it('bytes behind STARTTLS in the same packet are thrown away and TLS does not begin', async () => {
    const client = await app.connect({ remote: '192.0.2.1' });
    client.write(`a STARTTLS\r\nb LOGIN ${user} "${password}"\r\n`);
    expect((await client.until('a')).at(-1)).toMatch(/^a BAD /);
    expect((await client.command('NOOP', 'c')).at(-1)).toMatch(/^c OK /);
    client.close();
  });

  it('STARTTLS protects what follows', async () => {
    const listener = await app.listen();
    const plain = connect(listener.port, '127.0.0.1');
    await new Promise<void>((resolve) => plain.once('data', () => resolve()));
    plain.write('a STARTTLS\r\n');
    await new Promise<void>((resolve) => plain.once('data', () => resolve()));
    const secure = connectTls({ socket: plain, rejectUnauthorized: false });
    const client = new ImapTestClient(secure);
    const capability = await client.command('CAPABILITY');
    expect(capability[0]).not.toContain('STARTTLS');
    expect((await client.command(`LOGIN ${user} "${password}"`)).at(-1)).toMatch(/^x OK /);
    expect((await client.command('STARTTLS')).at(-1)).toMatch(/^x BAD /);
    client.close();
  });

  it('five failed logins end the connection', async () => {
    const client = await app.connect();
    for (let attempt = 1; attempt <= 4; attempt += 1) expect((await client.command('LOGIN me wrong')).at(-1)).toMatch(/^x NO /);
    expect((await client.command('LOGIN me wrong')).join('\n')).toMatch(/^\* BYE /);
    await client.ended();
  });
});

describe('time and speed', () => {
  it('a stranger who says nothing is sent away', async () => {
    await using app = await startImapApp({ loginTimeoutMs: 20 });
    const client = await app.connect();
    expect(await client.line()).toMatch(/^\* BYE /);
    await client.ended();
  });

  it('a session that falls silent is ended, and one that speaks is not', async () => {
    await using app = await startImapApp({ idleTimeoutMs: 60 });
    const client = await app.connect();
    await client.command(`LOGIN ${user} "${password}"`);
    const began = performance.now();
    expect(await client.line()).toMatch(/^\* BYE /);
    expect(performance.now() - began).toBeGreaterThan(40);
  });

  it('a client that does not read stops its own session only', async () => {
    await using app = await startImapApp();
    const listener = await app.listen();
    const writer = await app.connect();
    await writer.command(`LOGIN ${user} "${password}"`);
    const body = `Subject: big\r\n\r\n${'x'.repeat(900_000)}`;
    for (let at = 0; at < 8; at += 1) {
      writer.write(`x APPEND INBOX {${body.length}+}\r\n${body}\r\n`);
      expect((await writer.until('x')).at(-1)).toMatch(/^x OK /);
    }
    const slow = connect(listener.port, '127.0.0.1');
    slow.pause();
    slow.write(`a LOGIN ${user} "${password}"\r\nb EXAMINE INBOX\r\n`);
    for (let at = 0; at < 10; at += 1) slow.write(`c${at} FETCH 1:* BODY.PEEK[]\r\n`);
    // The other session is served meanwhile, and memory does not hold what the slow one does not take (72 MB).
    await writer.command('SELECT INBOX');
    const before = process.memoryUsage().arrayBuffers;
    for (let at = 0; at < 50; at += 1) expect((await writer.command('FETCH 1:* (FLAGS ENVELOPE)')).length).toBe(9);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30 * 1024 * 1024);
    const reader = new ImapTestClient(slow);
    slow.resume();
    expect((await reader.until('c9')).at(-1)).toMatch(/^c9 OK /);
    reader.close();
  });

  it('at shutdown every session is told', async () => {
    const app = await startImapApp();
    const client = await app.connect();
    await client.command(`LOGIN ${user} "${password}"`);
    client.write('i IDLE\r\n');
    await client.line();
    const closed = app[Symbol.asyncDispose]();
    expect(await client.line()).toMatch(/^\* BYE .*shutting down/);
    await closed;
  });
});

describe('pipelined APPENDs', () => {
  it('overlap their uploads, share commits, are answered in order, and get rising UIDs', async () => {
    const store = new SlowStore({ clock: systemClock });
    await using app = await startImapApp({ store });
    const client = await app.connect();
    await client.command(`LOGIN ${user} "${password}"`);
    // Larger than what rides in a commit: each is an object of its own.
    const commands = Array.from({ length: 40 }, (_, at) => {
      const message = `Subject: message ${at}\r\n\r\n${'y'.repeat(carriedBytesMax + ((at * 37) % 5000))}`;
      return `t${at} APPEND INBOX {${message.length}+}\r\n${message}\r\n`;
    });
    const seqBefore = app.account.read((reader) => reader.seq);
    client.write(commands.join(''));
    const uids: number[] = [];
    for (let at = 0; at < 40; at += 1) {
      const line = await client.line();
      const match = new RegExp(`^t${at} OK \\[APPENDUID \\d+ (\\d+)\\]`).exec(line);
      expect(match, line).not.toBeNull();
      uids.push(Number(match![1]));
    }
    expect(uids).toEqual(Array.from({ length: 40 }, (_, at) => at + 1));
    expect(app.account.read((reader) => reader.seq) - seqBefore).toBeLessThan(20);
    expect(store.inFlightMax).toBeGreaterThan(8);
  });
});
