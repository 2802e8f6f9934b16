/**
 * What one of those with whom mailboxes are shared has seen (RFC 4314 §4: \Seen of their own) of 64 emails with neighbouring numbers, as columns in one
 * value of 576 bytes. Pages are those of email-page.ts.
 */
import { emailsPerPage } from './email-page.ts';

const bytesOfPage = emailsPerPage * 9;

export class SeenPage {
  readonly bytes: Uint8Array;
  /** Last change, 0 when there was none. */
  readonly modSeq: Float64Array;
  readonly isSeen: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.modSeq = new Float64Array(bytes.buffer, 0, emailsPerPage);
    this.isSeen = new Uint8Array(bytes.buffer, emailsPerPage * 8, emailsPerPage);
  }

  static empty(): SeenPage {
    return new SeenPage(new Uint8Array(new ArrayBuffer(bytesOfPage)));
  }

  static from(bytes: Uint8Array): SeenPage {
    const page = SeenPage.empty();
    page.bytes.set(bytes);
    return page;
  }

  clone(): SeenPage {
    return SeenPage.from(this.bytes);
  }

  get isEmpty(): boolean {
    return this.modSeq.every((modSeq) => modSeq === 0);
  }

  clear(slot: number): void {
    this.modSeq[slot] = 0;
    this.isSeen[slot] = 0;
  }
}
