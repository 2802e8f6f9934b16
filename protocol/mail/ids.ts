/**
 * Identifiers and counters. Numbers that must not be mixed are branded; inside an account mailboxes, emails and threads have running numbers,
 * outside they have the printed form (JMAP Id of RFC 8620 §1.2, OBJECTID of RFC 8474): a letter and the number in base 36.
 */
declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** An account's name in the store: lower-case letters and digits, never reused. */
export type AccountId = Branded<string, 'AccountId'>;
/** Running number of a mailbox in its account, from 1, never reused. */
export type MailboxNumber = Branded<number, 'MailboxNumber'>;
/** Running number of an email in its account, from 1, never reused, so that ranges of numbers are ranges of time. */
export type EmailNumber = Branded<number, 'EmailNumber'>;
/** Running number of a thread in its account, from 1. */
export type ThreadNumber = Branded<number, 'ThreadNumber'>;
/** RFC 9051 §2.3.1.1: 1 … 4294967295, strictly rising in a mailbox. */
export type Uid = Branded<number, 'Uid'>;
/** RFC 7162 §3.1.1 mod-sequence and JMAP state: rises by one with each mutation of the account; below 2^53. */
export type ModSeq = Branded<number, 'ModSeq'>;

export type MailboxId = Branded<string, 'MailboxId'>;
export type EmailId = Branded<string, 'EmailId'>;
export type ThreadId = Branded<string, 'ThreadId'>;

export const formatMailboxId = (number: MailboxNumber): MailboxId => `m${number.toString(36)}` as MailboxId;
export const formatEmailId = (number: EmailNumber): EmailId => `e${number.toString(36)}` as EmailId;
export const formatThreadId = (number: ThreadNumber): ThreadId => `t${number.toString(36)}` as ThreadId;

export const parseMailboxId = (id: string): MailboxNumber | undefined => parseNumber(id, 'm') as MailboxNumber | undefined;
export const parseEmailId = (id: string): EmailNumber | undefined => parseNumber(id, 'e') as EmailNumber | undefined;
export const parseThreadId = (id: string): ThreadNumber | undefined => parseNumber(id, 't') as ThreadNumber | undefined;

/** Only the one spelling that `format…` prints is an id: no leading zeros, no upper case. */
function parseNumber(id: string, letter: string): number | undefined {
  if (id.length < 2 || id.length > 9 || id[0] !== letter || !/^[1-9a-z][0-9a-z]*$/.test(id.slice(1))) return undefined;
  const number = Number.parseInt(id.slice(1), 36);
  return number <= 0xffffffff ? number : undefined;
}
