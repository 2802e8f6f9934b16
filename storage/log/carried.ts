/**
 * Small messages ride in the commit that adds them: one object is written for both, and a message costs one request and one wait less.
 *
 * A log object may begin with a zstd skippable frame (RFC 8878 §3.1.2), which `zstd -dc` passes over: four octets of magic, four of length (little
 * endian), and the messages one after the other, byte for byte. The compressed frame with the commit follows. A message's BlobRef names the log
 * object, with its offset in it; the commit holds the message's SHA-256, so the chain of hashes covers it too. The object stays as long as a message
 * in it is held (the scrubber sees to that).
 */
import { formatSeqName } from '../objects/object-keys.ts';
import type { BlobRef } from './record.ts';

/** Bytes of a message that rides along. Larger ones are objects of their own: every node reads every commit whole. */
export const carriedBytesMax = 128 * 1024;

/** Bytes of all messages of one mutation that ride along: half of what a commit holds, so that the mutation fits into it whatever else it says. */
export const carriedPerMutationBytesMax = 2 * 1024 * 1024;

const frameHeaderBytes = 8;
/** RFC 8878 §3.1.2: 0x184D2A50 to 0x184D2A5F are skippable. We write the first. */
const skippableMagic = 0x184d2a50;

/**
 * Bytes for a commit to carry. `placed` is where the last run of the mutation put them, which is the run that was committed once that is known;
 * undefined when that run left them out (a duplicate): the place of a run that lost its number belongs to somebody else.
 */
export class CarriedBytes {
  readonly bytes: Buffer;
  readonly sha256: string;
  placed: BlobRef | undefined;

  constructor(bytes: Buffer, sha256: string) {
    this.bytes = bytes;
    this.sha256 = sha256;
  }
}

/** What the commit numbered `seq` will carry, while its mutations run. */
export class CarriedFrame {
  readonly #object: string;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(seq: number) {
    this.#object = formatSeqName(seq);
  }

  get chunks(): readonly Buffer[] {
    return this.#chunks;
  }

  /** Octets so far. */
  get length(): number {
    return this.#length;
  }

  place(carried: CarriedBytes): BlobRef {
    const { bytes, sha256 } = carried;
    carried.placed = { object: this.#object, offset: frameHeaderBytes + this.#length, length: bytes.length, sha256 };
    this.#chunks.push(bytes);
    this.#length += bytes.length;
    return carried.placed;
  }

  /** Takes back what was placed when there were more than `length` octets: the last mutations are not in the commit. */
  rollBack(length: number): void {
    while (this.#length > length) this.#length -= this.#chunks.pop()!.length;
  }
}

/** What stands in the log object before the commit itself. */
export function frameOfCarried(chunks: readonly Buffer[]): readonly Buffer[] {
  if (chunks.length === 0) return [];
  const header = Buffer.allocUnsafe(frameHeaderBytes);
  header.writeUInt32LE(skippableMagic, 0);
  header.writeUInt32LE(
    chunks.reduce((sum, { length }) => sum + length, 0),
    4,
  );
  return [header, ...chunks];
}

/** What follows the skippable frames at the beginning of `object`; undefined when one is cut short. */
export function withoutCarried(object: Uint8Array): Uint8Array | undefined {
  const bytes = Buffer.from(object.buffer, object.byteOffset, object.byteLength);
  let at = 0;
  while (bytes.length - at >= frameHeaderBytes && (bytes.readUInt32LE(at) & 0xfffffff0) >>> 0 === skippableMagic) {
    at += frameHeaderBytes + bytes.readUInt32LE(at + 4);
    if (at > bytes.length) return undefined;
  }
  return bytes.subarray(at);
}
