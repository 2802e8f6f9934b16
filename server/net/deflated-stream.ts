/**
 * A stream compressed in both directions (RFC 1951, RFC 4978), laid over a connection's own. Every burst of writes is flushed, so that the peer can
 * read all of it at once. Memory is bounded: what the peer's bytes unpack to is made only as fast as it is read, and a peer that does not read stops
 * the packing. Owns the stream below: both end together.
 */
import { Duplex } from 'node:stream';
import { constants, createDeflateRaw, createInflateRaw } from 'node:zlib';
import { deflateLevel, deflateMemLevel, deflateWindowBits } from './limits.ts';

export class DeflatedStream extends Duplex {
  readonly #below: Duplex;
  readonly #deflate = createDeflateRaw({ level: deflateLevel, memLevel: deflateMemLevel, windowBits: deflateWindowBits });
  // The peer may hang up without a last block.
  readonly #inflate = createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH });

  constructor(below: Duplex) {
    super({ allowHalfOpen: true });
    this.#below = below;
    const deflate = this.#deflate;
    const inflate = this.#inflate;
    deflate.on('data', (chunk: Buffer) => {
      if (!below.write(chunk)) deflate.pause();
    });
    inflate.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) inflate.pause();
    });
    inflate.on('end', () => this.push(null));
    inflate.on('drain', () => below.resume());
    for (const stream of [deflate, inflate]) stream.on('error', (error) => this.destroy(error));
    below.on('drain', () => deflate.resume());
    below.on('data', (chunk: Buffer) => {
      if (!inflate.write(chunk)) below.pause();
    });
    below.on('end', () => inflate.end());
    below.on('close', () => this.destroy());
    below.resume();
  }

  override _read(): void {
    this.#inflate.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#deflate.write(chunk);
    this.#flush(done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    for (const { chunk } of chunks) this.#deflate.write(chunk);
    this.#flush(done);
  }

  #flush(done: () => void): void {
    this.#deflate.flush(constants.Z_SYNC_FLUSH, () => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#deflate.once('end', () => this.#below.end(() => done()));
    this.#deflate.end();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#deflate.destroy();
    this.#inflate.destroy();
    this.#below.destroy();
    done(error);
  }
}
