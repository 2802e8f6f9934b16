/**
 * The frame of every structured object in the bucket: a header line of JSON, then payload lines of JSON (NDJSON), all of it zstd-compressed
 * (`zstd -dc` reads it; the manifest, which is plain `.json`, uses the same two pieces uncompressed). The header names the format version,
 * the kind, the account and the seq, and the SHA-256 of the payload bytes, which is also the hash that chains commits.
 */
import { hash as hashOf } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { StorageError } from '../../protocol/mail/errors.ts';
import { withoutCarried } from './carried.ts';

export type ObjectKind = 'commit' | 'manifest' | 'part';

export interface ObjectHeader {
  /** Format version. A reader refuses one it does not know. */
  readonly satchel: 1;
  readonly kind: ObjectKind;
  readonly account: string;
  readonly seq: number;
  /** Hex SHA-256 of the payload: everything after the header's line feed. */
  readonly sha256: string;
}

export interface DecodedObject {
  readonly header: ObjectHeader;
  /** One value a line. */
  readonly lines: readonly unknown[];
}

export interface Encoding {
  readonly compress: boolean;
}

export interface ObjectEncoding extends Partial<Encoding> {
  /** Bytes that stand in the object before the frame. */
  readonly before?: readonly Uint8Array[];
}

/** Largest object, decompressed, that a reader takes: far above the 4 MB of a commit and the target size of a part. */
const payloadBytesMax = 256 * 1024 * 1024;

/** The object's bytes and the hash of its payload. `lines` are already JSON, without line feeds. */
export function encodeObject(
  kind: ObjectKind,
  account: string,
  seq: number,
  lines: readonly string[],
  { compress = true, before = [] }: ObjectEncoding = {},
): { bytes: Buffer; hash: string } {
  const payload = Buffer.from(`${lines.join('\n')}\n`);
  const hash = hashOf('sha256', payload, 'hex');
  const header: ObjectHeader = { satchel: 1, kind, account, seq, sha256: hash };
  const plain = [Buffer.from(`${JSON.stringify(header)}\n`), payload];
  return { bytes: Buffer.concat([...before, ...(compress ? frameOf(plain) : plain)]), hash };
}

/**
 * Up to this size a frame holds its bytes as they are: a compression takes 30 µs however little there is, a tenth of a delivery's processor time, and saves
 * no request. This is a commit of two or three messages; in larger ones the compression is shared by more.
 */
const rawFrameBytesMax = 16 * 1024;

function frameOf(plain: readonly Buffer[]): readonly Buffer[] {
  const length = plain.reduce((sum, piece) => sum + piece.length, 0);
  if (length <= rawFrameBytesMax) return [rawFrameHead(length), ...plain];
  return [zstdCompressSync(Buffer.concat(plain), { params: { [constants.ZSTD_c_compressionLevel]: 3 } })];
}

/** RFC 8878 §3.1.1: a frame of one segment, its size in four octets, and one last block of the raw type. */
function rawFrameHead(length: number): Buffer {
  const head = Buffer.allocUnsafe(12);
  head.writeUInt32LE(0xfd2fb528, 0);
  head[4] = 0b1010_0000;
  head.writeUInt32LE(length, 5);
  head.writeUIntLE((length << 3) | 1, 9, 3);
  return head;
}

function behindCarried(bytes: Uint8Array): Uint8Array {
  const rest = withoutCarried(bytes);
  if (rest === undefined) throw new Error('it ends within what it carries');
  return rest;
}

/** Throws StorageError 'corrupt', naming `name`, for anything that is not exactly what `expected` says it is. */
export function decodeObject(
  name: string,
  bytes: Uint8Array,
  expected: { kind: ObjectKind; account: string; seq?: number },
  { compress }: Encoding = { compress: true },
): DecodedObject {
  const corrupt = (why: string, cause?: unknown) => new StorageError('corrupt', `${name}: ${why}`, { cause });
  let plain: Buffer;
  try {
    plain = compress ? zstdDecompressSync(behindCarried(bytes), { maxOutputLength: payloadBytesMax }) : Buffer.from(bytes);
  } catch (error) {
    throw corrupt('cannot be decompressed', error);
  }
  const headerEnd = plain.indexOf(0x0a);
  if (headerEnd < 0) throw corrupt('has no header line');
  let header: ObjectHeader;
  try {
    header = JSON.parse(plain.toString('utf8', 0, headerEnd)) as ObjectHeader;
  } catch (error) {
    throw corrupt('has a header that is not JSON', error);
  }
  if (header?.satchel !== 1) throw corrupt(`has format version ${JSON.stringify(header?.satchel)}, which this version does not read`);
  if (header.kind !== expected.kind) throw corrupt(`is a ${header.kind}, not a ${expected.kind}`);
  if (header.account !== expected.account) throw corrupt(`belongs to account ${header.account}`);
  if (expected.seq !== undefined && header.seq !== expected.seq) throw corrupt(`says it has number ${header.seq}`);
  const payload = plain.subarray(headerEnd + 1);
  if (hashOf('sha256', payload, 'hex') !== header.sha256) throw corrupt('does not match its SHA-256');
  try {
    const text = payload.toString('utf8');
    return {
      header,
      lines:
        text === '\n'
          ? []
          : text
              .slice(0, -1)
              .split('\n')
              .map((line) => JSON.parse(line) as unknown),
    };
  } catch (error) {
    throw corrupt('has a line that is not JSON', error);
  }
}
