/** A headless Chromium, driven by the DevTools protocol over a WebSocket. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

const program = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));
/** Why there is no browser here; undefined where there is one. */
export const noChromium = program === undefined ? 'chromium is not installed' : undefined;

export interface Page {
  /** The value of an expression in the page; promises are awaited. */
  evaluate(expression: string): Promise<unknown>;
  /** PNG. */
  screenshot(): Promise<Buffer>;
}

export class Chromium implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #socket: WebSocket;
  readonly #folder: string;
  readonly #waiting = new Map<number, { resolve: (result: Record<string, unknown>) => void; reject: (error: Error) => void }>();
  #count = 0;

  static async start(): Promise<Chromium> {
    const folder = mkdtempSync(join(tmpdir(), 'satchel-chromium-'));
    const args = [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--remote-debugging-port=0',
    ];
    const browser = spawn(program!, [...args, `--user-data-dir=${folder}`, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] });
    for await (const line of createInterface({ input: browser.stderr! })) {
      const [, url] = /^DevTools listening on (ws:\S+)/.exec(line) ?? [];
      if (url === undefined) continue;
      browser.stderr!.resume();
      const socket = new WebSocket(url);
      await once(socket, 'open');
      return new Chromium(browser, socket, folder);
    }
    throw new Error('Chromium did not start.');
  }

  private constructor(browser: ChildProcess, socket: WebSocket, folder: string) {
    this.#process = browser;
    this.#socket = socket;
    this.#folder = folder;
    socket.on('message', (data) => {
      const { id, result, error } = JSON.parse(String(data)) as {
        id?: number;
        result: Record<string, unknown>;
        error?: { message: string };
      };
      const waiting = id === undefined ? undefined : this.#waiting.get(id);
      if (waiting === undefined) return;
      this.#waiting.delete(id!);
      if (error === undefined) waiting.resolve(result);
      else waiting.reject(new Error(error.message));
    });
  }

  async #send(method: string, params: object, sessionId?: string): Promise<Record<string, unknown>> {
    const id = ++this.#count;
    const answer = new Promise<Record<string, unknown>>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    return answer;
  }

  /** A page that has loaded. */
  async open(url: string): Promise<Page> {
    const { targetId } = await this.#send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = (await this.#send('Target.attachToTarget', { targetId, flatten: true })) as { sessionId: string };
    const evaluate = async (expression: string) => {
      const params = { expression, awaitPromise: true, returnByValue: true };
      const { result, exceptionDetails } = (await this.#send('Runtime.evaluate', params, sessionId)) as {
        result: { value?: unknown };
        exceptionDetails?: { exception?: { description?: string } };
      };
      if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description?.split('\n')[0] ?? 'The page threw.');
      return result.value;
    };
    await this.#send('Page.enable', {}, sessionId);
    await this.#send('Page.navigate', { url }, sessionId);
    const deadline = Date.now() + 20_000;
    while ((await evaluate(`location.href !== 'about:blank' && document.readyState`).catch(() => '')) !== 'complete') {
      if (Date.now() > deadline) throw new Error(`${url} does not load.`);
    }
    return {
      evaluate,
      screenshot: async () =>
        Buffer.from(String((await this.#send('Page.captureScreenshot', { format: 'png' }, sessionId))['data']), 'base64'),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
