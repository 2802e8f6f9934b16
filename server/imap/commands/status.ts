/** STATUS (RFC 9051 §6.3.11, RFC 8438, RFC 8474, RFC 7889, RFC 9208 §4.1.4's DELETED-STORAGE). */
import { decodeStatus, type StatusItem } from '../../../protocol/imap/commands/status.ts';
import { assertNever } from '../../../protocol/mail/errors.ts';
import { formatMailboxId } from '../../../protocol/mail/ids.ts';
import type { Account, Mailbox } from '../../../storage/account/api.ts';
import { defineCommand, loggedIn } from '../command.ts';
import { mustHave, withMailbox } from '../locate.ts';
import { lowerBound } from '../mailbox-view.ts';
import { objectIds } from '../object-ids.ts';
import type { Session } from '../session.ts';

export const status = defineCommand({
  names: ['STATUS'],
  states: loggedIn,
  capability: ['STATUS=SIZE', 'OBJECTID'],
  sequences: 'free',
  decode: decodeStatus,
  run({ session }, { mailbox: name, items }) {
    // RFC 7162 §3.1: asking for it enables it.
    if (items.includes('HIGHESTMODSEQ')) session.isCondstore = true;
    return withMailbox(session, name, (located) => {
      mustHave(located, 'r');
      writeStatus(session, located.account, located.mailbox, name, items);
      return undefined;
    });
  },
});

export function writeStatus(session: Session, account: Account, mailbox: Mailbox, name: string, items: readonly StatusItem[]): void {
  const values = items.map((item) => `${item} ${statusValue(session, account, mailbox, item)}`);
  session.output.ascii('* STATUS ');
  session.writeMailboxName(name);
  session.output.ascii(` (${values.join(' ')})`).crlf();
  session.output.schedule();
}

function statusValue({ services }: Session, account: Account, mailbox: Mailbox, item: StatusItem): number | string {
  switch (item) {
    case 'MESSAGES':
      return mailbox.total;
    case 'RECENT': {
      const first = services.recents.peek(account, mailbox.id, mailbox.uidNext);
      if (first >= mailbox.uidNext) return 0;
      const uids = account.read((reader) => reader.uids(mailbox.id));
      return uids.length - lowerBound(uids, first);
    }
    case 'UIDNEXT':
      return mailbox.uidNext;
    case 'UIDVALIDITY':
      return mailbox.uidValidity;
    case 'UNSEEN':
      return mailbox.unseen;
    case 'DELETED':
      return mailbox.deleted;
    case 'SIZE':
      return mailbox.size;
    case 'DELETED-STORAGE':
      return mailbox.deletedSize;
    case 'HIGHESTMODSEQ':
      return mailbox.highestModSeq;
    case 'APPENDLIMIT':
      return services.messageBytesMax;
    case 'MAILBOXID':
      return `(${objectIds(account).prefix}${formatMailboxId(mailbox.id)})`;
    default:
      return assertNever(item);
  }
}
