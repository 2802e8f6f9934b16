/**
 * What can change of 64 emails with neighbouring numbers, as columns in one value of 4,096 bytes: the page is the unit that is read, cached and
 * written, so that an account's columns are in memory after 800 reads for 50,000 emails, and a change of many flags rewrites few pages.
 */
import type { EmailNumber } from '../../protocol/mail/ids.ts';

const slots = 64;
const bytesOfPage = 4096;

export const emailPageOf = (email: EmailNumber | number): number => Math.floor(email / slots);
export const emailSlotOf = (email: EmailNumber | number): number => email % slots;
export const emailsPerPage = slots;

/** Bits of `bits`. */
export const hasAttachmentBit = 1;
/** The email is in more mailboxes than the one the page names; the others are in the `more` table. */
export const moreBit = 2;

export class EmailPage {
  readonly bytes: Uint8Array;
  readonly receivedAt: Float64Array;
  readonly sentAt: Float64Array;
  readonly createdModSeq: Float64Array;
  /** Last change of keywords: IMAP's part of the modSeq. */
  readonly keywordModSeq: Float64Array;
  /** Last change of keywords or mailboxes: JMAP's. */
  readonly modSeq: Float64Array;
  readonly thread: Uint32Array;
  readonly keywordSet: Uint32Array;
  /** First membership; mailbox 0 says that the slot is empty. */
  readonly mailbox: Uint32Array;
  readonly uid: Uint32Array;
  readonly size: Uint32Array;
  readonly bits: Uint32Array;

  private constructor(bytes: Uint8Array) {
    const buffer = bytes.buffer;
    let offset = 0;
    const doubles = () => new Float64Array(buffer, (offset += slots * 8) - slots * 8, slots);
    const words = () => new Uint32Array(buffer, (offset += slots * 4) - slots * 4, slots);
    this.bytes = bytes;
    this.receivedAt = doubles();
    this.sentAt = doubles();
    this.createdModSeq = doubles();
    this.keywordModSeq = doubles();
    this.modSeq = doubles();
    this.thread = words();
    this.keywordSet = words();
    this.mailbox = words();
    this.uid = words();
    this.size = words();
    this.bits = words();
  }

  static empty(): EmailPage {
    return new EmailPage(new Uint8Array(bytesOfPage));
  }

  /** Copies `bytes`: a typed array needs its own aligned buffer. */
  static from(bytes: Uint8Array): EmailPage {
    return new EmailPage(new Uint8Array(bytes));
  }

  clone(): EmailPage {
    return EmailPage.from(this.bytes);
  }

  get isEmpty(): boolean {
    return this.mailbox.every((mailbox) => mailbox === 0);
  }

  clear(slot: number): void {
    for (const column of [this.receivedAt, this.sentAt, this.createdModSeq, this.keywordModSeq, this.modSeq]) column[slot] = 0;
    for (const column of [this.thread, this.keywordSet, this.mailbox, this.uid, this.size, this.bits]) column[slot] = 0;
  }
}
