/**
 * A server that speaks Lambda's Invoke: RequestResponse waits for the function and gives its value, Event answers 202 and runs it behind. A function that
 * throws is an error of the function, as in Lambda. Functions are JavaScript, and get the event that a real one would.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export type TestFunction = (event: Record<string, unknown> & { readonly messageId: string }) => unknown;

export class LambdaServer implements AsyncDisposable {
  readonly functions = new Map<string, TestFunction>();
  /** Events by function, in the order in which they came. */
  readonly invocations: { readonly name: string; readonly type: string; readonly event: Record<string, unknown> }[] = [];
  /** What functions that nobody waits for came to. */
  readonly behind: Promise<unknown>[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', async () => {
        const name = decodeURIComponent(/^\/2015-03-31\/functions\/([^/]+)\/invocations/.exec(request.url ?? '')?.[1] ?? '');
        const type = String(request.headers['x-amz-invocation-type']);
        const event = JSON.parse(Buffer.concat(chunks).toString());
        const run = this.functions.get(name);
        if (run === undefined) {
          response.writeHead(404, { 'x-amzn-errortype': 'ResourceNotFoundException' }).end('{"message":"no such function"}');
          return;
        }
        this.invocations.push({ name, type, event });
        const work = (async () => run(event))();
        if (type === 'Event') {
          this.behind.push(work);
          response.writeHead(202).end();
          return;
        }
        try {
          const payload = toPayload(await work);
          response.writeHead(200).end(payload);
        } catch (error) {
          response.writeHead(200, { 'x-amz-function-error': 'Unhandled' }).end(JSON.stringify({ errorMessage: String(error) }));
        }
      });
    });
  }

  static async open(): Promise<LambdaServer> {
    const lambda = new LambdaServer();
    await new Promise<void>((resolve) => lambda.#server.listen(0, '127.0.0.1', resolve));
    return lambda;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A Buffer is what goes over the wire; all else is JSON. */
function toPayload(value: unknown): string | Buffer {
  return Buffer.isBuffer(value) ? value : JSON.stringify(value ?? null);
}
