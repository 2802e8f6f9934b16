/** A client that costs as little as it can: it counts bytes and waits for the line that ends an answer. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A greeting or tagged OK with all capabilities fits in. */
const tailBytes = 4096;

export class RawClient implements Disposable {
  readonly #socket: Socket;
  #tail = '';
  #bytes = 0;
  #waiting: { readonly until: RegExp; readonly resolve: (answer: Answer) => void; readonly reject: (error: Error) => void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.length;
      this.#tail = (this.#tail + chunk.toString('latin1', Math.max(0, chunk.length - tailBytes))).slice(-tailBytes);
      this.#look();
    });
    socket.on('close', () => this.#waiting?.reject(new Error(`the server closed the connection after ${JSON.stringify(this.#tail)}`)));
  }

  static async connect(port: number, greeting: RegExp): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const client = new RawClient(socket);
    await client.#wait(greeting);
    return client;
  }

  send(bytes: string | Buffer, until: RegExp): Promise<Answer> {
    this.#tail = '';
    this.#bytes = 0;
    const answer = this.#wait(until);
    this.#socket.write(bytes);
    return answer;
  }

  #wait(until: RegExp): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { until, resolve, reject };
      this.#look();
    });
  }

  #look(): void {
    const waiting = this.#waiting;
    if (waiting === undefined || !waiting.until.test(this.#tail)) return;
    this.#waiting = undefined;
    waiting.resolve({ bytes: this.#bytes, tail: this.#tail });
  }

  [Symbol.dispose](): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }
}

export interface Answer {
  readonly bytes: number;
  /** The last few hundred bytes. */
  readonly tail: string;
}
