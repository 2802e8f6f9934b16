/** The memberships of 128 neighbouring UIDs of one mailbox, as columns in one value of 2,560 bytes; a UID's slot is its number modulo 128. */
import type { Uid } from '../../protocol/mail/ids.ts';

const slots = 128;
const bytesOfPage = slots * 20;

export const uidPageOf = (uid: Uid | number): number => Math.floor(uid / slots);
export const uidSlotOf = (uid: Uid | number): number => uid % slots;
export const uidsPerPage = slots;

export const deletedBit = 1;

export class UidPage {
  readonly bytes: Uint8Array;
  /** Last change of the membership itself: when it came, or `\Deleted` changed. */
  readonly modSeq: Float64Array;
  /** Email number; 0 says that the slot is empty. */
  readonly email: Uint32Array;
  readonly bits: Uint32Array;
  /** Seconds since the epoch (RFC 8514). */
  readonly savedAt: Uint32Array;

  private constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.modSeq = new Float64Array(bytes.buffer, 0, slots);
    this.email = new Uint32Array(bytes.buffer, slots * 8, slots);
    this.bits = new Uint32Array(bytes.buffer, slots * 12, slots);
    this.savedAt = new Uint32Array(bytes.buffer, slots * 16, slots);
  }

  static empty(): UidPage {
    return new UidPage(new Uint8Array(bytesOfPage));
  }

  static from(bytes: Uint8Array): UidPage {
    return new UidPage(new Uint8Array(bytes));
  }

  clone(): UidPage {
    return UidPage.from(this.bytes);
  }

  get isEmpty(): boolean {
    return this.email.every((email) => email === 0);
  }

  clear(slot: number): void {
    this.modSeq[slot] = 0;
    this.email[slot] = 0;
    this.bits[slot] = 0;
    this.savedAt[slot] = 0;
  }
}
