/**
 * `npm run bench`: what a mailbox costs in time. A server of its own on an empty folder takes in generated messages by LMTP and by the inbound
 * prefix, then a client syncs headers, fetches bodies and searches. JSON on standard output; progress on standard error.
 *
 * `--messages 50000` measures a larger mailbox, `--runs 5` repeats what is read, `--connections 8` delivers on so many. Everything runs on this machine,
 * client and server both, and the file store calls fsync: compare figures of one machine and one sitting only.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Generated, generate, rareWord } from './generate.ts';
import { RawClient } from './raw-client.ts';
import { type BenchServer, startBenchServer } from './server.ts';

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '5000' },
    runs: { type: 'string', default: '3' },
    connections: { type: 'string', default: '8' },
    dropped: { type: 'string', default: '500' },
  },
});
const [count, runs, connections, dropped] = [values.messages, values.runs, values.connections, values.dropped].map((text) => {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new Error(`not a count: ${text}`);
  return Number(text);
}) as [number, number, number, number];

interface Row {
  readonly name: string;
  /** Of the median run. */
  readonly seconds: number;
  readonly perSecond?: number;
  readonly megabytesPerSecond?: number;
  readonly runs: readonly number[];
}

const rows: Row[] = [];
const note = (text: string) => process.stderr.write(`${text}\n`);

async function measure(
  name: string,
  work: () => Promise<{ readonly messages?: number; readonly bytes?: number }>,
  times = runs,
): Promise<void> {
  const seconds: number[] = [];
  let amount: { readonly messages?: number; readonly bytes?: number } = {};
  for (let run = 0; run < times; run++) {
    const began = performance.now();
    amount = await work();
    seconds.push((performance.now() - began) / 1000);
  }
  const median = [...seconds].sort((a, b) => a - b)[Math.floor(times / 2)]!;
  const { messages, bytes } = amount;
  const round = (value: number) => Number(value.toPrecision(4));
  rows.push({
    name,
    seconds: round(median),
    ...(messages === undefined ? {} : { perSecond: round(messages / median) }),
    ...(bytes === undefined ? {} : { megabytesPerSecond: round(bytes / 1e6 / median) }),
    runs: seconds.map(round),
  });
  note(`${name}: ${median.toFixed(3)} s`);
}

const folder = mkdtempSync(join(tmpdir(), 'satchel-bench-'));
try {
  await using server = await startBenchServer(folder);
  const messages = [...generate(count + dropped)];
  const mail = messages.slice(0, count);
  note(`${count} messages, ${(mail.reduce((sum, { raw }) => sum + raw.length, 0) / 1e6).toFixed(1)} MB, in ${folder}`);

  await measure(`ingest: LMTP, ${connections} connections`, () => deliver(server.ports.lmtp, mail), 1);
  await measure('ingest: the inbound prefix', () => drop(join(folder, 'data/bucket/inbound'), messages.slice(count)), 1);

  using client = await login(server);
  const total = count + dropped;
  const { tail } = await command(client, 'STATUS INBOX (MESSAGES)');
  if (!tail.includes(`MESSAGES ${total})`)) throw new Error(`not all of ${total} messages arrived: ${tail}`);
  await command(client, 'EXAMINE INBOX');
  const all = { messages: total };
  const fetch =
    (items: string, set = '1:*') =>
    async () => ({ ...all, bytes: (await command(client, `UID FETCH ${set} (${items})`)).bytes });
  await measure('header sync: flags', fetch('FLAGS'));
  await measure('header sync: envelope', fetch('FLAGS INTERNALDATE RFC822.SIZE ENVELOPE'));
  await measure(
    'header sync: envelope, structure, References',
    fetch('FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (REFERENCES)]'),
  );
  await measure('body fetch: 500 in one command', async () => ({
    messages: Math.min(500, total),
    bytes: (await command(client, 'FETCH 1:500 (BODY.PEEK[])')).bytes,
  }));
  await measure('body fetch: 200 one by one', async () => {
    let bytes = 0;
    for (let at = 1; at <= Math.min(200, total); at++) bytes += (await command(client, `FETCH ${at} (BODY.PEEK[])`)).bytes;
    return { messages: Math.min(200, total), bytes };
  });
  for (const [name, criteria] of [
    ['a rare word of the text', `TEXT ${rareWord}`],
    ['a common word of the body', 'BODY meeting'],
    ['a sender', 'FROM hopper'],
    ['a subject', 'SUBJECT invoice'],
    ['unseen since a day', 'UNSEEN SINCE 15-Nov-2023'],
  ] as const) {
    const [, matches] = /COUNT (\d+)/.exec((await command(client, `UID SEARCH RETURN (COUNT) ${criteria}`)).tail) ?? [];
    // Searched once before, as by somebody who types: the figure is that of a warm index.
    await measure(`search: ${name} (${matches} found)`, async () => {
      await command(client, `UID SEARCH ${criteria}`);
      return {};
    });
    const isRare = criteria.endsWith(rareWord);
    if (isRare && Number(matches) !== messages.filter(({ raw }) => raw.includes(rareWord)).length)
      throw new Error('a search missed messages');
  }
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  };
  process.stdout.write(`${JSON.stringify({ messages: count, dropped, machine, serverRssMb: await server.rssMb(), rows }, undefined, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function command(client: RawClient, text: string) {
  const answer = await client.send(`t ${text}\r\n`, /(^|\n)t (OK|NO|BAD)[^\n]*\n$/);
  if (!/(^|\n)t OK[^\n]*\n$/.test(answer.tail)) throw new Error(`${text}: ${answer.tail}`);
  return answer;
}

async function login({ ports, password }: BenchServer): Promise<RawClient> {
  const client = await RawClient.connect(ports.imap, /^\* OK/);
  await command(client, `LOGIN me@localhost ${password}`);
  return client;
}

/** Each connection takes the next message when its last is stored. */
async function deliver(port: number, mail: readonly Generated[]) {
  let next = 0;
  let bytes = 0;
  const work = async () => {
    using client = await RawClient.connect(port, /^220 /);
    await client.send('LHLO bench.example\r\n', /^250 [^\n]*\n$/m);
    for (let at = next++; at < mail.length; at = next++) {
      const { raw } = mail[at]!;
      await client.send('MAIL FROM:<a@sender.example>\r\n', /^250 /);
      await client.send('RCPT TO:<me@localhost>\r\n', /^250 /);
      await client.send('DATA\r\n', /^354 /);
      const { tail } = await client.send(Buffer.concat([raw, Buffer.from('\r\n.\r\n')]), /^\d{3} [^\n]*\n$/);
      if (!tail.startsWith('250')) throw new Error(tail);
      bytes += raw.length;
    }
  };
  await Promise.all(Array.from({ length: connections }, work));
  return { messages: mail.length, bytes };
}

/** Until the last is gone from the prefix. */
async function drop(inbound: string, mail: readonly Generated[]) {
  const to = join(inbound, 'me@localhost');
  mkdirSync(to, { recursive: true });
  await Promise.all(mail.map(({ raw }, at) => writeFile(join(to, `${at}.eml`), raw)));
  while (readdirSync(inbound, { recursive: true, withFileTypes: true }).some((entry) => entry.isFile())) await sleep(20);
  return { messages: mail.length, bytes: mail.reduce((sum, { raw }) => sum + raw.length, 0) };
}
