import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { LmtpService } from '../../../indexer/sources/lmtp.ts';
import { type Reply, reply } from '../../../protocol/smtp/reply.ts';
import { SmtpSession } from '../../../protocol/smtp/session.ts';
import { createLmtpServer, type LmtpServer } from '../../../server/lmtp/lmtp-server.ts';
import { silentLogger } from '../../../server/logger.ts';
import { Listener } from '../../../server/net/listener.ts';
import { createSmtpServer } from '../../../server/net/smtp-server.ts';
import { LineClient } from '../../support/line-client.ts';

let lmtp: LmtpServer;
let listener: Listener;
/** A message that has come and waits for its answer. */
let arrived: PromiseWithResolvers<(replies: readonly Reply[]) => void>;

async function open(idleTimeoutMs?: number): Promise<void> {
  arrived = Promise.withResolvers();
  const service: Pick<LmtpService, 'open'> = {
    open: (port, peer) =>
      new SmtpSession<readonly never[]>(
        {
          mode: 'lmtp',
          hostName: 'here',
          messageBytesMax: 10_000,
          bareLineEnds: 'keep',
          handler: {
            recipient: () => ({ accept: [] }),
            message: () => new Promise((resolve) => arrived.resolve(resolve)),
          },
        },
        port,
        peer.isSecure,
      ),
  };
  lmtp = createLmtpServer({ service, idleTimeoutMs, logger: silentLogger });
  listener = await Listener.open({ name: 'lmtp', host: '127.0.0.1', port: 0, handler: lmtp, logger: silentLogger });
}
beforeEach(() => open());
afterEach(() => listener[Symbol.asyncDispose]());

const connect = () => LineClient.connect({ host: '127.0.0.1', port: listener.port });

async function begin(client: LineClient): Promise<void> {
  await client.send('', /^220 here LMTP/);
  await client.send('LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n', /^354 .*\r\n/m);
}

it('a message that is being stored when the server stops is answered, and then the session ends', async () => {
  const client = connect();
  await begin(client);
  const heard = client.send('Subject: x\r\n\r\nx\r\n.\r\n', /^421 .*\r\n/m);
  const answer = await arrived.promise;
  const closed = lmtp.close();
  answer([reply(250, '2.1.5', 'delivered')]);
  expect(await heard).toMatch(/^250 2\.1\.5 delivered\r\n421 4\.3\.2 .*shutting down\.\r\n$/);
  await closed;
  expect(lmtp.sessions).toBe(0);
});

it('an idle session hears 421 when the server stops, and so does one that comes late', async () => {
  const client = connect();
  const heard = client.send('', /^421 .*\r\n/m);
  await client.send('', /^220 /);
  await lmtp.close();
  expect(await heard).toMatch(/^220 .*\r\n421 /);
  expect(await connect().send('', /^421 .*\r\n/m)).toContain('shutting down');
});

it('a peer that closes its side after the message still hears what became of it', async () => {
  const client = connect();
  await begin(client);
  const heard = client.send('Subject: x\r\n\r\nx\r\n.\r\n', /^250 .*\r\n/m);
  client.socket.end();
  (await arrived.promise)([reply(250, '2.1.5', 'delivered')]);
  expect(await heard).toMatch(/^250 2\.1\.5/);
});

it('a peer that says nothing is told so and let go', async () => {
  await listener[Symbol.asyncDispose]();
  await open(20);
  const client = connect();
  expect(await client.send('', /^421 .*\r\n/m)).toMatch(/^220 .*\r\n421 4\.3\.2 nothing was heard/);
});

it('what a session has read is not kept for as long as it lasts', async () => {
  await listener[Symbol.asyncDispose]();
  const read: WeakRef<Buffer>[] = [];
  const server = createSmtpServer({
    service: {
      open: (port) => ({
        start: () => port.write('220 ready\r\n'),
        receive(bytes) {
          read.push(new WeakRef(bytes));
          port.write('250 more\r\n');
        },
        shutDown: () => port.close(),
        isBusy: false,
      }),
    },
    logger: silentLogger,
  });
  listener = await Listener.open({ name: 'lmtp', host: '127.0.0.1', port: 0, handler: server, logger: silentLogger });
  const client = connect();
  await client.send('', /^220 /);
  for (let i = 0; i < 50; i++) await client.send('NOOP\r\n', /250 more\r\n$/);
  setFlagsFromString('--expose-gc');
  // A WeakRef holds its target until the turn ends in which it was made or read.
  await setImmediate();
  (runInNewContext('gc') as () => void)();
  expect(read.length).toBe(50);
  expect(read.filter((bytes) => bytes.deref() !== undefined).length).toBeLessThan(5);
});
