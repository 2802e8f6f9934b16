/** UIDONLY (RFC 9586): what a client that enabled it may no longer say. */
import type { SearchKey } from '../../protocol/imap/search-key.ts';
import { ProtocolError } from '../../protocol/mail/errors.ts';
import type { Session } from './session.ts';

/** RFC 9586 §3: answered with BAD and UIDREQUIRED. */
export class UidRequired extends ProtocolError {
  constructor() {
    super('expected UIDs: message numbers are not allowed once UIDONLY is enabled');
    this.name = 'UidRequired';
  }
}

/** RFC 9586 §3.5: no sequence-set among the keys. `$` stands for UIDs as well as for numbers. */
export function mustUseUids({ isUidOnly }: Session, key: SearchKey): void {
  if (isUidOnly && usesNumbers(key)) throw new UidRequired();
}

export function usesNumbers(key: SearchKey): boolean {
  switch (key.key) {
    case 'sequence':
      return key.set !== '$';
    case 'and':
      return key.keys.some(usesNumbers);
    case 'or':
      return usesNumbers(key.left) || usesNumbers(key.right);
    case 'not':
      return usesNumbers(key.of);
    default:
      return false;
  }
}
