/**
 * Substring tests (RFC 9051 §6.4.4): decoded, in any case, in any charset. The index's trigrams rule most messages out; what they leave is looked at in
 * the extracted text and the kept header. Where that text may have been cut, and for header fields that are not kept, the raw message decides.
 * We differ from the RFC in one point: TEXT does not look into trace fields (Received, DKIM-Signature and the like), since that would read
 * every message of the mailbox from the store. HEADER does.
 */
import type { EmailNumber } from '../../../protocol/mail/ids.ts';
import { headerValuesFromRaw, isTraceName } from '../../../protocol/mime/header-facts.ts';
import { decodePartText } from '../../../protocol/mime/part-content.ts';
import { Needle } from '../../../protocol/mime/substring.ts';
import { textParts } from '../../../protocol/mime/text-parts.ts';
import type { Account, AccountReader, MembershipRow } from '../../../storage/account/api.ts';
import type { MailboxView } from '../mailbox-view.ts';
import { traitsOf } from '../message-traits.ts';
import type { Criterion } from './criteria.ts';

/** One message under test. The raw message is read once, however many keys ask. */
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

  get raw(): Promise<Buffer> {
    const blob = this.reader.blob(this.email);
    this.#raw ??= blob === undefined ? Promise.resolve(Buffer.alloc(0)) : this.account.blobBytes(blob);
    return this.#raw;
  }
}

export function headerTest(reader: AccountReader, name: string, value: string): Criterion {
  const needle = new Needle(value);
  const candidates = isTraceName(name) ? undefined : reader.candidates(value, 'header');
  return {
    fast: (row) => (candidates === undefined || candidates.has(row.email) ? undefined : false),
    slow(message) {
      const kept = message.reader.keptHeader(message.email);
      if (kept === undefined) return false;
      if (!kept.leavesOut(name)) return needle.isInField(kept, name);
      const octets = message.reader.facts(message.email)?.headerOctets ?? 0;
      return message.raw.then((raw) => headerValuesFromRaw(raw.subarray(0, octets), name).some((raw) => needle.isInValue(raw)));
    },
  };
}

export function bodyTest({ account }: MailboxView, reader: AccountReader, value: string): Criterion {
  const needle = new Needle(value);
  const traits = traitsOf(account);
  const candidates = reader.candidates(value, 'text');
  return {
    fast: (row) => (candidates === undefined || candidates.has(row.email) || traits.isTextCut(reader, row) ? undefined : false),
    slow: (message) => isInBody(message, needle),
  };
}

export function textTest({ account }: MailboxView, reader: AccountReader, value: string): Criterion {
  const needle = new Needle(value);
  const traits = traitsOf(account);
  const texts = reader.candidates(value, 'text');
  const headers = reader.candidates(value, 'header');
  return {
    fast(row) {
      if (texts === undefined || headers === undefined || texts.has(row.email) || headers.has(row.email)) return undefined;
      return traits.isTextCut(reader, row) ? undefined : false;
    },
    slow(message) {
      const kept = headers?.has(message.email) === false ? undefined : message.reader.keptHeader(message.email);
      return (kept !== undefined && needle.isInHeader(kept)) || isInBody(message, needle);
    },
  };
}

function isInBody(message: SearchedMessage, needle: Needle): boolean | Promise<boolean> {
  const text = message.reader.textBytes(message.email);
  if (text !== undefined && needle.isInUtf8(text)) return true;
  if (!traitsOf(message.account).isTextCut(message.reader, message.row)) return false;
  const root = message.reader.facts(message.email)?.root;
  if (root === undefined) return false;
  return message.raw.then((raw) => textParts(root).some(({ part }) => needle.isInText(decodePartText(raw, part))));
}
