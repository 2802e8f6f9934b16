/** Reads zip archives by their central directory (APPNOTE.TXT 6.3), zip64 included: stored and deflated entries, each as a stream. */
import { type FileHandle, open } from 'node:fs/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import { through } from './through.ts';

export interface ZipEntry {
  readonly name: string;
  /** It holds nothing itself; its name ends in `/`. */
  readonly isFolder: boolean;
  /** Bytes in the archive. */
  readonly packedBytes: number;
  read(): AsyncIterable<Buffer>;
}

export class ZipError extends Error {}

const endBytes = 22;
const commentBytesMax = 65_535;
const locatorBytes = 20;
/** Bytes read at once. */
const chunkBytes = 256 * 1024;
const full32 = 0xffffffff;
/** A directory larger than this is not a mail archive's: 64 MiB name about 600,000 files. */
const directoryBytesMax = 64 * 1024 * 1024;

/** Visits the archive's files and folders in the directory's order. An entry is read before the next is asked for. */
export async function* readZip(path: string): AsyncGenerator<ZipEntry> {
  await using file = await open(path);
  const { size } = await file.stat();
  const { offset, length } = await findDirectory(file, size);
  if (length > directoryBytesMax || offset + length > size) throw new ZipError('its directory is damaged');
  const directory = await readAt(file, offset, length);
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === 0x02014b50; ) {
    const nameEnd = at + 46 + directory.readUInt16LE(at + 28);
    const extraEnd = nameEnd + directory.readUInt16LE(at + 30);
    const name = decodeName(directory.subarray(at + 46, nameEnd));
    const sizes = zip64Sizes(directory, at, nameEnd, extraEnd);
    const method = directory.readUInt16LE(at + 10);
    const checksum = directory.readUInt32LE(at + 16);
    const isEncrypted = (directory.readUInt16LE(at + 8) & 1) === 1;
    const read = () => readEntry(file, size, { ...sizes, method, isEncrypted, checksum });
    yield { name, isFolder: name.endsWith('/'), packedBytes: sizes.packed, read };
    at = extraEnd + directory.readUInt16LE(at + 32);
  }
}

async function findDirectory(file: FileHandle, size: number): Promise<{ readonly offset: number; readonly length: number }> {
  const tailLength = Math.min(size, endBytes + commentBytesMax + locatorBytes);
  const tail = await readAt(file, size - tailLength, tailLength);
  const end = tail.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (end < 0 || end + endBytes > tail.length) throw new ZipError('it has no directory at its end');
  const length = tail.readUInt32LE(end + 12);
  const offset = tail.readUInt32LE(end + 16);
  const locator = end - locatorBytes;
  if (locator < 0 || tail.readUInt32LE(locator) !== 0x07064b50) return { offset, length };
  const end64 = await readAt(file, Number(tail.readBigUInt64LE(locator + 8)), 56);
  if (end64.length < 56 || end64.readUInt32LE(0) !== 0x06064b50) throw new ZipError('its zip64 directory is damaged');
  return { offset: Number(end64.readBigUInt64LE(48)), length: Number(end64.readBigUInt64LE(40)) };
}

/** Sizes that do not fit stand in extra field 1, in this order. */
function zip64Sizes(directory: Buffer, at: number, extraAt: number, extraEnd: number) {
  let packed = directory.readUInt32LE(at + 20);
  let offset = directory.readUInt32LE(at + 42);
  for (let extra = extraAt; extra + 4 <= extraEnd; extra += 4 + directory.readUInt16LE(extra + 2)) {
    if (directory.readUInt16LE(extra) !== 1) continue;
    let value = extra + 4;
    const next = () => {
      if (value + 8 > extraEnd) throw new ZipError('its directory is damaged');
      value += 8;
      return Number(directory.readBigUInt64LE(value - 8));
    };
    if (directory.readUInt32LE(at + 24) === full32) next();
    if (packed === full32) packed = next();
    if (offset === full32) offset = next();
  }
  return { packed, offset };
}

interface Place {
  readonly packed: number;
  readonly offset: number;
  readonly method: number;
  readonly isEncrypted: boolean;
  readonly checksum: number;
}

async function* readEntry(
  file: FileHandle,
  size: number,
  { packed, offset, method, isEncrypted, checksum }: Place,
): AsyncGenerator<Buffer> {
  if (isEncrypted) throw new ZipError('it is encrypted');
  if (method !== 0 && method !== 8) throw new ZipError(`it is packed by method ${method}, which is not known here`);
  const head = await readAt(file, offset, 30);
  if (head.length < 30 || head.readUInt32LE(0) !== 0x04034b50) throw new ZipError('it does not begin where the directory says');
  const start = offset + 30 + head.readUInt16LE(26) + head.readUInt16LE(28);
  if (packed === 0) return;
  if (start + packed > size) throw new ZipError('it is cut off');
  const packedBytes = chunksOf(file, start, start + packed);
  let found = 0;
  for await (const chunk of method === 0 ? packedBytes : through(createInflateRaw(), packedBytes)) {
    found = crc32(chunk, found);
    yield chunk;
  }
  if (found !== checksum) throw new ZipError('it is damaged: its checksum is another');
}

/** The flag for UTF-8 is left out by many; where the bytes are none, one character stands for each. */
function decodeName(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return text.includes('\ufffd') ? bytes.toString('latin1') : text;
}

async function* chunksOf(file: FileHandle, start: number, end: number): AsyncGenerator<Buffer> {
  for (let at = start; at < end; ) {
    const chunk = await readAt(file, at, Math.min(chunkBytes, end - at));
    if (chunk.length === 0) throw new ZipError('it is cut off');
    at += chunk.length;
    yield chunk;
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  if (position < 0 || !Number.isSafeInteger(position)) throw new ZipError('its directory is damaged');
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
