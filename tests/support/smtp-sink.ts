/** A server of somebody else's: takes mail by SMTP and keeps it. What it answers is the test's to say. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { MailTransaction } from '../../protocol/smtp/handler.ts';
import { type Reply, reply } from '../../protocol/smtp/reply.ts';
import { SmtpSession } from '../../protocol/smtp/session.ts';
import { makeSelfSigned } from '../../server/tls/self-signed.ts';

export interface SunkConnection {
  /** The port that it comes from. */
  readonly peerPort: number;
  /** By performance.now(). */
  readonly since: number;
}

export interface SunkMessage {
  readonly from: string;
  readonly to: readonly string[];
  readonly bytes: Buffer;
  readonly messageId: string;
  readonly connection: SunkConnection;
  /** Parameters of MAIL, and of each RCPT. */
  readonly mailParameters: ReadonlyMap<string, string | null>;
  readonly rcptParameters: readonly ReadonlyMap<string, string | null>[];
}

export interface SinkOptions {
  /** TLS at once, a login with any password, and DSN; REQUIRETLS as long as `canRequireTls`. */
  readonly isSubmission?: boolean;
}

export class SmtpSink implements AsyncDisposable {
  readonly messages: SunkMessage[] = [];
  port = 0;
  /** What is said to a recipient; undefined: ok. */
  refusal: (address: string) => Reply | undefined = () => undefined;
  /** Awaited before the final reply; the message is kept before. */
  beforeReply: (message: SunkMessage) => Promise<void> | void = () => {};
  readonly #waiting: (() => void)[] = [];
  /** RFC 8689. */
  canRequireTls = true;
  readonly #server;

  constructor({ isSubmission = false }: SinkOptions) {
    const pair = isSubmission ? makeSelfSigned({ names: ['localhost'], now: Date.now(), serial: '01' }) : undefined;
    const serve = (socket: Socket) => this.#serve(socket, isSubmission);
    this.#server = pair === undefined ? createServer(serve) : createTlsServer(pair, serve);
  }

  #serve(socket: Socket, isSubmission: boolean): void {
    const connection = { peerPort: socket.remotePort ?? 0, since: performance.now() };
    const session = new SmtpSession<string>(
      {
        mode: 'smtp',
        hostName: 'sink.example',
        messageBytesMax: 40 * 1024 * 1024,
        bareLineEnds: 'keep',
        ...(isSubmission && { submission: { holdSecondsMax: 3600, now: Date.now, canRequireTls: () => this.canRequireTls } }),
        handler: {
          ...(isSubmission && { auth: { mechanisms: () => ['PLAIN'], begin: async () => ({ kind: 'done' }) } }),
          recipient: (address) => {
            const refused = this.refusal(address);
            return refused === undefined ? { accept: address } : { refuse: refused };
          },
          message: async (transaction, { chunks, octets }) => {
            const message = this.#keep(transaction, Buffer.concat(chunks, octets), connection);
            await this.beforeReply(message);
            return [reply(250, '2.0.0', `taken as ${this.messages.length}`)];
          },
        },
      },
      { write: (text) => void socket.write(text), pause: () => socket.pause(), resume: () => socket.resume(), close: () => socket.end() },
      isSubmission,
    );
    socket.on('data', (bytes: Buffer) => session.receive(bytes));
    socket.on('error', () => socket.destroy());
    session.start();
  }

  static async open(options: SinkOptions = {}): Promise<SmtpSink> {
    const sink = new SmtpSink(options);
    sink.#server.listen(0, '127.0.0.1');
    await once(sink.#server, 'listening');
    sink.port = (sink.#server.address() as AddressInfo).port;
    return sink;
  }

  /** Resolves when so many messages have come in all. */
  async received(count: number): Promise<readonly SunkMessage[]> {
    while (this.messages.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.messages;
  }

  #keep({ sender, parameters, recipients }: MailTransaction<string>, bytes: Buffer, connection: SunkConnection): SunkMessage {
    const [, messageId = ''] = /^message-id: *<([^>]*)>/im.exec(bytes.toString('latin1')) ?? [];
    const to = recipients.map(({ address }) => address);
    const rcptParameters = recipients.map(({ parameters: given }) => given);
    const message = { from: sender, to, bytes, messageId, connection, mailParameters: parameters, rcptParameters };
    this.messages.push(message);
    for (const wake of this.#waiting.splice(0)) wake();
    return message;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
  }
}
