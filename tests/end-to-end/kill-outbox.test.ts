/**
 * The server is killed at random moments while clients send by SMTP and a relay takes the mail. Whatever was acknowledged reaches the relay; twice only where
 * the relay's final answer was still to come at a kill, or had come a moment before and was not committed yet.
 */
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { LineClient } from '../support/line-client.ts';
import { makeServerFolder } from '../support/running-server.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { SmtpSink, type SunkMessage } from '../support/smtp-sink.ts';

const kills = Number(process.env['SATCHEL_TEST_KILLS'] ?? 20);
const sendsMin = kills * 50;
/** Milliseconds that a commit of the relay's answer may take on a busy machine. */
const commitMs = 500;

const any = '127.0.0.1:0';

it(`kill -9 at ${kills} random moments during ${sendsMin} sends loses none`, { timeout: 240_000 }, async () => {
  await using sink = await SmtpSink.open();
  using folder = makeServerFolder({
    listen: { http: null, https: null, imap: null, imaps: any, lmtp: null, submission: any, submissions: null, managesieve: null },
    relay: { driver: 'smtp', host: '127.0.0.1', port: sink.port, tls: 'none', connections: 10 },
    submission: { messagesPerDay: 100_000, recipientsPerDay: 100_000 },
  });
  const answeredAt = new Map<SunkMessage, number>();
  sink.beforeReply = async (message) => {
    await sleep(randomInt(0, 10));
    answeredAt.set(message, performance.now());
  };
  const acknowledged = new Set<string>();
  const killedAt: number[] = [];
  let server = await startServerProcess(folder);
  const password = server.password!;
  let ids = 0;
  const nextId = () => `m${(ids += 1)}@localhost`;
  for (let round = 1; round <= kills; round += 1) {
    const stop = new AbortController();
    const work = Promise.all([1, 2, 3].map(() => send(server, password, nextId, acknowledged, () => stop.signal.aborted)));
    await sleep(randomInt(300, 900));
    killedAt.push(performance.now());
    await server.kill();
    stop.abort();
    await work;
    server = await startServerProcess(folder);
  }
  try {
    await Promise.all([1, 2, 3].map(() => send(server, password, nextId, acknowledged, () => acknowledged.size >= sendsMin)));
    const missing = () => {
      const arrived = copies();
      return [...acknowledged].filter((id) => !arrived.has(id));
    };
    const copies = () => Map.groupBy(sink.messages, ({ messageId }) => messageId);
    await expect.poll(() => missing().length, { timeout: 60_000, interval: 100 }).toBe(0);
    // A moment more for what should not come.
    await sleep(1000);
    const doubled = [...copies().values()].filter((each) => each.length > 1);
    const unexplained = doubled.filter((each) =>
      each.slice(0, -1).some((copy) => {
        const at = answeredAt.get(copy) ?? Number.POSITIVE_INFINITY;
        return !killedAt.some((kill) => at > kill - commitMs);
      }),
    );
    console.log(`${acknowledged.size} sends acknowledged, ${copies().size} arrived, 0 lost, ${doubled.length} twice, at ${kills} kills`);
    expect(unexplained.map(([copy]) => copy!.messageId)).toEqual([]);
    expect(doubled.length).toBeLessThan(kills * 10);
    expect(acknowledged.size).toBeGreaterThanOrEqual(sendsMin);
    const verified = await folder.satchel(['verify', '--json']);
    expect({ code: verified.code, err: verified.err }).toEqual({ code: 0, err: '' });
  } finally {
    await server.kill();
  }
});

/** Sends one message after the other until told to end or the server dies. What is in the air then was not acknowledged. */
async function send(
  { submissionPort }: ServerProcess,
  password: string,
  nextId: () => string,
  acknowledged: Set<string>,
  isOver: () => boolean,
): Promise<void> {
  const client = LineClient.connect({ host: '127.0.0.1', port: submissionPort });
  client.socket.setMaxListeners(0);
  client.socket.on('error', () => client.socket.destroy());
  const closed = new Promise<never>((_, reject) => client.socket.once('close', () => reject(new Error('closed'))));
  closed.catch(() => undefined);
  const say = (text: string, until: RegExp) => Promise.race([client.send(text, until), closed]);
  try {
    await say('', /^220 /);
    await say('EHLO c\r\n', /^250 /m);
    await say(`AUTH PLAIN ${Buffer.from(`\0me@localhost\0${password}`).toString('base64')}\r\n`, /^235 /m);
    while (!isOver()) {
      const id = nextId();
      await say(`MAIL FROM:<me@localhost>\r\nRCPT TO:<zoe@elsewhere.example>\r\nDATA\r\n`, /^354 /m);
      const answer = await say(`From: me@localhost\r\nMessage-ID: <${id}>\r\nSubject: ${id}\r\n\r\nHello\r\n.\r\n`, /^\d{3} .*\r\n/m);
      if (answer.startsWith('250')) acknowledged.add(id);
    }
  } catch {
    // The server is gone.
  } finally {
    client.socket.destroy();
  }
}
