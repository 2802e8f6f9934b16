/**
 * Finds the messages in files and folders: mbox, Maildir, .eml, and gz and zip of them. What cannot be read is told and passed over; the rest is
 * found all the same. It holds one message at a time.
 */
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { parseFolderName, parseKeywordsFile, parseMaildirFlags } from './maildir.ts';
import { looksLikeMbox, readMbox } from './mbox.ts';
import { through } from './through.ts';
import { readZip } from './zip.ts';

export interface FoundMessage {
  /** For people: the file, and the place in it. */
  readonly origin: string;
  /** Path of the mailbox that it lay in; undefined where the source knows of none. */
  readonly mailbox: readonly string[] | undefined;
  readonly raw: Buffer;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number | undefined;
  readonly keywords: readonly string[];
  readonly isDeleted: boolean;
}

export interface FindOptions {
  readonly messageBytesMax: number;
  /** A sentence about what could not be read. */
  readonly onFault: (origin: string, sentence: string) => void;
  /** Bytes of files that were read. */
  readonly onBytes?: (bytes: number) => void;
}

/** Bytes of all files below the paths: what onBytes comes to. */
export async function measure(paths: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const path of paths) {
    const info = await stat(path).catch((error: unknown) => {
      throw new Error(`${path} cannot be read (${(error as { code?: string }).code ?? String(error)}).`, { cause: error });
    });
    if (info.isDirectory()) bytes += await measure((await readdir(path)).map((name) => join(path, name)));
    else bytes += info.size;
  }
  return bytes;
}

export async function* findMessages(paths: readonly string[], options: FindOptions): AsyncGenerator<FoundMessage> {
  for (const path of paths) {
    if ((await stat(path)).isDirectory()) yield* inFolder(path, options);
    else yield* inFile(path, options);
  }
}

async function* inFolder(path: string, options: FindOptions): AsyncGenerator<FoundMessage> {
  const entries = (await readdir(path, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  if (folders.includes('cur') || folders.includes('new')) {
    yield* inMaildir(path, ['INBOX'], options);
    for (const name of folders) if (name.startsWith('.')) yield* inMaildir(join(path, name), parseFolderName(name), options);
    return;
  }
  for (const entry of entries) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) yield* inFolder(inner, options);
    else if (entry.isFile() && !entry.name.startsWith('.')) yield* inFile(inner, options);
  }
}

async function* inMaildir(path: string, mailbox: readonly string[], options: FindOptions): AsyncGenerator<FoundMessage> {
  const custom = parseKeywordsFile(await readFile(join(path, 'dovecot-keywords'), 'utf8').catch(() => ''));
  for (const folder of ['cur', 'new']) {
    const names = await readdir(join(path, folder)).catch(() => [] as string[]);
    for (const name of names.sort()) {
      if (name.startsWith('.')) continue;
      const file = join(path, folder, name);
      const { size, mtimeMs } = await stat(file);
      options.onBytes?.(size);
      const raw = size > options.messageBytesMax ? undefined : await readFile(file);
      const flags = folder === 'cur' ? parseMaildirFlags(name, custom) : { keywords: [], isDeleted: false };
      yield* whole(file, raw, { mailbox, receivedAt: Math.round(mtimeMs), ...flags }, options);
    }
  }
}

/** Programs leave files beside the mail that are none. */
const isIndexFile = (name: string) => /\.(msf|dat|json|lock|index|html?|txt~|ds_store)$/i.test(name);

async function* inFile(path: string, options: FindOptions): AsyncGenerator<FoundMessage> {
  const { onBytes, onFault } = options;
  try {
    if (/\.zip$/i.test(path)) {
      for await (const entry of readZip(path)) {
        const origin = `${path}: ${entry.name}`;
        try {
          if (!isIndexFile(entry.name)) yield* inStream(origin, unpacked(entry.name, entry.read()), options);
        } catch (error) {
          onFault(origin, sentenceOf(error));
        }
        onBytes?.(entry.packedBytes);
      }
    } else if (isIndexFile(path)) onBytes?.((await stat(path)).size);
    else yield* inStream(path, unpacked(path, counted(createReadStream(path, { highWaterMark: 256 * 1024 }), onBytes)), options);
  } catch (error) {
    onFault(path, sentenceOf(error));
  }
}

/** An mbox, or one message. */
async function* inStream(origin: string, chunks: AsyncIterable<Buffer>, options: FindOptions): AsyncGenerator<FoundMessage> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) return options.onFault(origin, 'it is empty');
  const all = resumed(first.value, iterator);
  const flags = await mboxFlags(origin);
  if (!looksLikeMbox(first.value)) {
    const raw = await collect(all, options.messageBytesMax);
    yield* whole(origin, raw, { mailbox: undefined, receivedAt: undefined, keywords: [], isDeleted: false }, options);
    return;
  }
  let number = 0;
  const onFault = (sentence: string, offset: number) => options.onFault(`${origin} at byte ${offset}`, sentence);
  for await (const { raw, receivedAt } of readMbox(all, { messageBytesMax: options.messageBytesMax, onFault })) {
    const { keywords, isDeleted = false, mailbox } = flags[number] ?? { keywords: statusKeywords(raw) };
    number++;
    yield { origin: `${origin} message ${number}`, mailbox, raw, receivedAt, keywords, isDeleted };
  }
}

interface MboxFlags {
  readonly keywords: readonly string[];
  readonly isDeleted?: boolean;
  readonly mailbox?: readonly string[];
}

/** What our export writes beside an mbox, a line a message. */
async function mboxFlags(path: string): Promise<readonly MboxFlags[]> {
  const text = await readFile(`${path}.flags.json`, 'utf8').catch(() => '');
  try {
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as MboxFlags]));
  } catch {
    return [];
  }
}

/** Status and X-Status, as mbox programs write them: R read, A answered, F flagged, T draft. */
function statusKeywords(raw: Buffer): readonly string[] {
  const end = raw.indexOf('\n\n');
  const header = raw.toString('latin1', 0, end < 0 ? 4096 : end);
  const letters = Array.from(header.matchAll(/^(?:X-)?Status: *([A-Z]+)/gm), ([, value]) => value).join('');
  const keywords = { A: '$answered', F: '$flagged', R: '$seen', T: '$draft' };
  return Object.entries(keywords).flatMap(([letter, keyword]) => (letters.includes(letter) ? [keyword] : []));
}

function* whole(origin: string, raw: Buffer | undefined, rest: Omit<FoundMessage, 'origin' | 'raw'>, options: FindOptions) {
  if (raw === undefined) options.onFault(origin, `it is larger than ${options.messageBytesMax} bytes`);
  else if (raw.length === 0) options.onFault(origin, 'it is empty');
  else if (!looksLikeMessage(raw)) options.onFault(origin, 'it does not begin like a message');
  else yield { origin, raw, ...rest };
}

/** A message begins with the name of a header field. */
const looksLikeMessage = (raw: Buffer) => /^[\x21-\x39\x3b-\x7e]{1,128}[ \t]*:/.test(raw.toString('latin1', 0, 200));

function unpacked(name: string, chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  return /\.gz$/i.test(name) ? through(createGunzip(), chunks) : chunks;
}

async function* counted(chunks: AsyncIterable<unknown>, onBytes: FindOptions['onBytes']): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    onBytes?.((chunk as Buffer).length);
    yield chunk as Buffer;
  }
}

async function* resumed(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  try {
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

/** Undefined when there is more. */
async function collect(chunks: AsyncIterable<Buffer>, bytesMax: number): Promise<Buffer | undefined> {
  const collected: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > bytesMax) return undefined;
    collected.push(chunk);
  }
  return Buffer.concat(collected);
}

const sentenceOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
