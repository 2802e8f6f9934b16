/**
 * Finds the messages in files and folders: mbox, Maildir, .eml, .emlx, and gz, zstd and zip of them. What cannot be read is told and passed over; the
 * rest is found all the same. It holds one message at a time.
 *
 * A file that is named by itself goes where its messages say, or nowhere in particular; one in a folder or an archive into the mailbox of that place.
 */
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { mailboxOfPlace } from './mailbox-names.ts';
import { parseFolderName, parseKeywordsFile, parseMaildirFlags } from './maildir.ts';
import { beginsHeader, looksLikeMbox, readMbox } from './mbox.ts';
import { marksOf, parseAppleMessage } from './message-marks.ts';
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
  /** A mailbox that may hold no message: the path. It is told of more than once. */
  readonly onMailbox?: (path: readonly string[]) => void;
  /** A sentence about what could not be read. */
  readonly onFault: (origin: string, sentence: string) => void;
  /** Bytes of files that were read. */
  readonly onBytes?: (bytes: number) => void;
}

/** Bytes of all files below the paths: what onBytes comes to. Rejects for a path that is not there; what is below it is told when it is read. */
export async function measure(paths: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const path of paths) {
    try {
      const info = await stat(path);
      bytes += info.isDirectory() ? await measureFolder(path) : info.size;
    } catch (error) {
      throw new Error(`${path} cannot be read (${(error as { code?: string }).code ?? String(error)}).`, { cause: error });
    }
  }
  return bytes;
}

async function measureFolder(path: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(path, { withFileTypes: true }).catch(() => [])) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) bytes += await measureFolder(inner);
    else if (entry.isFile()) bytes += await stat(inner).then(({ size }) => size, nothing);
  }
  return bytes;
}

const nothing = () => 0;

export async function* findMessages(paths: readonly string[], options: FindOptions): AsyncGenerator<FoundMessage> {
  for (const path of paths) {
    if ((await stat(path)).isDirectory()) yield* inFolder(path, [], options);
    else yield* inFile(path, undefined, options);
  }
}

/** `place`: the folders that lead here from what was named. */
async function* inFolder(path: string, place: readonly string[], options: FindOptions): AsyncGenerator<FoundMessage> {
  const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
    options.onFault(path, sentenceOf(error));
    return [];
  });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  if (folders.includes('cur') || folders.includes('new')) {
    yield* inMaildirs(path, mailboxOfOutermost(place.at(-1)), folders, options);
    return;
  }
  for (const entry of entries) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) yield* inFolder(inner, [...place, entry.name], options);
    else if (entry.isFile() && !entry.name.startsWith('.')) yield* inFile(inner, place, options);
    else if (entry.isSymbolicLink()) options.onFault(inner, 'it is a link, which is not followed');
  }
}

/** A Maildir and those below it. */
async function* inMaildirs(
  path: string,
  mailbox: readonly string[],
  folders: readonly string[],
  options: FindOptions,
): AsyncGenerator<FoundMessage> {
  yield* inMaildir(path, mailbox.length === 0 ? inbox : mailbox, options);
  for (const name of folders) {
    if (isOfMaildir(name)) continue;
    const inner = join(path, name);
    const below = (await readdir(inner, { withFileTypes: true }).catch(noneIfMissing(inner, [], options))).filter((entry) =>
      entry.isDirectory(),
    );
    const names = below.map((entry) => entry.name).sort();
    yield* inMaildirs(inner, mailboxBelow(mailbox, name), names, options);
  }
}

const inbox: readonly string[] = ['INBOX'];

/** The folders that make a Maildir. */
const isOfMaildir = (name: string) => name === 'cur' || name === 'new' || name === 'tmp';

/** `.Parent.Child` says the whole path (Maildir++); any other is a folder in a folder (Dovecot's layout fs). */
const mailboxBelow = (mailbox: readonly string[], name: string) => (name.startsWith('.') ? parseFolderName(name) : [...mailbox, name]);

/** The outermost Maildir is INBOX, whatever its name, unless it is a `.Parent.Child` whose Maildir is not there. Empty: INBOX. */
const mailboxOfOutermost = (name: string | undefined) => (name?.startsWith('.') ? parseFolderName(name) : []);

async function* inMaildir(path: string, mailbox: readonly string[], options: FindOptions): AsyncGenerator<FoundMessage> {
  const keywordsFile = join(path, 'dovecot-keywords');
  const custom = parseKeywordsFile(await readFile(keywordsFile, 'utf8').catch(noneIfMissing(keywordsFile, '', options)));
  for (const folder of ['cur', 'new']) {
    const inner = join(path, folder);
    const names = await readdir(inner).catch(noneIfMissing(inner, undefined, options));
    if (names === undefined) continue;
    options.onMailbox?.(mailbox);
    for (const name of names.sort()) {
      if (name.startsWith('.')) continue;
      const file = join(inner, name);
      try {
        const { size, mtimeMs } = await stat(file);
        options.onBytes?.(size);
        const raw =
          size > options.messageBytesMax ? undefined : await collect(unpacked(one(await readFile(file))), options.messageBytesMax);
        const flags = folder === 'cur' ? parseMaildirFlags(name, custom) : { keywords: [], isDeleted: false };
        yield* whole(file, raw, () => ({ mailbox, receivedAt: Math.round(mtimeMs), ...flags }), options);
      } catch (error) {
        options.onFault(file, sentenceOf(error));
      }
    }
  }
}

/** Programs leave files beside the mail that are none. */
const isIndexFile = (name: string) =>
  /\.(msf|dat|json|lock|index|html?|txt~|plist|ds_store)$|(^|\/)(maildirfolder|subscriptions|dovecot[^/]*|table_of_contents)$/i.test(name);

/** Files that hold mail or more in ways that are not read here, and what to do with them. */
const unreadable: readonly (readonly [ending: RegExp, sentence: string])[] = [
  [/\.(pst|ost)$/i, 'it is an archive of Outlook, which is not read here; `readpst` (package pst-utils) makes mbox of it'],
  [/\.olm$/i, 'it is an archive of Outlook for Mac, which is not read here; bring the mail over by IMAP'],
  [/\.msg$/i, 'it is a message of Outlook, which is not read here; `msgconvert` (package libemail-outlook-message-perl) makes .eml of it'],
  [/\.(ics|ical|vcf|vcard)$/i, 'it is of a calendar or an address book, which are not kept here'],
  [/\.(7z|rar|tar|tgz|bz2|xz)(\.(gz|zst))?$/i, 'it is an archive that is not read here; unpack it first'],
];

/** `place`: undefined for a file that was named by itself. */
async function* inFile(path: string, place: readonly string[] | undefined, options: FindOptions): AsyncGenerator<FoundMessage> {
  const { onBytes, onFault } = options;
  try {
    if (/\.zip$/i.test(path)) {
      const maildirs = await maildirsIn(path);
      for await (const entry of readZip(path)) {
        const origin = `${path}: ${entry.name}`;
        const names = namesOf(entry.name);
        try {
          // The last name is what stands behind the last sign: '' for a folder.
          const mailbox = isInMaildir(names) ? mailboxOfPacked(names.slice(0, -2), maildirs) : undefined;
          if (mailbox !== undefined) options.onMailbox?.(mailbox);
          if (entry.isFolder) continue;
          if (mailbox !== undefined) yield* inPackedMaildir(origin, mailbox, names.at(-1)!, entry.read(), options);
          else if (names[0] !== '__MACOSX' && !isBeingWritten(names, maildirs))
            yield* inNamed(origin, [...(place ?? []), ...names.slice(0, -1)], () => entry.read(), options);
        } catch (error) {
          onFault(origin, sentenceOf(error));
        }
        onBytes?.(entry.packedBytes);
      }
    } else yield* inNamed(path, place, () => counted(createReadStream(path, { highWaterMark: 256 * 1024 }), onBytes), options);
  } catch (error) {
    onFault(path, sentenceOf(error));
  }
}

const namesOf = (name: string) => name.split(/[/\\]/);

const isInMaildir = (names: readonly string[]) => /^(cur|new)$/.test(names.at(-2) ?? '');

/** Paths of the folders of an archive that are Maildirs. Asked before the rest, since an archive has its folders in any order. */
async function maildirsIn(zip: string): Promise<ReadonlySet<string>> {
  const maildirs = new Set<string>();
  for await (const { name } of readZip(zip)) {
    const names = namesOf(name);
    if (isInMaildir(names)) maildirs.add(names.slice(0, -2).join('/'));
  }
  return maildirs;
}

/** As inFolder and inMaildirs have it. */
function mailboxOfPacked(folders: readonly string[], maildirs: ReadonlySet<string>): readonly string[] {
  let outermost = 0;
  while (!maildirs.has(folders.slice(0, outermost).join('/'))) outermost++;
  const mailbox = folders.slice(outermost).reduce(mailboxBelow, mailboxOfOutermost(folders[outermost - 1]));
  return mailbox.length === 0 ? inbox : mailbox;
}

/** A message that a Maildir is being given. */
const isBeingWritten = (names: readonly string[], maildirs: ReadonlySet<string>) =>
  names.at(-2) === 'tmp' && maildirs.has(names.slice(0, -2).join('/'));

/** A file of a Maildir in an archive, which comes before or after the names of its keywords: only the flags of all Maildirs are known. */
async function* inPackedMaildir(
  origin: string,
  mailbox: readonly string[],
  name: string,
  chunks: AsyncIterable<Buffer>,
  options: FindOptions,
): AsyncGenerator<FoundMessage> {
  if (name.startsWith('.')) return;
  const raw = await collect(unpacked(chunks), options.messageBytesMax);
  yield* whole(origin, raw, () => ({ mailbox, receivedAt: undefined, ...parseMaildirFlags(name, []) }), options);
}

async function* inNamed(
  origin: string,
  place: readonly string[] | undefined,
  read: () => AsyncIterable<Buffer>,
  options: FindOptions,
): AsyncGenerator<FoundMessage> {
  if (isIndexFile(origin)) {
    // Not passed over in silence where somebody named it.
    if (place === undefined) options.onFault(origin, 'by its name it is no mail, but what programs keep beside it');
    return;
  }
  const sentence = unreadable.find(([ending]) => ending.test(origin))?.[1];
  if (sentence !== undefined) options.onFault(origin, sentence);
  else yield* inStream(origin, place, unpacked(read()), options);
}

/** An mbox, or one message. */
async function* inStream(
  origin: string,
  place: readonly string[] | undefined,
  chunks: AsyncIterable<Buffer>,
  options: FindOptions,
): AsyncGenerator<FoundMessage> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  const here = place === undefined ? undefined : mailboxOfPlace(place, basename(origin.split(/[/\\]|: /).at(-1)!));
  // An empty mbox is a mailbox without messages.
  if (first.done && isMboxName(origin)) {
    const mailbox = (await mboxFlags(origin, options))[0]?.mailbox ?? here;
    if (mailbox !== undefined) options.onMailbox?.(mailbox);
    return;
  }
  if (first.done) return options.onFault(origin, 'it is empty');
  const all = resumed(first.value, iterator);
  if (!looksLikeMbox(first.value) && !isMboxName(origin)) {
    const raw = await collect(all, options.messageBytesMax);
    const mailbox = place === undefined ? undefined : mailboxOfPlace(place, undefined);
    const apple = raw !== undefined && /\.emlx(\.(gz|zst))?$/i.test(origin) ? parseAppleMessage(raw) : undefined;
    if (apple !== undefined) yield* whole(origin, apple.raw, () => ({ mailbox, ...apple }), options);
    else yield* whole(origin, raw, (found) => ({ mailbox, receivedAt: undefined, ...marksOf(found) }), options);
    return;
  }
  const flags = await mboxFlags(origin, options);
  let number = 0;
  const onFault = (sentence: string, offset: number) => options.onFault(`${origin} at byte ${offset}`, sentence);
  for await (const { raw, receivedAt } of readMbox(all, { messageBytesMax: options.messageBytesMax, onFault })) {
    const { keywords, isDeleted = false, mailbox = here } = flags[number] ?? marksOf(raw);
    number++;
    yield { origin: `${origin} message ${number}`, mailbox, raw, receivedAt, keywords, isDeleted };
  }
}

const isMboxName = (name: string) => /(\.mbo?x|(^|[/\\])mbox)(\.(gz|zst))?$/i.test(name);

interface MboxFlags {
  readonly keywords: readonly string[];
  readonly isDeleted?: boolean;
  readonly mailbox?: readonly string[];
}

/** What our export writes beside an mbox, a line a message. */
async function mboxFlags(mbox: string, options: FindOptions): Promise<readonly (MboxFlags | undefined)[]> {
  const path = `${mbox}.flags.json`;
  const text = await readFile(path, 'utf8').catch(noneIfMissing(path, '', options));
  try {
    return text.split('\n').flatMap((line) => (line === '' ? [] : [flagsOf(JSON.parse(line))]));
  } catch {
    options.onFault(path, 'it is damaged, so the messages come without these flags');
    return [];
  }
}

/** Undefined for what export never wrote. */
function flagsOf(value: unknown): MboxFlags | undefined {
  const { keywords, isDeleted, mailbox } = (value ?? {}) as Record<string, unknown>;
  const areTexts = (list: unknown): list is string[] =>
    Array.isArray(list) && list.every((text) => typeof text === 'string' && text !== '');
  if (!areTexts(keywords)) return undefined;
  return { keywords, isDeleted: isDeleted === true, ...(areTexts(mailbox) && mailbox.length > 0 ? { mailbox } : {}) };
}

function* whole(
  origin: string,
  raw: Buffer | undefined,
  restOf: (raw: Buffer) => Omit<FoundMessage, 'origin' | 'raw'>,
  options: FindOptions,
): Generator<FoundMessage> {
  if (raw === undefined) options.onFault(origin, `it is larger than ${options.messageBytesMax} bytes`);
  else if (raw.length === 0) options.onFault(origin, 'it is empty');
  else if (!looksLikeMessage(raw)) options.onFault(origin, 'it does not begin like a message');
  else yield { origin, ...restOf(raw), raw };
}

/** Calendars and cards have lines like a header's. */
const looksLikeMessage = (raw: Buffer) => beginsHeader(raw) && !/^BEGIN:/i.test(raw.toString('latin1', 0, 6));

/** First bytes of packed files: Dovecot's zlib plugin leaves their names as they were. No message and no mbox begins so. */
const packings: readonly (readonly [magic: Buffer, unpack: () => Duplex])[] = [
  [Buffer.from([0x1f, 0x8b, 0x08]), createGunzip],
  [Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), createZstdDecompress],
];

/** Whoever reads bounds what comes out: it stops at a message that is too large. */
async function* unpacked(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) return;
  const all = resumed(first.value, iterator);
  const unpack = packings.find(([magic]) => magic.equals(first.value.subarray(0, magic.length)))?.[1];
  yield* unpack === undefined ? all : through(unpack(), all);
}

async function* one(chunk: Buffer): AsyncGenerator<Buffer> {
  yield chunk;
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

/** No file, or none that can have such a name, as one in an archive may. */
const missing: ReadonlySet<unknown> = new Set(['ENOENT', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE']);

/** For what need not be there. What is there and cannot be read is told. */
const noneIfMissing =
  <T>(path: string, none: T, { onFault }: FindOptions) =>
  (error: unknown): T => {
    if (!missing.has((error as { readonly code?: unknown }).code)) onFault(path, sentenceOf(error));
    return none;
  };

const sentenceOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
