/** Bytes through a transform of node:zlib, with its failures thrown to whoever reads. */
import { type Duplex, pipeline, Readable } from 'node:stream';

export async function* through(transform: Duplex, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  // The pipeline's failure is seen by whoever reads its end.
  yield* pipeline(Readable.from(chunks), transform, () => {}) as AsyncIterable<Buffer>;
}
