/** COPY and MOVE with their UID forms (RFC 9051 §6.4.7, §6.4.8, RFC 6851, RFC 4315 COPYUID). UIDs are resolved before the mutation. */
import { type CopyArguments, decodeCopy } from '../../../protocol/imap/commands/copy.ts';
import { MailError } from '../../../protocol/mail/errors.ts';
import type { ModSeq } from '../../../protocol/mail/ids.ts';
import type { Ranges } from '../../../protocol/mail/ranges.ts';
import { rangesOf } from '../../../protocol/mail/ranges.ts';
import type { Mailbox } from '../../../storage/account/api.ts';
import { defineCommand, type Invocation, selected } from '../command.ts';
import { type Located, locate, missingTarget, mustHave } from '../locate.ts';
import type { MailboxView } from '../mailbox-view.ts';
import { limitedReply, limitMessages, refuseForLimit } from '../message-limit.ts';
import type { Reply } from '../refusal.ts';
import { copyAcross, type Moved, moveAcross } from '../transfer.ts';
import { expungedReply } from './expunge.ts';

export const copy = defineCommand<CopyArguments>({
  names: ['COPY', 'UID COPY'],
  states: selected,
  capability: ['UIDPLUS'],
  sequences: 'free',
  takesNumbers: true,
  decode: decodeCopy,
  async run(invocation, args) {
    const copied = await transfer(invocation, args, 'copy');
    return 'status' in copied ? copied : { status: 'OK', ...codeOf(copied), text: `${invocation.name} completed` };
  },
});

export const move = defineCommand<CopyArguments>({
  names: ['MOVE', 'UID MOVE'],
  states: selected,
  capability: ['MOVE'],
  sequences: 'free',
  takesNumbers: true,
  decode: decodeCopy,
  async run(invocation, args) {
    const { session } = invocation;
    if (session.view.isReadOnly) throw new MailError('forbidden', 'The mailbox is selected read-only.');
    const moved = await transfer(invocation, args, 'move');
    if ('status' in moved) return moved;
    // RFC 9051 §6.4.8: COPYUID comes untagged, before the EXPUNGEs.
    const { code } = codeOf(moved);
    if (code !== undefined) session.output.untagged(`OK [${code}] Moved.`);
    return limitedReply(session, invocation.name, moved.limit, expungedReply(session, invocation.name, moved.modSeq));
  },
});

interface Transferred {
  readonly target: Mailbox;
  readonly pairs: readonly { readonly from: number; readonly to: number }[];
  /** Of the mutation, when it did something. */
  readonly modSeq: ModSeq | undefined;
  /** Response code, where it was not done for all messages. */
  readonly limit: string | undefined;
}

async function transfer(
  { session, isUid }: Invocation,
  { set, mailbox: name }: CopyArguments,
  how: 'copy' | 'move',
): Promise<Transferred | Reply> {
  const { view } = session;
  const { indexes, code } = limitMessages(session, view, view.resolve(set, isUid));
  // RFC 9738 §3.1: COPY is for all or none, MOVE is not.
  if (code !== undefined && how === 'copy') return refuseForLimit(code);
  const uids = view.uidRanges(indexes);
  const found = locate(session, name);
  const located = found instanceof Promise ? await found : found;
  if (located === undefined) return missingTarget(session, name);
  mustHave(located, 'i');
  // RFC 6851 §4.2, RFC 4314 §4: the rights of COPY, of STORE \Deleted and of EXPUNGE.
  if (how === 'move' && !(view.may('t') && view.may('e')))
    throw new MailError('forbidden', 'MOVE needs the rights t and e on the selected mailbox.');
  const target = located.mailbox;
  if (uids.length === 0) return { target, pairs: [], modSeq: undefined, limit: code };
  const moved = located.account === view.account ? await within(view, uids, target, how) : await across(view, uids, located, how);
  if (moved.modSeq !== undefined) session.news?.noteOwn(view.account, moved.modSeq);
  session.noteOwnUids(
    located.account,
    target.id,
    moved.pairs.map(({ to }) => to),
  );
  return { target, limit: code, ...moved };
}

function within(view: MailboxView, uids: Ranges, target: Mailbox, how: 'copy' | 'move'): Promise<Moved> {
  return view.account.transact((tx) => {
    if (tx.mailbox(target.id) === undefined) throw new MailError('mailboxNotFound', 'The mailbox has just been deleted.');
    const modSeq = (tx.modSeq + 1) as ModSeq;
    const pairs = tx[how](view.mailbox, uids, target.id);
    return { pairs, modSeq: pairs.length > 0 ? modSeq : undefined };
  });
}

async function across(view: MailboxView, uids: Ranges, target: Located, how: 'copy' | 'move'): Promise<Moved> {
  return how === 'move' ? moveAcross(view, uids, target) : { pairs: await copyAcross(view, uids, target), modSeq: undefined };
}

/** RFC 4315 §3: both sets in the order of the copies. */
function codeOf({ target, pairs }: Transferred): { code?: string } {
  if (pairs.length === 0) return {};
  const from = formatUids(rangesOf(pairs.map((pair) => pair.from)));
  const to = formatUids(rangesOf(pairs.map((pair) => pair.to)));
  return { code: `COPYUID ${target.uidValidity} ${from} ${to}` };
}

function formatUids(ranges: Ranges): string {
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}:${last}`)).join(',');
}
