/**
 * STORE and UID STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3). The mutation is handed in at once, so that pipelined STOREs join one commit; each is answered
 * when it is in the store.
 */
import { decodeStore, type StoreArguments } from '../../../protocol/imap/commands/store.ts';
import { type Right, RightSet } from '../../../protocol/mail/acl.ts';
import { MailError } from '../../../protocol/mail/errors.ts';
import type { ModSeq } from '../../../protocol/mail/ids.ts';
import { contains, type Ranges, rangesOf } from '../../../protocol/mail/ranges.ts';
import type { AccountTransactor } from '../../../storage/account/api.ts';
import { defineCommand, type Finish, type Invocation, selected } from '../command.ts';
import { fetchRows } from '../fetch/fetch.ts';
import { keywordsOfFlags, type StoredFlags } from '../flags.ts';
import type { MailboxView } from '../mailbox-view.ts';
import { type Limited, limitedReply, limitMessages } from '../message-limit.ts';
import type { Reply } from '../refusal.ts';

export const store = defineCommand<StoreArguments>({
  names: ['STORE', 'UID STORE'],
  states: selected,
  capability: ['CONDSTORE'],
  sequences: 'hold',
  takesNumbers: true,
  decode: decodeStore,
  begin(invocation, args): Finish {
    const { session, isUid } = invocation;
    const { view } = session;
    if (view.isReadOnly) throw new MailError('forbidden', 'The mailbox is selected read-only.');
    if (args.unchangedSince !== undefined) session.isCondstore = true;
    const flags = keywordsOfFlags(args.flags);
    mustBeAllowed(view, flags, args.operation);
    const { indexes, code } = limitMessages(session, view, view.resolve(args.set, isUid));
    const uids = view.uidRanges(indexes);
    const committed = uids.length === 0 ? Promise.resolve(nothing) : view.account.transact((tx) => change(tx, view, uids, flags, args));
    committed.catch(() => {});
    const limited = { indexes, code };
    return async () => limitedReply(session, invocation.name, code, await finish(invocation, args, limited, await committed));
  },
});

interface Outcome {
  /** Of the mutation, when it changed something. */
  readonly modSeq: ModSeq | undefined;
  /** UIDs that UNCHANGEDSINCE refused. */
  readonly modified: Ranges;
}

/** RFC 4314 §4: refused only where none of these flags may be changed; the others are passed over, and the answer says how they stand. */
function mustBeAllowed(view: MailboxView, { keywords, isDeleted }: StoredFlags, operation: StoreArguments['operation']): void {
  const { rights } = view;
  if (rights === RightSet.all) return;
  const asked = operation === 'set' ? 'swt' : [...keywords.map(rightOfKeyword), ...(isDeleted ? ['t'] : [])].join('');
  if (asked !== '' && !rights.hasAny(asked)) throw new MailError('forbidden', 'None of these flags are yours to change in this mailbox.');
}

const rightOfKeyword = (keyword: string): Right => (keyword === '$seen' ? 's' : 'w');

const nothing: Outcome = { modSeq: undefined, modified: [] };

function change(tx: AccountTransactor, view: MailboxView, uids: Ranges, flags: StoredFlags, args: StoreArguments): Outcome {
  const modified: number[] = [];
  const targets: number[] = [];
  let changes = false;
  const doesChange = changeTest(tx, flags, args.operation, view.rights);
  tx.forEachMembership(view.mailbox, uids[0]![0], uids.at(-1)![1], ({ uid, modSeq, keywordSet, deleted }) => {
    if (!contains(uids, uid)) return;
    if (args.unchangedSince !== undefined && modSeq > args.unchangedSince) modified.push(uid);
    else {
      targets.push(uid);
      changes ||= doesChange(keywordSet, deleted);
    }
  });
  // The modSeq that this mutation gets; the reader still shows the one before.
  const modSeq = changes ? ((tx.modSeq + 1) as ModSeq) : undefined;
  if (changes) {
    const { keywords, isDeleted } = flags;
    const deleted = args.operation === 'set' ? { deleted: isDeleted } : isDeleted ? { deleted: args.operation === 'add' } : {};
    tx.changeFlags(view.mailbox, rangesOf(targets), { [args.operation]: keywords, ...deleted });
  }
  return { modSeq, modified: rangesOf(modified) };
}

/** Whether a message with these keywords would be changed. Asked for each message; answered once for each keyword set. */
function changeTest(tx: AccountTransactor, flags: StoredFlags, operation: StoreArguments['operation'], rights: RightSet) {
  const known = new Map<number, boolean>();
  const mine = (all: readonly string[]) => (rights === RightSet.all ? all : all.filter((keyword) => rights.has(rightOfKeyword(keyword))));
  const { isDeleted } = flags;
  const keywords = mine(flags.keywords);
  const changesKeywords = (keywordSet: number): boolean => {
    let changes = known.get(keywordSet);
    if (changes === undefined) {
      const present = mine(tx.keywordsOf(keywordSet));
      if (operation === 'set') changes = present.length !== keywords.length || !keywords.every((keyword) => present.includes(keyword));
      else changes = keywords.some((keyword) => present.includes(keyword) !== (operation === 'add'));
      known.set(keywordSet, changes);
    }
    return changes;
  };
  return (keywordSet: number, deleted: boolean): boolean => {
    const changesDeleted = !rights.has('t')
      ? false
      : operation === 'set'
        ? deleted !== isDeleted
        : isDeleted && deleted !== (operation === 'add');
    return changesDeleted || changesKeywords(keywordSet);
  };
}

async function finish(
  { session, isUid, name }: Invocation,
  args: StoreArguments,
  { indexes, code }: Limited,
  outcome: Outcome,
): Promise<Reply | undefined> {
  // The mailbox may have been deleted meanwhile.
  const view = session.selectedView;
  if (view === undefined) return undefined;
  if (outcome.modSeq !== undefined) view.noteOwn(outcome.modSeq);
  // RFC 7162 §3.1.3: who knows mod-sequences gets them, .SILENT or not.
  if (!args.isSilent || session.isCondstore) {
    view.account.read((reader) => view.tellNewKeywords(session.output, reader, view.uidRanges(indexes)));
    const attributes = [
      // RFC 7162 §3.2.4: with QRESYNC every FETCH response has its UID. RFC 9051 §6.4.6 asks for it too.
      ...(!session.isUidOnly && (isUid || session.isQresync || session.isRev2) ? [{ item: 'UID' as const }] : []),
      ...(session.isCondstore ? [{ item: 'MODSEQ' as const }] : []),
      ...(args.isSilent ? [] : [{ item: 'FLAGS' as const }]),
    ];
    await fetchRows(session, view, attributes, { indexes, except: outcome.modified, isFromLast: code !== undefined });
  }
  if (outcome.modified.length === 0) return undefined;
  const modified = isUid ? outcome.modified : rangesOf([...sequencesOf(view, outcome.modified)]);
  const set = modified.map(([first, last]) => (first === last ? String(first) : `${first}:${last}`)).join(',');
  return { status: 'OK', code: `MODIFIED ${set}`, text: `${name} completed, but not for these` };
}

function* sequencesOf(view: MailboxView, uids: Ranges): Generator<number> {
  for (const [first, last] of uids) for (let uid = first; uid <= last; uid += 1) yield view.sequenceOf(uid);
}
