/** Flag lists ready to send, by the account's number of a keyword set: a mailbox has a few dozen different ones. */
import type { ByteWriter } from '../../protocol/imap/wire/byte-writer.ts';
import { flagOf } from '../../protocol/mail/keywords.ts';
import type { Account, AccountReader } from '../../storage/account/api.ts';

export class FlagBytes {
  readonly #bySet = new Map<number, Buffer>();

  /** The flags of a set apart by spaces, without parentheses. */
  of(reader: Pick<AccountReader, 'keywordsOf'>, keywordSet: number): Buffer {
    let bytes = this.#bySet.get(keywordSet);
    if (bytes === undefined) {
      bytes = Buffer.from(reader.keywordsOf(keywordSet).map(flagOf).join(' '), 'latin1');
      this.#bySet.set(keywordSet, bytes);
    }
    return bytes;
  }

  /** FLAGS's value: `(\Seen \Deleted)`. */
  write(out: ByteWriter, reader: Pick<AccountReader, 'keywordsOf'>, keywordSet: number, isDeleted: boolean, isRecent: boolean): void {
    const bytes = this.of(reader, keywordSet);
    out.ascii('(').bytes(bytes);
    if (isDeleted) out.ascii(bytes.length > 0 ? ' \\Deleted' : '\\Deleted');
    if (isRecent) out.ascii(bytes.length > 0 || isDeleted ? ' \\Recent' : '\\Recent');
    out.ascii(')');
  }
}

const byAccount = new WeakMap<Account, FlagBytes>();

/** One cache per open account, shared by its sessions. */
export function flagBytesOf(account: Account): FlagBytes {
  let cache = byAccount.get(account);
  if (cache === undefined) {
    cache = new FlagBytes();
    byAccount.set(account, cache);
  }
  return cache;
}
