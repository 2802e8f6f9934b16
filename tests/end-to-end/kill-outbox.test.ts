/**
 * The server is killed at random moments while clients send by SMTP and a relay takes the mail. Whatever was acknowledged reaches the relay; twice only where
 * the relay's final answer was outstanding at the kill. To know that for sure the process is frozen first: what the relay has answered by then, and
 * what of it still lies unread in the kernel, stays as it is until the kill, which the process never notices.
 */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { LineClient } from '../support/line-client.ts';
import { makeServerFolder } from '../support/running-server.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { SmtpSink, type SunkMessage } from '../support/smtp-sink.ts';

const killsMin = Number(process.env['SATCHEL_TEST_KILLS'] ?? 20);
const sendsMin = killsMin * 50;
/** Milliseconds from when the process has an answer out of the kernel to when it has noted it: one turn of its event loop. */
const turnMs = 10;

const any = '127.0.0.1:0';

it(`kill -9 at ${killsMin} random moments during ${sendsMin} sends loses none`, { timeout: 240_000 }, async () => {
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
  const kills: Kill[] = [];
  let server = await startServerProcess(folder);
  const password = server.password!;
  let ids = 0;
  const nextId = () => `m${(ids += 1)}@localhost`;
  for (let round = 1; round <= killsMin; round += 1) {
    const stop = new AbortController();
    const work = Promise.all([1, 2, 3].map(() => send(server, password, nextId, acknowledged, () => stop.signal.aborted)));
    await sleep(randomInt(300, 900));
    kills.push(freeze(server.pid, sink.port));
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
    const why = doubled.map((each) => each.slice(0, -1).map((copy) => stateAt(copy, answeredAt.get(copy) ?? Infinity, kills)));
    const tally = Object.entries(Object.groupBy(why.flat(), (state) => state)).map(([state, found]) => `${found!.length} ${state}`);
    console.log(
      `${acknowledged.size} sends acknowledged, ${copies().size} Message-IDs arrived, 0 lost, ${doubled.length} of them twice at ${kills.length} kills;` +
        ` the relay's answer to the first copy at the kill: ${tally.join(', ') || 'none doubled'}`,
    );
    expect(doubled.filter((_, at) => why[at]!.includes('noted')).map(([copy]) => copy!.messageId)).toEqual([]);
    expect(acknowledged.size).toBeGreaterThanOrEqual(sendsMin);
    const verified = await folder.satchel(['verify', '--json']);
    expect({ code: verified.code, err: verified.err }).toEqual({ code: 0, err: '' });
  } finally {
    await server.kill();
  }
});

interface Kill {
  readonly at: number;
  /** Ports of the process's connections to the relay on which an answer lay unread. */
  readonly unread: ReadonlySet<number>;
}

/** Stops the process in the middle of whatever it does, and looks at what its kernel has for it. */
function freeze(pid: number, relayPort: number): Kill {
  process.kill(pid, 'SIGSTOP');
  const at = performance.now();
  while (!/\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) if (performance.now() - at > 1000) throw new Error('it does not stop');
  const sockets = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').split('\n');
  const unread = sockets.flatMap((line) => {
    const [, localPort, remotePort, waiting] =
      /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:([0-9A-F]{4}) \S+ \S+:([0-9A-F]+) /.exec(line) ?? [];
    return Number(`0x${remotePort}`) === relayPort && Number(`0x${waiting}`) > 0 ? [Number(`0x${localPort}`)] : [];
  });
  return { at, unread: new Set(unread) };
}

/** What the process knew of the relay's answer to a copy when it was killed: by the kill that ended the connection on which the copy came. */
function stateAt(copy: SunkMessage, answeredAt: number, kills: readonly Kill[]): 'outstanding' | 'unread' | 'being read' | 'noted' {
  const next = kills.find(({ at }) => at >= copy.connection.since);
  if (next === undefined) return 'noted';
  if (answeredAt > next.at) return 'outstanding';
  if (next.unread.has(copy.connection.peerPort)) return 'unread';
  return answeredAt > next.at - turnMs ? 'being read' : 'noted';
}

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
