/**
 * Substring tests (RFC 9051 §6.4.4): decoded, in any case, in any charset. The index's trigrams rule most messages out; what they leave is looked at in
 * the extracted text and the kept header. Where that text may have been cut, and for header fields that are not kept, the raw message decides.
 * We differ from the RFC in one point: TEXT does not look into trace fields (Received, DKIM-Signature and the like), since that would read
 * every message of the mailbox from the store. HEADER does.
 */
import type { EmailNumber } from '../../../protocol/mail/ids.ts';
import { asBuffer } from '../../../protocol/mime/bytes.ts';
import { decodeWords } from '../../../protocol/mime/encoded-word.ts';
import { unfold } from '../../../protocol/mime/header.ts';
import { headerValuesFromRaw } from '../../../protocol/mime/header-facts.ts';
import { decodePartText } from '../../../protocol/mime/part-content.ts';
import { textParts } from '../../../protocol/mime/text-parts.ts';
import type { Account, AccountReader, MembershipRow } from '../../../storage/account/api.ts';
import type { MailboxView } from '../mailbox-view.ts';
import { keptNames, traitsOf } from '../message-traits.ts';
import type { Criterion } from './criteria.ts';

/** One message under test. Reads are done once, however many keys ask. */
export class SearchedMessage {
  readonly account: Account;
  readonly reader: AccountReader;
  readonly row: Readonly<MembershipRow>;
  #raw: Promise<Buffer> | undefined;

  constructor(account: Account, reader: AccountReader, row: Readonly<MembershipRow>) {
    this.account = account;
    this.reader = reader;
    this.row = row;
  }

  get email(): EmailNumber {
    return this.row.email;
  }

  get sentAt(): number {
    return this.row.sentAt;
  }

  /** The header fields that the facts keep. */
  get header(): Buffer {
    const bytes = this.reader.headerBytes(this.email);
    return bytes === undefined ? Buffer.alloc(0) : asBuffer(bytes);
  }

  get raw(): Promise<Buffer> {
    const blob = this.reader.blob(this.email);
    this.#raw ??= blob === undefined ? Promise.resolve(Buffer.alloc(0)) : this.account.blobBytes(blob);
    return this.#raw;
  }
}

/** As the index folds: lower case of NFC. */
function fold(text: string): string {
  return text.normalize('NFC').toLowerCase();
}

export function headerTest({ account }: MailboxView, reader: AccountReader, name: string, value: string): Criterion {
  const needle = fold(value);
  const candidates = keptNames.has(name) ? reader.candidates(needle, 'header') : undefined;
  const traits = traitsOf(account);
  const matches = (values: readonly string[]) => values.some((raw) => fold(decodeWords(unfold(raw))).includes(needle));
  return {
    fast: (row) => (candidates === undefined || candidates.has(row.email) || traits.omitted(reader, row.email).hasKept ? undefined : false),
    slow(message) {
      const { names } = traits.omitted(message.reader, message.email);
      if (!names.includes(name) && names[0] !== '*') return matches(headerValuesFromRaw(message.header, name));
      const octets = message.reader.facts(message.email)?.headerOctets ?? 0;
      return message.raw.then((raw) => matches(headerValuesFromRaw(raw.subarray(0, octets), name)));
    },
  };
}

export function bodyTest({ account }: MailboxView, reader: AccountReader, value: string): Criterion {
  const needle = fold(value);
  const traits = traitsOf(account);
  const candidates = reader.candidates(needle, 'text');
  return {
    fast: (row) => (candidates === undefined || candidates.has(row.email) || traits.isTextCut(reader, row) ? undefined : false),
    slow: (message) => isInBody(message, needle),
  };
}

export function textTest({ account }: MailboxView, reader: AccountReader, value: string): Criterion {
  const needle = fold(value);
  const traits = traitsOf(account);
  const texts = reader.candidates(needle, 'text');
  const headers = reader.candidates(needle, 'header');
  return {
    fast(row) {
      if (texts === undefined || headers === undefined || texts.has(row.email) || headers.has(row.email)) return undefined;
      return traits.isTextCut(reader, row) || traits.omitted(reader, row.email).hasKept ? undefined : false;
    },
    slow(message) {
      return fold(headerText(message.header.toString('latin1'))).includes(needle) || isInBody(message, needle);
    },
  };
}

/** Header lines unfolded, their values decoded. */
function headerText(header: string): string {
  return decodeWords(unfold(header.replace(/\r?\n(?![ \t])/g, '\n').replace(/\n[ \t]/g, ' ')).replaceAll('\r', ''));
}

function isInBody(message: SearchedMessage, needle: string): boolean | Promise<boolean> {
  const text = message.reader.text(message.email);
  if (fold(text).includes(needle)) return true;
  if (!traitsOf(message.account).isTextCut(message.reader, message.row)) return false;
  const root = message.reader.facts(message.email)?.root;
  if (root === undefined) return false;
  return message.raw.then((raw) => textParts(root).some(({ part }) => fold(decodePartText(raw, part)).includes(needle)));
}
