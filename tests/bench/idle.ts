/**
 * `npm run bench:idle`: what connections cost that only wait. Opens IMAP connections over TLS to a server of its own, logs each in, selects INBOX and
 * begins IDLE; then says how much memory the server has for each, and tries that a message reaches one that waits. JSON on standard output.
 *
 * `--connections 10000` says how many, `--accounts 20` over how many accounts. This process holds as many sockets: `ulimit -n` must allow them.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createSecureContext, type TLSSocket } from 'node:tls';
import { parseArgs } from 'node:util';
import { startBenchServer } from './server.ts';

const { values } = parseArgs({
  options: { connections: { type: 'string', default: '2000' }, accounts: { type: 'string', default: '20' } },
});
const [count, accounts] = [values.connections, values.accounts].map((text) => {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`not a count: ${text}`);
  return Number(text);
}) as [number, number];

const note = (text: string) => process.stderr.write(`${text}\n`);
/** Below what a listener takes of one address: each is one of loopback's own. */
const perAddress = 400;
/** Handshakes at a time. */
const parallel = 32;

const folder = mkdtempSync(join(tmpdir(), 'satchel-idle-'));
const secureContext = createSecureContext();
const sockets: TLSSocket[] = [];
try {
  await using server = await startBenchServer(folder);
  const logins = Array.from({ length: accounts }, (_, at) => (at === 0 ? 'me@localhost' : `user${at}@localhost`));
  for (const login of logins.slice(1)) await server.post('/accounts', { address: login, password: server.password });
  for (const login of logins) (await open(server.ports.imaps, login, server.password, 0)).destroy();

  const rss = async () => {
    const before = await server.rssMb();
    // The collector gives memory back in its own time: the figure is read when it no longer falls.
    for (let last = before; ; ) {
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      const now = await server.rssMb();
      if (now >= last) return now;
      last = now;
    }
  };
  const emptyMb = await rss();
  const began = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (let at = next++; at < count; at = next++) {
        sockets.push(await open(server.ports.imaps, logins[at % accounts]!, server.password, Math.floor(at / perAddress) + 2));
        if (sockets.length % 1_000 === 0) note(`${sockets.length} connections, ${await server.rssMb()} MB`);
      }
    }),
  );
  const openSeconds = (performance.now() - began) / 1000;
  const fullMb = await rss();
  const heard = until(sockets[0]!, /^\* 1 EXISTS/m);
  const told = performance.now();
  await append(server.ports.imaps, logins[0]!, server.password);
  await heard;
  const noticeMs = performance.now() - told;
  const kibEach = ((fullMb - emptyMb) * 1024) / count;
  process.stdout.write(
    `${JSON.stringify({ connections: count, accounts, emptyMb, fullMb, kibEach: Number(kibEach.toFixed(1)), openSeconds: Math.round(openSeconds), noticeMs: Math.round(noticeMs) })}\n`,
  );
} finally {
  for (const socket of sockets) socket.destroy();
  rmSync(folder, { recursive: true, force: true });
}

/** A connection that waits in IDLE; `from` is the last part of the address that it comes from. */
async function open(port: number, login: string, password: string, from: number): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    secureContext,
    ...(from === 0 ? {} : { localAddress: `127.0.0.${from}` }),
  });
  socket.on('error', () => socket.destroy());
  await once(socket, 'secureConnect');
  await until(socket, /^\* OK/m);
  await say(socket, `a LOGIN ${login} "${password}"`, /^a OK/m);
  await say(socket, 'b SELECT INBOX', /^b OK/m);
  await say(socket, 'c IDLE', /^\+ /m);
  return socket;
}

async function append(port: number, login: string, password: string): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, secureContext });
  await until(socket, /^\* OK/m);
  await say(socket, `a LOGIN ${login} "${password}"`, /^a OK/m);
  await say(socket, 'b APPEND INBOX {15+}\r\nSubject: hello\r\n', /^b OK/m);
  socket.destroy();
}

function say(socket: TLSSocket, line: string, want: RegExp): Promise<void> {
  socket.write(`${line}\r\n`);
  return until(socket, want);
}

function until(socket: TLSSocket, want: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const onData = (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (!want.test(text)) return;
      socket.off('data', onData);
      socket.off('close', onClose);
      resolve();
    };
    const onClose = () => reject(new Error(`the server closed the connection; before: ${text}`));
    socket.on('data', onData);
    socket.once('close', onClose);
  });
}
