/** A client that sends lines and collects what comes. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export class LineClient {
  static connect(address: { readonly host: string; readonly port: number }): LineClient {
    return new LineClient(connect(address));
  }

  #socket: Socket;
  heard = '';

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen();
  }

  #listen(): void {
    this.#socket.on('data', (chunk) => {
      this.heard += chunk;
    });
  }

  /** Sends, and resolves with everything heard once `until` fits what came since. */
  async send(text: string, until: RegExp): Promise<string> {
    const from = this.heard.length;
    if (text !== '') this.#socket.write(text);
    while (!until.test(this.heard.slice(from))) {
      if (this.#socket.readableEnded) throw new Error(`the server ended after ${JSON.stringify(this.heard.slice(from))}`);
      const heard = new AbortController();
      const { signal } = heard;
      try {
        await Promise.race([once(this.#socket, 'data', { signal }), once(this.#socket, 'end', { signal })]);
      } finally {
        heard.abort();
      }
    }
    return this.heard.slice(from);
  }

  async startTls(): Promise<void> {
    await this.send('STARTTLS\r\n', /^220 .*\r\n/m);
    this.#socket.removeAllListeners('data');
    this.#socket = connectTls({ socket: this.#socket, rejectUnauthorized: false });
    await once(this.#socket, 'secureConnect');
    this.#listen();
  }

  get socket(): Socket {
    return this.#socket;
  }
}
