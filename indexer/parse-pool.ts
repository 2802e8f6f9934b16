/**
 * Parses messages without holding up the event loop: small ones in place, larger ones in worker threads, one message a worker at a time.
 * A message that kills its worker, or takes it too long, is answered with minimal facts: it is stored and shown like any other. Where the worker did not
 * begin with it (no thread can be started, or the pool ends) that says nothing of the message: it is to be parsed later.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { StorageError } from '../protocol/mail/errors.ts';
import { inlineParseBytesMax, parseHeapMbMax, parseMsMax, parseYoungHeapMbMax } from './limits.ts';
import { type ParsedMessage, parseMessage, parseMinimally } from './parse-message.ts';

export interface ParsePoolOptions {
  /** Worker threads at most; they start when first needed. Default: a thread a core. */
  readonly workersMax?: number;
  /** Messages up to this size are parsed in place. */
  readonly inlineBytesMax?: number;
  readonly parseMsMax?: number;
  /** Megabytes of heap of a worker. */
  readonly heapMbMax?: number;
  /** The worker's program; for tests. */
  readonly program?: URL;
  /** Told of each message that was not survived. */
  readonly onCasualty?: (reason: string, bytes: number) => void;
}

interface Job {
  readonly bytes: Uint8Array;
  readonly resolve: (parsed: ParsedMessage) => void;
  readonly reject: (error: StorageError) => void;
}

interface Answer {
  readonly parsed?: ParsedMessage;
  readonly error?: string;
}

export class ParsePool implements AsyncDisposable {
  readonly #options: Required<ParsePoolOptions>;
  readonly #waiting: Job[] = [];
  readonly #idle: Worker[] = [];
  readonly #workers = new Set<Worker>();
  #isEnding = false;

  constructor(options: ParsePoolOptions = {}) {
    this.#options = {
      workersMax: availableParallelism(),
      inlineBytesMax: inlineParseBytesMax,
      parseMsMax,
      heapMbMax: parseHeapMbMax,
      program: new URL('./parse-worker.ts', import.meta.url),
      onCasualty: () => {},
      ...options,
    };
  }

  /** Rejects with StorageError 'unavailable' only. The bytes stay the caller's. */
  parse(bytes: Uint8Array): Promise<ParsedMessage> {
    if (bytes.length <= this.#options.inlineBytesMax) return this.#parseInPlace(bytes);
    return new Promise((resolve, reject) => {
      if (this.#isEnding) return reject(ending());
      this.#waiting.push({ bytes, resolve, reject });
      this.#next();
    });
  }

  /** Ends the workers. Who still waits for them is told to come again. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    const workers = [...this.#workers];
    for (const job of this.#waiting.splice(0)) job.reject(ending());
    this.#idle.length = 0;
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  async #parseInPlace(bytes: Uint8Array): Promise<ParsedMessage> {
    try {
      return await parseMessage(bytes);
    } catch (error) {
      this.#options.onCasualty(String(error), bytes.length);
      return parseMinimally(bytes);
    }
  }

  #next(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#idle.pop() ?? this.#start();
      if (worker === undefined) return;
      this.#run(worker, this.#waiting.shift()!);
    }
  }

  #start(): Worker | undefined {
    if (this.#workers.size >= this.#options.workersMax) return undefined;
    const resourceLimits = { maxOldGenerationSizeMb: this.#options.heapMbMax, maxYoungGenerationSizeMb: parseYoungHeapMbMax };
    const worker = new Worker(this.#options.program, { resourceLimits });
    worker.unref();
    // The job's own listener settles the job; this one only keeps an idle worker's death from being uncaught.
    worker.on('error', () => {});
    worker.once('exit', () => {
      this.#workers.delete(worker);
      const at = this.#idle.indexOf(worker);
      if (at >= 0) this.#idle.splice(at, 1);
      this.#next();
    });
    this.#workers.add(worker);
    return worker;
  }

  #run(worker: Worker, job: Job): void {
    const timer = setTimeout(() => lose(`no answer within ${this.#options.parseMsMax} ms`), this.#options.parseMsMax);
    const letGo = (): void => {
      clearTimeout(timer);
      worker.removeAllListeners('message');
      worker.off('error', onError);
      worker.off('exit', onExit);
    };
    const lose = (reason: string): void => {
      letGo();
      this.#options.onCasualty(reason, job.bytes.length);
      job.resolve(parseMinimally(job.bytes));
      void worker.terminate();
    };
    const postpone = (error: StorageError): void => {
      letGo();
      job.reject(error);
    };
    const onError = (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ERR_WORKER_INIT_FAILED') lose(String(error));
      else postpone(new StorageError('unavailable', 'no thread could be started to parse a message', { cause: error }));
    };
    const onExit = () => (this.#isEnding ? postpone(ending()) : lose('the worker ended'));
    worker.on('message', (answer: Answer) => {
      if (answer.parsed === undefined) {
        lose(answer.error ?? 'an answer without facts');
        return;
      }
      letGo();
      job.resolve(answer.parsed);
      this.#idle.push(worker);
      this.#next();
    });
    worker.on('error', onError);
    worker.on('exit', onExit);
    // A copy crosses over: were the bytes themselves moved, they would be lost with a worker that dies.
    const copy = new Uint8Array(job.bytes);
    worker.postMessage(copy, [copy.buffer]);
  }
}

function ending(): StorageError {
  return new StorageError('unavailable', 'the server is stopping');
}
