/** How a response about one message begins: by its number, or, where the client has enabled UIDONLY, by its UID. */
import type { ByteWriter } from '../../../protocol/imap/wire/byte-writer.ts';

/** message-data = nz-number SP "FETCH" SP msg-att (RFC 9051 §9); uidfetch-resp = uniqueid SP "UIDFETCH" SP msg-att (RFC 9586 §4). */
export function writeFetchStart(out: ByteWriter, sequence: number, uid: number, isUidOnly: boolean): void {
  if (isUidOnly) out.ascii('* ').number(uid).ascii(' UIDFETCH (');
  else out.ascii('* ').number(sequence).ascii(' FETCH (');
}
