/**
 * APPEND (RFC 9051 §6.3.12, RFC 3502 MULTIAPPEND, RFC 3516 literal8, RFC 4469 CATENATE, RFC 4315, RFC 7888, RFC 7889) and REPLACE (RFC 8508). Pipelined APPENDs upload at
 * the same time; their mutations are handed in in the order of the commands, so that UIDs rise in it, and join one commit where they can. The
 * messages of one command are one mutation: all of them appear or none.
 */
import {
  type AppendArguments,
  type AppendedMessage,
  decodeAppend,
  decodeReplace,
  type ReplaceArguments,
} from '../../../protocol/imap/commands/append.ts';
import { MailError } from '../../../protocol/mail/errors.ts';
import type { ModSeq, Uid } from '../../../protocol/mail/ids.ts';
import { mustFit } from '../../../protocol/mail/quota.ts';
import { formatRanges, type Ranges, rangesOf } from '../../../protocol/mail/ranges.ts';
import type { AccountTransactor, NewEmail, PreparedBlob } from '../../../storage/account/api.ts';
import { BadUrl, octetsOf } from '../catenate.ts';
import type { Finish } from '../command.ts';
import { defineCommand, loggedIn, selected } from '../command.ts';
import { keywordsOfFlags, type StoredFlags } from '../flags.ts';
import { type Located, locate, missingTarget, mustHave } from '../locate.ts';
import type { MailboxView } from '../mailbox-view.ts';
import { refuseAbove } from '../message-limit.ts';
import type { Reply } from '../refusal.ts';
import type { Session } from '../session.ts';
import { expungedReply } from './expunge.ts';

export const append = defineCommand<AppendArguments>({
  names: ['APPEND'],
  states: loggedIn,
  capability: ({ messageBytesMax, nonSynchronizingLiterals }) => [
    nonSynchronizingLiterals === 'all' ? 'LITERAL+' : 'LITERAL-',
    `APPENDLIMIT=${messageBytesMax}`,
    'MULTIAPPEND',
    'BINARY',
    'CATENATE',
  ],
  sequences: 'free',
  decode: decodeAppend,
  begin({ session }, args): Finish {
    const outcome = addMessages(session, args);
    // finish() hears of a failure; until then nobody does.
    outcome.catch(() => {});
    return async () => {
      const added = await outcome;
      return 'status' in added ? added : { status: 'OK', code: added.code, text: 'APPEND completed' };
    };
  },
});

/** RFC 8508: the new message appears and the old one goes in one mutation. */
export const replace = defineCommand<ReplaceArguments>({
  names: ['REPLACE', 'UID REPLACE'],
  states: selected,
  capability: ['REPLACE'],
  sequences: 'free',
  takesNumbers: true,
  decode: decodeReplace,
  async run({ session, isUid, name }, args) {
    const { view } = session;
    if (view.isReadOnly) throw new MailError('forbidden', 'The mailbox is selected read-only.');
    if (!(view.may('t') && view.may('e'))) throw new MailError('forbidden', 'REPLACE needs the rights t and e on the selected mailbox.');
    const uids = view.uidRanges(view.resolve([[args.target, args.target]], isUid));
    if (uids.length === 0) throw new MailError('notFound', 'There is no message of this UID.');
    const replaced = await addMessages(session, args, { view, uids });
    if ('status' in replaced) return replaced;
    // RFC 8508 §3.4: APPENDUID comes untagged, before the EXPUNGE.
    session.output.untagged(`OK [${replaced.code}] Replacement stored.`);
    return expungedReply(session, name, replaced.modSeq);
  },
});

interface Replaced {
  readonly view: MailboxView;
  readonly uids: Ranges;
}

interface Added {
  readonly code: string;
  readonly modSeq: ModSeq;
}

/** Adds the messages, and takes out what they replace. */
async function addMessages(session: Session, { mailbox: name, messages }: AppendArguments, replaced?: Replaced): Promise<Added | Reply> {
  const previousTurn = session.appendTurn;
  const turn = Promise.withResolvers<unknown>();
  session.appendTurn = turn.promise;
  // One that is refused while others before it are under way lets nobody pass them.
  const endTurn = () => turn.resolve(previousTurn);
  try {
    // RFC 9738 §3.1: all messages or none.
    const tooMany = refuseAbove(session, messages.length);
    if (tooMany !== undefined) return tooMany;
    const found = locate(session, name);
    const located = found instanceof Promise ? await found : found;
    if (located === undefined) return await missingTarget(session, name);
    mustHave(located, 'i');
    const { account, mailbox } = located;
    const isSameAccount = replaced?.view.account === account;
    // Judged before the first is uploaded.
    const whole: WholeMessage[] = [];
    for (const appended of messages) whole.push(check(session, appended, await octetsOf(session, appended)));
    // Before the bytes are stored; the mutation looks again.
    const octets = whole.reduce((sum, { message }) => sum + message.length, 0);
    if (!isSameAccount)
      mustFit(
        account.read((reader) => reader.quota()),
        { octets, messages: whole.length },
      );
    const prepared = await Promise.all(whole.map((message) => prepare(session, located, message, whole.length)));
    await previousTurn;
    const committed = account.transact(
      (tx) => {
        if (tx.mailbox(mailbox.id) === undefined) throw new MailError('mailboxNotFound', 'The mailbox has just been deleted.');
        const modSeq = (tx.modSeq + 1) as ModSeq;
        // RFC 8508 §3.4: a quota is asked about what there is more in the end.
        if (replaced !== undefined && isSameAccount) takeOut(tx, replaced);
        const uids = prepared.map(({ email }) => tx.addEmail(email).uids[0]!);
        return { uids, modSeq };
      },
      { uploads: prepared.map(({ upload }) => upload) },
    );
    endTurn();
    const { uids, modSeq } = await committed;
    session.news?.noteOwn(account, modSeq);
    session.noteOwnUids(account, mailbox.id, uids);
    const code = `APPENDUID ${mailbox.uidValidity} ${formatRanges(rangesOf(uids))}`;
    return { code, modSeq: replaced === undefined || isSameAccount ? modSeq : await takeOutElsewhere(replaced) };
  } catch (error) {
    if (error instanceof BadUrl) return error.reply;
    throw error;
  } finally {
    endTurn();
  }
}

interface WholeMessage extends StoredFlags {
  readonly receivedAt: number | undefined;
  readonly message: Buffer;
}

function check({ services }: Session, { flags, receivedAt }: AppendedMessage, message: Buffer): WholeMessage {
  if (message.length === 0) throw new MailError('invalidArguments', 'A message cannot be empty.');
  if (message.length > services.messageBytesMax) throw new MailError('tooLarge', `A message may have ${services.messageBytesMax} octets.`);
  return { ...keywordsOfFlags(flags), receivedAt, message };
}

async function prepare(
  { services }: Session,
  { account, mailbox }: Located,
  { keywords, isDeleted, receivedAt, message }: WholeMessage,
  count: number,
): Promise<{ upload: PreparedBlob; email: NewEmail }> {
  const [upload, { facts, text, preview }] = await Promise.all([account.prepareBlob(message, count), services.readMessage(message)]);
  const email: NewEmail = {
    blob: upload.ref,
    receivedAt: receivedAt ?? Math.floor(services.clock.now() / 1000) * 1000,
    keywords,
    mailboxes: [mailbox.id],
    deleted: isDeleted,
    facts,
    text,
    preview,
    delivery: { source: 'append' },
  };
  return { upload, email };
}

/** Two accounts share no mutation: the new message is there before the old one goes, so that a crash leaves both. */
function takeOutElsewhere(replaced: Replaced): Promise<ModSeq> {
  return replaced.view.account.transact((tx) => {
    const modSeq = (tx.modSeq + 1) as ModSeq;
    takeOut(tx, replaced);
    return modSeq;
  });
}

/** RFC 8508 §3.1: without the old message there is nothing to replace. */
function takeOut(tx: AccountTransactor, { view, uids }: Replaced): void {
  if (tx.membership(view.mailbox, uids[0]![0] as Uid) === undefined) throw new MailError('notFound', 'The message has gone.');
  tx.expunge(view.mailbox, uids);
}
