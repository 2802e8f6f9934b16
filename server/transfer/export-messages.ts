/**
 * `export`: everything out, each message byte for byte, and mailboxes that hold none. Maildir is a Maildir++ with flags in the names; mbox is a file
 * a mailbox, with the flags in a file beside it, since a line in the message would change its bytes. Both are what `import` reads.
 */
import { appendFile, mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CallVerb } from './call-verb.ts';
import { formatFolderName, formatKeywordsFile, formatMaildirFlags } from './maildir.ts';
import { formatMboxMessage } from './mbox.ts';

export interface ExportOptions {
  readonly call: CallVerb;
  readonly address: string;
  readonly folder: string;
  readonly format: 'maildir' | 'mbox';
  readonly onProgress?: (messages: number) => void;
}

export interface ExportReport {
  readonly address: string;
  readonly folder: string;
  readonly format: string;
  readonly messages: number;
  readonly octets: number;
  /** Deleted while the export ran. */
  readonly missed: number;
  /** Keywords of messages that the format has no place for: a folder of Maildir names 26. */
  readonly keywordsOmitted: number;
}

interface Row {
  readonly mailbox: readonly string[];
  readonly uid: number;
  readonly email: number;
  readonly keywords: readonly string[];
  readonly isDeleted: boolean;
  readonly receivedAt: number;
  readonly envelopeFrom: string;
}

interface Writer {
  /** Makes the mailbox, which may stay empty. */
  prepare(mailbox: readonly string[]): Promise<void>;
  add(row: Row, raw: Buffer): Promise<void>;
  /** Resolves to how many keywords could not be written. */
  finish(): Promise<number>;
}

/** Messages fetched at once. */
const fetchedAtOnce = 8;

/** Rejects when the folder holds something: files of two exports in one would be nobody's mailbox. */
export async function exportMessages({ call, address, folder, format, onProgress }: ExportOptions): Promise<ExportReport> {
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) throw new Error(`The folder ${folder} is not empty. Name a new one.`);
  const writer = format === 'mbox' ? mboxWriter(folder) : await maildirWriter(folder);
  const { mailboxes } = (await call('mailbox list', { address })) as { mailboxes: readonly (readonly string[])[] };
  for (const mailbox of mailboxes) await writer.prepare(mailbox);
  let messages = 0;
  let octets = 0;
  let missed = 0;
  let after: string | null = null;
  do {
    const page = (await call('message list', { address, ...(after === null ? {} : { after }) })) as {
      rows: readonly Row[];
      next: string | null;
    };
    for (let at = 0; at < page.rows.length; at += fetchedAtOnce) {
      const rows = page.rows.slice(at, at + fetchedAtOnce);
      const bodies = await Promise.all(
        rows.map(({ email }) => call('message get', { address, email: String(email) }) as Promise<{ raw: string | null }>),
      );
      for (const [index, row] of rows.entries()) {
        const { raw } = bodies[index]!;
        if (raw === null) missed++;
        else {
          const bytes = Buffer.from(raw, 'base64');
          await writer.add(row, bytes);
          messages++;
          octets += bytes.length;
        }
      }
      onProgress?.(messages);
    }
    after = page.next;
  } while (after !== null);
  const keywordsOmitted = await writer.finish();
  return { address, folder, format, messages, octets, missed, keywordsOmitted };
}

async function maildirWriter(folder: string): Promise<Writer> {
  const keywords = new Map<string, string[]>();
  let omitted = 0;
  const prepare = async (path: string) => {
    if (keywords.has(path)) return;
    for (const name of ['cur', 'new', 'tmp']) await mkdir(join(path, name), { recursive: true });
    if (path !== folder) await writeFile(join(path, 'maildirfolder'), '');
    keywords.set(path, []);
  };
  await prepare(folder);
  return {
    prepare: (mailbox) => prepare(join(folder, formatFolderName(mailbox))),
    async add(row, raw) {
      const path = join(folder, formatFolderName(row.mailbox));
      await prepare(path);
      const flags = formatMaildirFlags(row, keywords.get(path)!);
      omitted += row.keywords.length + (row.isDeleted ? 1 : 0) - flags.length;
      const seconds = Math.floor(row.receivedAt / 1000);
      const file = join(path, 'cur', `${seconds}.M${row.email}U${row.uid}.satchel,S=${raw.length}:2,${flags}`);
      await writeFile(file, raw, { flag: 'wx' });
      await utimes(file, seconds, seconds);
    },
    async finish() {
      for (const [path, names] of keywords)
        if (names.length > 0) await writeFile(join(path, 'dovecot-keywords'), formatKeywordsFile(names));
      return omitted;
    },
  };
}

function mboxWriter(folder: string): Writer {
  /** Files without a message so far, and their mailboxes. */
  const empty = new Map<string, readonly string[]>();
  const fileOf = (mailbox: readonly string[]) => {
    const levels = mailbox.map((name) =>
      name.replace(/^\.|[/\\\0%]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`),
    );
    return `${join(folder, ...levels)}.mbox`;
  };
  const append = async (file: string, message: Buffer | '', line: object) => {
    await mkdir(dirname(file), { recursive: true });
    await appendFile(file, message);
    await appendFile(`${file}.flags.json`, `${JSON.stringify(line)}\n`);
  };
  return {
    async prepare(mailbox) {
      empty.set(fileOf(mailbox), mailbox);
    },
    async add({ mailbox, keywords, isDeleted, envelopeFrom, receivedAt }, raw) {
      const file = fileOf(mailbox);
      empty.delete(file);
      await append(file, formatMboxMessage(raw, envelopeFrom, receivedAt), { mailbox, keywords, isDeleted });
    },
    async finish() {
      // The name of a file cannot hold every mailbox's, so the line names it here as it does for a message.
      for (const [file, mailbox] of empty) await append(file, '', { mailbox, keywords: [] });
      return 0;
    },
  };
}

export function formatExportReport({ address, folder, format, messages, octets, missed, keywordsOmitted }: ExportReport): string {
  const head = `${messages} messages of ${address}, ${octets} bytes, written to ${folder} as ${format}.`;
  const sentences = [head];
  if (missed > 0) sentences.push(`${missed} were deleted in the meantime.`);
  if (keywordsOmitted > 0)
    sentences.push(`${keywordsOmitted} keywords were left out: a folder of Maildir has room for 26. --format mbox writes them all.`);
  return sentences.join(' ');
}
