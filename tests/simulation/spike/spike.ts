/**
 * A spike of mail, as after an outage: everything waits in the inbound prefix, one of a hundred objects is poison, events of the same mail come late,
 * twice and in any order beside the sweep, and the server is killed in the middle and started again. In the end every message must be with everybody it
 * is for, once; every poisoned one held with its reason; and nothing left waiting.
 *
 * The server is a process of its own on a file store. Receipts and S3's events come by a local SQS where `hasQueue`, and by HTTP.
 */
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFauxqs } from 'fauxqs';
import { ImapFlow } from 'imapflow';
import { callAdmin } from '../../support/admin-call.ts';
import { makeServerFolder } from '../../support/running-server.ts';
import { makeS3Event } from '../../support/s3/events.ts';
import { type ServerProcess, startServerProcess } from '../../support/server-process.ts';
import { addressOf, messageBytesMax, type Planned, type Poison, planSpike, reasonOf, type SpikeSize } from './plan.ts';
import { cpuSeconds, type Memory, memoryOf } from './process-figures.ts';

export interface SpikeOptions extends SpikeSize {
  /** Part of the messages delivered when the server is killed. */
  readonly killAt: number | undefined;
  readonly hasQueue: boolean;
  readonly note: (line: string) => void;
}

export interface SpikeReport {
  readonly messages: number;
  readonly accounts: number;
  /** Deliveries: a message for two counts twice. */
  readonly expected: number;
  readonly delivered: number;
  readonly missing: readonly string[];
  readonly doubled: readonly string[];
  readonly misdelivered: readonly string[];
  /** Of objects, by kind, each with the number whose record gives the expected reason. */
  readonly poison: Readonly<Record<string, { readonly dropped: number; readonly held: number }>>;
  /** Poison of the queue: texts that are no event, and receipts of objects that never were. */
  readonly queuePoison: { readonly sent: number; readonly held: number };
  /** Names in failed/ that nobody expected. */
  readonly surprises: readonly string[];
  readonly left: number;
  readonly events: { readonly posted: number; readonly queued: number };
  /** From the start until nothing waits. */
  readonly seconds: number;
  /** Of these, those in which messages were delivered: the sweep leaves the objects to the queue until that has been empty for two minutes. */
  readonly busySeconds: number;
  /** Of all processes of the server. */
  readonly cpuSeconds: number;
  /** While busy. */
  readonly perSecond: number;
  readonly perSecondAndCore: number;
  /** At each tenth of the deliveries, as medians. */
  readonly memory: readonly (Memory & { readonly delivered: number; readonly pid: number })[];
}

const token = 'token of the spike';
const password = 'a password of the spike';
const hoursAgo = () => new Date(Date.now() - 2 * 3_600_000);

export async function runSpike(options: SpikeOptions): Promise<SpikeReport> {
  const { note } = options;
  const sqs = options.hasQueue ? await startFauxqs({ port: 0, logger: false }) : undefined;
  const queueUrl = sqs?.createQueue('mail', { region: 'us-east-1' }).queueUrl;
  using folder = makeServerFolder({
    listen: { ...quiet, http: '127.0.0.1:0', imaps: '127.0.0.1:0' },
    limits: { messageBytesMax },
    inbound: {
      sweepSeconds: 0.5,
      http: { token, topicArns: ['arn:aws:sns:us-east-1:444455556666:mail-in'] },
      sqs: queueUrl === undefined ? [] : [{ queueUrl, endpoint: sqs!.address, region: 'us-east-1' }],
    },
    log: { format: 'json', level: 'warn' },
  });
  const queue: Queue | undefined = sqs && {
    send: (body) => void sqs.sendMessage('mail', body),
    isEmpty() {
      const { ready, inflight } = sqs.inspectQueue('mail')!.messages;
      return ready.length + inflight.length === 0;
    },
  };
  const run = new Spike(options, folder.path, queue);
  const env = { AWS_ACCESS_KEY_ID: 'spike', AWS_SECRET_ACCESS_KEY: 'spike', AWS_REGION: 'us-east-1' };
  const start = () => startServerProcess(folder, env);
  let server = await start();
  try {
    await run.addAccounts(server.password!);
    await server.kill();
    await run.drop();
    note(`${options.messages} messages wait for ${options.accounts} accounts in ${folder.path}`);
    server = await start();
    run.watch(server);
    await run.announceEnvelopes();
    if (options.killAt !== undefined) {
      await run.deliveredPart(options.killAt);
      note(`killed when ${run.delivered} were delivered`);
      run.unwatch();
      await server.kill();
      server = await start();
      run.watch(server);
    }
    await run.isDone();
    run.unwatch();
    return await run.report(server);
  } finally {
    await server.kill();
    await sqs?.stop();
  }
}

const quiet = { https: null, imap: null, lmtp: null, submission: null, submissions: null, managesieve: null };

interface Queue {
  send(body: string): void;
  isEmpty(): boolean;
}

interface Watched {
  readonly server: ServerProcess;
  readonly stop: AbortController;
  readonly done: Promise<unknown>;
}

class Spike {
  readonly #options: SpikeOptions;
  readonly #path: string;
  readonly #inbound: string;
  readonly #queue: Queue | undefined;
  /** Accounts by Message-ID. */
  readonly #expected = new Map<string, number[]>();
  readonly #poison = new Map<string, Poison>();
  /** With a receipt that names somebody more. They are fresh until it was taken in: a receipt comes within the hour. */
  readonly #receipts = new Map<string, string[]>();
  /** Objects that are announced while the spike goes on. */
  readonly #announced: string[] = [];
  readonly #copies: (readonly [name: string, bytes: Buffer])[] = [];
  #events: string[] | undefined;
  #eventCount: number | undefined;
  readonly #queuePoison = new Set<string>();
  readonly #samples: (Memory & { delivered: number; pid: number })[] = [];
  #watched: Watched | undefined;
  #firstPassword = '';
  #deliveredBefore = 0;
  #deliveries = 0;
  #cpuSeconds = 0;
  #startedAt: number | undefined;
  #seconds = 0;
  #busySeconds = 0;
  #isSwept = false;
  #posted = 0;
  #queued = 0;

  constructor(options: SpikeOptions, path: string, queue: Queue | undefined) {
    this.#options = options;
    this.#path = path;
    this.#inbound = join(path, 'data/bucket/inbound');
    this.#queue = queue;
  }

  /** Of all processes of the server; a little less than the truth after a kill. */
  get delivered(): number {
    return this.#deliveredBefore + this.#deliveries;
  }

  async drop(): Promise<void> {
    await mkdir(this.#inbound, { recursive: true });
    await mkdir(join(this.#path, 'made'));
    let number = 0;
    for (const planned of planSpike(this.#options)) {
      this.#expect(planned, number++);
      await this.#put(planned.name, planned.bytes, planned.bcc === undefined ? hoursAgo() : new Date());
    }
  }

  #expect({ name, messageId, account, bcc, poison, bytes }: Planned, number: number): void {
    if (poison !== undefined) {
      this.#poison.set(name, poison);
      return;
    }
    this.#expected.set(messageId, bcc === undefined ? [account] : [account, bcc]);
    if (bcc !== undefined) this.#receipts.set(name, [addressOf(account), addressOf(bcc)]);
    else if (number % 20 === 3) this.#announced.push(name);
    // SES writes some of them a second time.
    if (number % 500 === 4) this.#copies.push([name, bytes]);
  }

  async #put(name: string, bytes: Buffer, at: Date): Promise<void> {
    const made = join(this.#path, 'made', name);
    await writeFile(made, bytes);
    await utimes(made, at, at);
    await rename(made, join(this.#inbound, name));
  }

  async addAccounts(first: string): Promise<void> {
    const socket = join(this.#path, 'data', 'admin.sock');
    for (let account = 1; account < this.#options.accounts; account++) {
      await callAdmin(socket, '/accounts', { address: addressOf(account), password });
    }
    this.#firstPassword = first;
  }

  /** Counts deliveries, takes memory's figures, and announces what is to be announced at the pace of the deliveries. */
  watch(server: ServerProcess): void {
    const stop = new AbortController();
    this.#startedAt ??= performance.now();
    this.#deliveries = 0;
    this.#watched = { server, stop, done: Promise.all([this.#count(server, stop.signal), this.#announce(server, stop.signal)]) };
  }

  unwatch(): void {
    const { server, stop } = this.#watched!;
    stop.abort();
    this.#cpuSeconds += cpuSeconds(server.pid);
    this.#deliveredBefore += this.#deliveries;
    this.#deliveries = 0;
    this.#watched = undefined;
  }

  async #count(server: ServerProcess, signal: AbortSignal): Promise<void> {
    const { note } = this.#options;
    let told = 0;
    let lookedAt = performance.now();
    while (!signal.aborted) {
      const before = this.delivered;
      const text = await fetch(`http://127.0.0.1:${server.httpPort}/metrics`)
        .then((answer) => answer.text())
        .catch(() => '');
      if (signal.aborted) return;
      this.#deliveries = Number(/^satchel_intake_events_total\{kind="delivered"\} (\d+)/m.exec(text)?.[1] ?? this.#deliveries);
      const now = performance.now();
      if (this.delivered > before) this.#busySeconds += (now - lookedAt) / 1000;
      lookedAt = now;
      const memory = memoryOf(server.pid);
      this.#samples.push({ ...memory, delivered: this.delivered, pid: server.pid });
      const tenth = Math.floor((this.delivered / this.#options.messages) * 10);
      if (tenth > told) note(`${this.delivered} delivered, ${memory.rssMb} MB (${memory.anonMb} MB of it its own), ${this.#elapsed()} s`);
      told = tenth;
      await sleep(200);
    }
  }

  #elapsed = () => Math.round((performance.now() - this.#startedAt!) / 1000);

  /** Receipts, each twice and in any order, half of them by the queue; when they are taken in, their objects grow old. */
  async announceEnvelopes(): Promise<void> {
    const receipts = shuffled(
      [...this.#receipts].flatMap(([name, recipients]) => [receiptOf(name, recipients), receiptOf(name, [...recipients].reverse())]),
    );
    const posts: string[] = [];
    for (const [at, receipt] of receipts.entries()) {
      if (at % 2 === 0 && this.#queue !== undefined) this.#enqueue(at % 4 === 0 ? receipt : bySns(receipt));
      else posts.push(receipt);
    }
    const postAll = async () => {
      for (let next = posts.pop(); next !== undefined; next = posts.pop()) await this.#post(this.#watched!.server, next);
    };
    await Promise.all(Array.from({ length: 8 }, postAll));
    if (this.#queue !== undefined) this.#poisonQueue();
    // Whoever is named in a receipt has his copy before the object may be swept away.
    await this.#until(() => this.#queue?.isEmpty() !== false);
    this.#options.note(`${this.#receipts.size} objects with receipts were taken in after ${this.#elapsed()} s`);
    const old = hoursAgo();
    for (const name of this.#receipts.keys()) await utimes(join(this.#inbound, name), old, old).catch(() => {});
  }

  #enqueue(body: string): void {
    this.#queue!.send(body);
    this.#queued++;
  }

  #poisonQueue(): void {
    for (let at = 0; at < 10; at++) {
      this.#enqueue(`no event ${at}`);
      const id = `never-was-${at}`;
      this.#enqueue(receiptOf(id, [addressOf(0)]));
      this.#queuePoison.add(`no event ${at}`).add(id);
    }
  }

  /** Each announced object one to three times, at any time: before, while and after the sweep gets to it; and receipts of what is gone by then. */
  #planEvents(): string[] {
    const late = [...this.#receipts].slice(0, 200).map(([name, recipients]) => receiptOf(name, recipients));
    return shuffled([...this.#announced.flatMap((name, at) => Array.from({ length: 1 + (at % 3) }, () => objectEvent(name))), ...late]);
  }

  async #announce(server: ServerProcess, signal: AbortSignal): Promise<void> {
    this.#events ??= this.#planEvents();
    const events = this.#events;
    this.#eventCount ??= events.length;
    const posting = async (event: string) => {
      try {
        await this.#post(server, event);
      } catch (error) {
        // What the kill has cut off is sent again, as SNS does, to the server that comes after it.
        if (!signal.aborted) throw error;
        events.push(event);
      }
    };
    while (!signal.aborted && (events.length > 0 || this.#copies.length > 0)) {
      // What is left when the prefix is empty comes then: after a kill the count is a little short.
      const part = this.#isSwept ? 0 : 1 - this.delivered / this.#options.messages;
      const due = events.splice(Math.max(0, Math.floor(this.#eventCount * part)), 32);
      const isQueued = (at: number) => this.#queue !== undefined && at % 2 === 0;
      for (const [at, event] of due.entries()) if (isQueued(at)) this.#enqueue(at % 4 === 0 ? event : bySns(event));
      await Promise.all(due.filter((_, at) => !isQueued(at)).map(posting));
      if (part < 0.9) for (const [name, bytes] of this.#copies.splice(0, 5)) await this.#put(name, bytes, hoursAgo());
      await sleep(50);
    }
  }

  async #post(server: ServerProcess, body: string): Promise<void> {
    const answer = await fetch(`http://127.0.0.1:${server.httpPort}/inbound`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body,
    });
    await answer.arrayBuffer();
    if (answer.status !== 200) throw new Error(`an event was answered ${answer.status}`);
    this.#posted++;
  }

  deliveredPart(part: number): Promise<void> {
    return this.#until(() => this.delivered >= this.#options.messages * part);
  }

  /** Nothing waits, nothing is to be announced. */
  async isDone(): Promise<void> {
    const isQuiet = async () => {
      this.#isSwept = (await readdir(this.#inbound)).length === 0;
      return this.#isSwept && this.#queue?.isEmpty() !== false;
    };
    await this.#until(async () => (await isQuiet()) && this.#events!.length === 0 && this.#copies.length === 0, 200);
    this.#seconds = (performance.now() - this.#startedAt!) / 1000;
  }

  async #until(isSo: () => boolean | Promise<boolean>, everyMs = 100): Promise<void> {
    while (!(await isSo())) await sleep(everyMs);
  }

  async report(server: ServerProcess): Promise<SpikeReport> {
    const { messages, accounts } = this.#options;
    const found: Map<string, number> = await this.#readAll(server);
    const wanted = new Map<string, number>(
      [...this.#expected].flatMap(([id, owners]) => owners.map((owner) => [`${owner} ${id}`, 1] as const)),
    );
    const copies = [...found.values()].reduce((sum, count) => sum + count, 0);
    const seconds = this.#seconds;
    return {
      messages,
      accounts,
      expected: wanted.size,
      delivered: copies,
      missing: [...wanted.keys()].filter((key) => !found.has(key)),
      doubled: [...found].filter(([, count]) => count > 1).map(([key]) => key),
      misdelivered: [...found.keys()].filter((key) => !wanted.has(key)),
      ...(await this.#inspectFailed()),
      left: (await readdir(this.#inbound)).length,
      events: { posted: this.#posted, queued: this.#queued },
      seconds: round(seconds),
      cpuSeconds: round(this.#cpuSeconds),
      busySeconds: round(this.#busySeconds),
      perSecond: round(copies / this.#busySeconds),
      perSecondAndCore: round(copies / this.#cpuSeconds),
      memory: this.#memoryByTenths(),
    };
  }

  /** `<account> <Message-ID>` → how often, in all mailboxes. */
  async #readAll(server: ServerProcess): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for (let account = 0; account < this.#options.accounts; account++) {
      const auth = { user: addressOf(account), pass: account === 0 ? this.#firstPassword : password };
      const client = new ImapFlow({
        host: '127.0.0.1',
        port: server.imapsPort,
        secure: true,
        tls: { rejectUnauthorized: false },
        logger: false,
        auth,
      });
      await client.connect();
      for (const { path } of await client.list()) {
        const { exists } = await client.mailboxOpen(path, { readOnly: true });
        if (exists === 0) continue;
        for await (const { envelope } of client.fetch('1:*', { envelope: true })) {
          const key = `${account} ${envelope?.messageId?.replace(/[<>]/g, '')}`;
          found.set(key, (found.get(key) ?? 0) + 1);
        }
      }
      await client.logout();
    }
    return found;
  }

  async #inspectFailed(): Promise<Pick<SpikeReport, 'poison' | 'queuePoison' | 'surprises'>> {
    const folder = join(this.#path, 'data/bucket/failed');
    const poison: Record<string, { dropped: number; held: number }> = {};
    for (const kind of this.#poison.values()) (poison[kind] ??= { dropped: 0, held: 0 }).dropped++;
    const surprises: string[] = [];
    let fromQueue = 0;
    for (const file of await readdir(folder).catch(() => [])) {
      if (!file.endsWith('.json')) continue;
      const name = file.slice(0, -'.json'.length);
      const { reason } = JSON.parse(await readFile(join(folder, file), 'utf8')) as { readonly reason: string };
      const kind = this.#poison.get(name);
      if (kind !== undefined && reason === reasonOf[kind]) poison[kind]!.held++;
      else if (reason === 'objectGone' && this.#queuePoison.has(name)) fromQueue++;
      else if (reason === 'event' && this.#queuePoison.has(readFileSync(join(folder, name), 'utf8'))) fromQueue++;
      else surprises.push(`${name}: ${reason}`);
    }
    return { poison, queuePoison: { sent: this.#queuePoison.size, held: fromQueue }, surprises };
  }

  #memoryByTenths() {
    return Array.from({ length: 10 }, (_, index) => {
      const at = (this.#options.messages * (index + 1)) / 10;
      const near = this.#samples.filter(({ delivered }) => Math.abs(delivered - at) <= this.#options.messages * 0.02);
      const median = (of: (sample: Memory) => number) => near.map(of).sort((a, b) => a - b)[Math.floor(near.length / 2)] ?? 0;
      const figures = {
        rssMb: median(({ rssMb }) => rssMb),
        anonMb: median(({ anonMb }) => anonMb),
        fileMb: median(({ fileMb }) => fileMb),
      };
      return { delivered: at, pid: near.at(-1)?.pid ?? 0, ...figures };
    });
  }
}

const round = (value: number) => Number(value.toPrecision(4));
const objectEvent = (name: string) =>
  JSON.stringify(
    makeS3Event({
      name: 'ObjectCreated:Put',
      bucket: 'spike',
      region: 'us-east-1',
      key: `inbound/${name}`,
      atMs: 0,
      sequence: 1,
      requestId: 'R',
    }),
  );

function receiptOf(name: string, recipients: readonly string[]): string {
  const status = { status: 'PASS' };
  const verdicts = { spamVerdict: status, virusVerdict: status, spfVerdict: status, dkimVerdict: status, dmarcVerdict: status };
  const action = {
    type: 'S3',
    topicArn: 'arn:aws:sns:us-east-1:444455556666:mail-in',
    bucketName: 'spike',
    objectKeyPrefix: 'inbound/',
    objectKey: `inbound/${name}`,
  };
  return JSON.stringify({
    notificationType: 'Received',
    mail: { timestamp: '2027-01-05T08:30:11.000Z', source: 'brahms@music.example', messageId: name, destination: [] },
    receipt: { recipients, ...verdicts, action },
  });
}

const bySns = (message: string) =>
  JSON.stringify({ Type: 'Notification', TopicArn: 'arn:aws:sns:us-east-1:444455556666:mail-in', Message: message });

/** The same order each time. */
function shuffled<T>(items: readonly T[]): T[] {
  let state = 7;
  const result = [...items];
  for (let at = result.length - 1; at > 0; at--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = Math.floor((state / 0x100000000) * (at + 1));
    [result[at], result[other]] = [result[other]!, result[at]!];
  }
  return result;
}
