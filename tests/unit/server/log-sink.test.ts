/** The log's lines on their way out: in order, soon, and none lost at the end. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { logGatherMs, logWaitingBytesMax, logWriteBytesMax } from '../../../server/limits.ts';
import { LogSink } from '../../../server/log-sink.ts';
import { createLogger } from '../../../server/logger.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function openSink(isWatched = false) {
  const writes: string[] = [];
  const reader = { refusal: undefined as string | undefined };
  const write = (text: string) => {
    if (reader.refusal !== undefined) throw Object.assign(new Error('refused'), { code: reader.refusal });
    writes.push(text);
  };
  const sink = new LogSink({ write, isWatched });
  return { sink, writes, reader, logger: createLogger({ level: 'info', format: 'text', write: sink.write, flush: sink.flush }) };
}

const line = (number: number) => `${String(number).padStart(99, '.')}\n`;

describe('lines of the log', () => {
  it('share a write with those of the same moment, in order', () => {
    const { sink, writes } = openSink();
    sink.write('one\n');
    sink.write('two\n');
    expect(writes).toEqual([]);
    vi.advanceTimersByTime(logGatherMs);
    expect(writes).toEqual(['one\ntwo\n']);
    sink.write('three\n');
    vi.advanceTimersByTime(logGatherMs);
    expect(writes).toEqual(['one\ntwo\n', 'three\n']);
  });

  it('are written when they fill a write, which is never larger than a pipe takes whole', () => {
    const { sink, writes } = openSink();
    for (let number = 0; number < 100; number += 1) sink.write(line(number));
    expect(writes.length).toBeGreaterThan(1);
    sink.write('ü'.repeat(logWriteBytesMax));
    sink.flush();
    expect(writes.slice(0, -1).every((text) => Buffer.byteLength(text) <= logWriteBytesMax)).toBe(true);
    expect(writes.join('')).toBe(Array.from({ length: 100 }, (_, number) => line(number)).join('') + 'ü'.repeat(logWriteBytesMax));
  });

  it('go out at once from a warning on, those before it first', () => {
    const { logger, writes } = openSink();
    logger.info('First.');
    logger.child({ part: 'x' }).warn('Second.');
    expect(writes).toEqual([expect.stringMatching(/First\.\n.*Second\. part=x\n$/)]);
    logger.info('Third.');
    logger.error('Fourth.');
    expect(writes[1]).toMatch(/Third\.\n.*Fourth\.\n$/);
  });

  it('go out at once where somebody watches', () => {
    const { sink, writes } = openSink(true);
    sink.write('one\n');
    sink.write('two\n');
    expect(writes).toEqual(['one\n', 'two\n']);
  });

  it('wait for a reader that is slow, up to a bound, and come in order', () => {
    const { sink, writes, reader } = openSink();
    reader.refusal = 'EAGAIN';
    const count = Math.ceil((logWaitingBytesMax * 2) / line(0).length);
    for (let number = 0; number < count; number += 1) sink.write(line(number));
    vi.advanceTimersByTime(logGatherMs);
    expect(writes).toEqual([]);
    reader.refusal = undefined;
    vi.advanceTimersByTime(logGatherMs);
    const text = writes.join('');
    expect(text.length).toBeLessThanOrEqual(logWaitingBytesMax);
    expect(text.length).toBeGreaterThan(logWaitingBytesMax - logWriteBytesMax);
    expect(text).toBe(Array.from({ length: text.length / line(0).length }, (_, number) => line(number)).join(''));
  });

  it('cost nothing more where the reader has gone away', () => {
    const { sink, writes, reader } = openSink();
    reader.refusal = 'EPIPE';
    sink.write('one\n');
    vi.advanceTimersByTime(logGatherMs);
    reader.refusal = undefined;
    sink.write('two\n');
    vi.advanceTimersByTime(logGatherMs);
    expect(writes).toEqual(['two\n']);
  });
});

describe('the process writes its last lines', () => {
  const end = (how: string) => {
    const program = `
      import { writeSync } from 'node:fs';
      import { LogSink } from ${JSON.stringify(join(import.meta.dirname, '../../../server/log-sink.ts'))};
      const { write, flush } = new LogSink({ write: (text) => void writeSync(2, text), isWatched: false });
      process.on('uncaughtExceptionMonitor', flush).on('exit', flush);
      write('last words\\n');
      ${how}`;
    return spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' }).stderr;
  };

  it.each([
    ['when nothing is left to do', '', /^last words\n$/],
    ['when it is told to exit', 'process.exit(0)', /^last words\n$/],
    ['before the error that ends it', "setImmediate(() => { throw new Error('oops') })", /^last words\n[\s\S]*oops/],
    ['before the promise that ends it', "Promise.reject(new Error('oops'))", /^last words\n[\s\S]*oops/],
  ])('%s', (_, how, stderr) => {
    expect(end(how)).toMatch(stderr);
  });
});
