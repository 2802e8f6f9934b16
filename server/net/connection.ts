/**
 * One client's connection as the line protocols use it: bytes are pulled, written in bursts, and TLS may begin in the middle. A peer that does not
 * read makes `drained` wait and nobody else; one that sends more than is wanted is stopped by TCP's window. The owner of the connection is whoever
 * was given it to handle; when that ends, the connection does.
 */
import type { Duplex } from 'node:stream';
import { type SecureContext, TLSSocket } from 'node:tls';
import { isLoopback } from '../auth/remote-address.ts';
import { DeflatedStream } from './deflated-stream.ts';
import { handshakeMs, lingerMs, unreadBytesMax, unsentBytesHigh } from './limits.ts';

export interface ConnectionFacts {
  /** The peer's IP address. */
  readonly remote: string;
  /** Whether the stream is a TLS socket already. */
  readonly isTls?: boolean;
  /** Whether the peer is a proxy that is trusted to have protected the connection. */
  readonly isTrustedProxy?: boolean;
}

export class Connection implements AsyncDisposable {
  readonly remote: string;
  readonly #isTrustedProxy: boolean;
  #isTls: boolean;
  #isCompressed = false;
  #stream: Duplex;
  /** The TLS socket that startTls() made. */
  #secure: TLSSocket | undefined;
  #chunks: Buffer[] = [];
  #unread = 0;
  #hasEnded = false;
  #isClosed = false;
  #wakeReader: (() => void) | undefined;
  #wakeWriters: (() => void)[] = [];
  readonly #closing = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: Duplex, { remote, isTls = false, isTrustedProxy = false }: ConnectionFacts) {
    this.remote = remote;
    this.#isTls = isTls;
    this.#isTrustedProxy = isTrustedProxy;
    this.#stream = stream;
    this.#attach(stream);
  }

  get isTls(): boolean {
    return this.#isTls;
  }

  get isCompressed(): boolean {
    return this.#isCompressed;
  }

  /** Whether something has come that nobody has read. */
  get hasUnread(): boolean {
    return this.#unread > 0;
  }

  /** Whether a password may cross in the clear: by TLS, or from this machine or a trusted proxy (which protects its side). */
  get isProtected(): boolean {
    return this.#isTls || this.#isTrustedProxy || isLoopback(this.remote);
  }

  /** RFC 9266 §2: only TLS 1.3 makes the channel binding `tls-exporter` sound without conditions. */
  get canBind(): boolean {
    return this.#secure?.getProtocol() === 'TLSv1.3';
  }

  /** The channel binding's data, where there is any. */
  get exportBinding(): (() => Uint8Array) | undefined {
    return this.canBind ? () => this.#secure!.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)) : undefined;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves when the stream has closed, from whichever side. Never rejects. */
  get closed(): Promise<void> {
    return this.#closing.promise;
  }

  #attach(stream: Duplex): void {
    stream.on('data', this.#onData);
    stream.on('end', this.#onEnd);
    stream.on('drain', this.#onDrain);
    stream.on('error', this.#onError);
    stream.on('close', this.#onClose);
  }

  #detach(stream: Duplex): void {
    stream.off('data', this.#onData);
    stream.off('end', this.#onEnd);
    stream.off('drain', this.#onDrain);
    stream.off('close', this.#onClose);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#unread += chunk.length;
    if (this.#unread > unreadBytesMax) this.#stream.pause();
    this.#wakeReader?.();
  };

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    this.#wakeReader?.();
  };

  readonly #onDrain = (): void => {
    const waiting = this.#wakeWriters;
    this.#wakeWriters = [];
    for (const wake of waiting) wake();
  };

  /** A reset connection or a failed handshake is the peer's affair; 'close' follows. */
  readonly #onError = (): void => {
    this.#stream.destroy();
  };

  readonly #onClose = (): void => {
    this.#isClosed = true;
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    this.#wakeReader?.();
    this.#onDrain();
    this.#closing.resolve();
  };

  /** What has come and was not read; waits for something to come. undefined when the peer has said its last. One reader at a time. */
  async read(): Promise<Buffer | undefined> {
    while (this.#chunks.length === 0) {
      if (this.#hasEnded) return undefined;
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
      this.#wakeReader = undefined;
    }
    return this.#takeUnread();
  }

  #takeUnread(): Buffer {
    const chunk = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#unread = 0;
    if (this.#stream.isPaused()) this.#stream.resume();
    return chunk;
  }

  /** Sends the buffers in one go. They are not to be changed any more. */
  write(buffers: readonly Buffer[]): void {
    if (this.#isClosed || this.#stream.writableEnded) return;
    if (buffers.length === 1) {
      this.#stream.write(buffers[0]!);
      return;
    }
    this.#stream.cork();
    for (const buffer of buffers) this.#stream.write(buffer);
    this.#stream.uncork();
  }

  /** Whether the peer is behind: wait for drained() before writing much more. */
  get isBehind(): boolean {
    return this.#stream.writableLength > unsentBytesHigh && !this.#isClosed;
  }

  /** Resolves when the peer has caught up, or is gone. */
  async drained(): Promise<void> {
    while (this.isBehind) await new Promise<void>((resolve) => this.#wakeWriters.push(resolve));
  }

  /** Calls back once nothing has renewed the deadline for `ms`. One deadline at a time. */
  setDeadline(ms: number, expire: () => void): void {
    clearTimeout(this.#timer);
    if (!this.#isClosed) this.#timer = setTimeout(expire, ms).unref();
  }

  renewDeadline(): void {
    this.#timer?.refresh();
  }

  /**
   * The server's side of a handshake, on this connection. What came in the clear and was not read is thrown away: it was not protected, so it is not
   * the client's word. Rejects when the handshake fails; the connection is closed then.
   */
  async startTls(secureContext: SecureContext): Promise<void> {
    const plain = this.#stream;
    this.#detach(plain);
    this.#chunks = [];
    this.#unread = 0;
    const secure = new TLSSocket(plain as ConstructorParameters<typeof TLSSocket>[0], { isServer: true, secureContext });
    this.#stream = secure;
    const done = Promise.withResolvers<void>();
    const timer = setTimeout(() => secure.destroy(new Error('the TLS handshake took too long')), handshakeMs).unref();
    secure.once('secure', () => done.resolve());
    secure.once('error', (error) => done.reject(error));
    secure.once('close', () => done.reject(new Error('the connection closed during the TLS handshake')));
    this.#attach(secure);
    try {
      await done.promise;
      this.#isTls = true;
      this.#secure = secure;
    } finally {
      clearTimeout(timer);
    }
  }

  /** From here on both sides are compressed (RFC 4978). Nothing may be unread. */
  startDeflate(): void {
    this.#detach(this.#stream);
    this.#stream = new DeflatedStream(this.#stream);
    this.#attach(this.#stream);
    this.#isCompressed = true;
  }

  /** Sends what is written, then closes; cuts when that takes too long. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    const timer = setTimeout(() => this.#stream.destroy(), lingerMs).unref();
    this.#stream.end();
    // Unread bytes would turn the close into a reset that may overtake our last words.
    this.#stream.removeAllListeners('data');
    this.#stream.resume();
    this.#stream.once('finish', () => this.#stream.destroy());
    if (this.#stream.writableFinished) this.#stream.destroy();
    await this.closed;
    clearTimeout(timer);
  }

  destroy(): void {
    this.#stream.destroy();
  }
}
