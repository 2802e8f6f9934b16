/** SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 §6.3.2, §6.3.3, §6.4.1, §6.4.2, RFC 3691). */
import { decodeNoArguments } from '../../../protocol/imap/commands/no-arguments.ts';
import { decodeSelect, type QresyncParameters } from '../../../protocol/imap/commands/select.ts';
import { resolveSequenceSet } from '../../../protocol/imap/sequence-set.ts';
import { ProtocolError } from '../../../protocol/mail/errors.ts';
import { formatMailboxId } from '../../../protocol/mail/ids.ts';
import { keywordOf } from '../../../protocol/mail/keywords.ts';
import type { Ranges } from '../../../protocol/mail/ranges.ts';
import type { AccountReader, Mailbox } from '../../../storage/account/api.ts';
import { defineCommand, loggedIn, selected } from '../command.ts';
import { fetchMessages } from '../fetch/fetch.ts';
import { rowsPerRead } from '../limits.ts';
import { mustHave, mustLocate, nameOf } from '../locate.ts';
import { MailboxView } from '../mailbox-view.ts';
import { objectIds } from '../object-ids.ts';
import type { Session } from '../session.ts';
import { UidRequired } from '../uid-only.ts';
import { vanishedSince, writeVanished } from '../vanished.ts';
import { expungeDeleted } from './expunge.ts';
import { tellOldName, writeLine } from './list.ts';

export const select = defineCommand({
  names: ['SELECT', 'EXAMINE'],
  states: loggedIn,
  capability: ['CONDSTORE', 'QRESYNC'],
  sequences: 'free',
  decode: decodeSelect,
  async run({ session, name }, { mailbox: mailboxName, asSent, isCondstore, qresync }) {
    if (qresync !== undefined && !session.isQresync) throw new ProtocolError('expected ENABLE QRESYNC before');
    // RFC 9586 §3.7.
    if (session.isUidOnly && qresync?.matches !== undefined) throw new UidRequired();
    const hadView = session.selectedView !== undefined;
    // RFC 9051 §6.3.2: a SELECT that fails leaves nothing selected.
    session.unselect();
    // RFC 7162 §3.2.11: what follows is about the new mailbox.
    if (hadView) session.output.untagged('OK [CLOSED] The other mailbox is closed.');
    const found = mustLocate(session, mailboxName);
    const located = found instanceof Promise ? await found : found;
    mustHave(located, 'r');
    const { account, mailbox } = located;
    if (isCondstore) session.isCondstore = true;
    const isReadOnly = name === 'EXAMINE';
    const view = new MailboxView({
      account,
      mailbox: mailbox.id,
      isReadOnly,
      recents: session.services.recents,
      onChange: session.onMailboxChange,
    });
    session.select(view);
    // RFC 9051 §6.3.2: the name of what is selected.
    if (session.isRev2) {
      const path = nameOf(session, located);
      if (asSent === undefined) writeLine(session, 'LIST', [], path);
      else tellOldName(session, path, asSent);
    }
    account.read((reader) => {
      describe(session, view, reader, reader.mailbox(mailbox.id)!);
      if (qresync?.uidValidity === view.uidValidity) tellVanished(session, view, reader, qresync);
    });
    // RFC 7162 §3.2.5.1: with another UIDVALIDITY all that the client remembers is void.
    if (qresync?.uidValidity === view.uidValidity) await tellChanged(session, view, qresync);
    // RFC 4314 §5.2: where he may change nothing that others see, also if \Seen, which is his own, may be set.
    const isOnlyRead = isReadOnly || !view.rights.hasAny('iewt');
    return { status: 'OK', code: isOnlyRead ? 'READ-ONLY' : 'READ-WRITE', text: `${name} completed` };
  },
});

function knownUids(view: MailboxView, { knownUids }: QresyncParameters): Ranges {
  return knownUids === undefined ? [[1, 0xffffffff]] : resolveSequenceSet(knownUids, view.uids.at(-1) ?? 0);
}

/** RFC 7162 §3.2.5.1: removals come before the flags. */
function tellVanished({ output }: Session, view: MailboxView, reader: AccountReader, qresync: QresyncParameters): void {
  const known = knownUids(view, qresync);
  const { mailbox } = view;
  writeVanished(output, vanishedSince(reader, { mailbox, since: qresync.modSeq, known, matches: qresync.matches }), 'earlier');
}

async function tellChanged(session: Session, view: MailboxView, qresync: QresyncParameters): Promise<void> {
  const indexes = view.indexesOfUids(knownUids(view, qresync));
  const attributes = [...(session.isUidOnly ? [] : [{ item: 'UID' as const }]), { item: 'FLAGS' as const }, { item: 'MODSEQ' as const }];
  await fetchMessages(session, view, { attributes, indexes, changedSince: qresync.modSeq, seen: [] });
}

function describe({ output, isUidOnly }: Session, view: MailboxView, reader: AccountReader, mailbox: Mailbox): void {
  view.writeFlags(output);
  output.untagged(`${view.exists} EXISTS`);
  // RFC 9051 appendix E: neither RECENT nor UNSEEN.
  if (view.tellsRecent) output.untagged(`${view.recentCount} RECENT`);
  const unseen = !view.tellsRecent || isUidOnly || mailbox.unseen === 0 ? 0 : firstUnseen(view, reader);
  if (unseen > 0) output.untagged(`OK [UNSEEN ${unseen}] First unseen.`);
  output.untagged(`OK [UIDVALIDITY ${view.uidValidity}] UIDs valid.`);
  output.untagged(`OK [UIDNEXT ${mailbox.uidNext}] Predicted next UID.`);
  output.untagged(`OK [HIGHESTMODSEQ ${mailbox.highestModSeq}] Highest.`);
  output.untagged(`OK [MAILBOXID (${objectIds(view.account).prefix}${formatMailboxId(mailbox.id)})] Ok.`);
}

/** Sequence number of the first message without \Seen (RFC 3501 §7.1), 0 when there is none. */
function firstUnseen(view: MailboxView, reader: AccountReader): number {
  const seen = keywordOf('\\Seen')!;
  const isUnseen = new Map<number, boolean>();
  const { uids } = view;
  for (let at = 0; at < uids.length; at += rowsPerRead) {
    let found = 0;
    reader.forEachMembership(view.mailbox, uids[at]!, uids[Math.min(at + rowsPerRead, uids.length) - 1]!, ({ uid, keywordSet }) => {
      if (found > 0) return;
      let unseen = isUnseen.get(keywordSet);
      if (unseen === undefined) isUnseen.set(keywordSet, (unseen = !reader.keywordsOf(keywordSet).includes(seen)));
      if (unseen) found = uid;
    });
    if (found > 0) return view.sequenceOf(found);
  }
  return 0;
}

/** RFC 9051 §6.4.1: removes what is \Deleted, and says nothing of it. */
export const close = defineCommand({
  names: ['CLOSE'],
  states: selected,
  capability: [],
  sequences: 'free',
  decode: decodeNoArguments,
  async run({ session }) {
    const { view } = session;
    // RFC 4314 §4: without `e` it only closes.
    if (!view.isReadOnly && view.may('e')) await expungeDeleted(view, undefined);
    session.unselect();
    // RFC 7162 §3.2.8: no HIGHESTMODSEQ here, for the removals were not told.
    return undefined;
  },
});

export const unselect = defineCommand({
  names: ['UNSELECT'],
  states: selected,
  capability: ['UNSELECT'],
  sequences: 'free',
  decode: decodeNoArguments,
  run({ session }) {
    session.unselect();
    return undefined;
  },
});
