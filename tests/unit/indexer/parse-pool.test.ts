import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { parseMessage } from '../../../indexer/parse-message.ts';
import { ParsePool } from '../../../indexer/parse-pool.ts';

const message = (body: string, padding = 0) =>
  Buffer.from(
    `From: Noor <noor@sender.example>\r\nSubject: A subject\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n${body}\r\n--b--\r\n${'x'.repeat(padding)}`,
  );

describe('the pool', () => {
  const pool = new ParsePool({ workersMax: 2, inlineBytesMax: 1000 });
  afterAll(() => pool[Symbol.asyncDispose]());

  test('gives the same from a worker as in place', async () => {
    for (const padding of [0, 5000]) {
      const bytes = message('Hello', padding);
      expect(await pool.parse(bytes)).toEqual(await parseMessage(bytes));
      expect(bytes.length).toBeGreaterThan(100);
    }
  });

  test('answers many at once, each its own', async () => {
    const bodies = Array.from({ length: 40 }, (_, i) => `text number ${i}.`);
    const parsed = await Promise.all(bodies.map((body) => pool.parse(message(body, 3000))));
    for (const [i, body] of bodies.entries()) expect(parsed[i]!.text).toContain(body);
  });
});

describe('a message that its worker does not survive', () => {
  const casualties: string[] = [];
  /** The time-out is short only where the message is to hang: the others must be lost for their own reason. */
  const openPool = (parseMsMax: number) =>
    new ParsePool({
      workersMax: 1,
      inlineBytesMax: 0,
      parseMsMax,
      heapMbMax: 32,
      program: new URL('./workers/hangs.js', import.meta.url),
      onCasualty: (reason) => casualties.push(reason),
    });

  test.each([
    ['hang', /no answer within/],
    ['throw', /it threw/],
    ['exit', /ended|exit/],
    ['memory', /memory|MEMORY/],
  ])('(%s) is listed by its header, and the next is parsed', async (word, reason) => {
    await using pool = openPool(word === 'hang' ? 1500 : 30_000);
    const bytes = message(word);
    const [lost, next] = await Promise.all([pool.parse(bytes), pool.parse(message('fine'))]);
    expect(lost).toMatchObject({ text: '', facts: { subject: 'A subject', octets: bytes.length, envelope: { subject: 'A subject' } } });
    expect(lost.facts.root).toMatchObject({ type: 'application', subtype: 'octet-stream', bodyEnd: bytes.length, isOpaque: true });
    expect(bytes.subarray(lost.facts.root.bodyStart).toString()).toMatch(/^--b/);
    expect(next.facts.subject).toBe('parsed');
    expect(casualties.at(-1)).toMatch(reason);
  });

  test('is told from one whose worker could not start, which is parsed when there is room for a thread', async () => {
    const before = casualties.length;
    await using pool = openPool(30_000);
    const start = Worker.prototype.on;
    const failing = vi.spyOn(Worker.prototype, 'on').mockImplementation(function (this: Worker, event, listener) {
      // What the system's refusal looks like, after all listeners are there.
      if (event === 'exit') setImmediate(() => this.emit('error', Object.assign(new Error('EMFILE'), { code: 'ERR_WORKER_INIT_FAILED' })));
      return Reflect.apply(start, this, [event, listener]) as Worker;
    });
    const refused = pool.parse(message('fine'));
    await expect(refused).rejects.toMatchObject({ code: 'unavailable' });
    failing.mockRestore();
    expect(casualties).toHaveLength(before);
  });

  test('is told from those that wait at the end, which are to come again', async () => {
    const closing = new ParsePool({ workersMax: 1, inlineBytesMax: 0, program: new URL('./workers/hangs.js', import.meta.url) });
    const waiting = [closing.parse(message('hang')), closing.parse(message('hang'))];
    const outcomes = Promise.allSettled(waiting);
    await closing[Symbol.asyncDispose]();
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { code: 'unavailable' } });
    await expect(closing.parse(message('fine'))).rejects.toMatchObject({ code: 'unavailable' });
  });
});
