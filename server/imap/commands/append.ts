/**
 * APPEND (RFC 9051 §6.3.12, RFC 4315, RFC 7888, RFC 7889). Pipelined APPENDs upload at the same time; their mutations are handed in in the order of the
 * commands, so that UIDs rise in it, and join one commit where they can.
 */
import { type AppendArguments, decodeAppend } from '../../../protocol/imap/commands/append.ts';
import { MailError } from '../../../protocol/mail/errors.ts';
import type { Finish } from '../command.ts';
import { defineCommand, loggedIn } from '../command.ts';
import { keywordsOfFlags } from '../flags.ts';
import { findMailbox } from '../mailbox-tree.ts';
import type { Reply } from '../refusal.ts';
import type { Session } from '../session.ts';

export const append = defineCommand<AppendArguments>({
  names: ['APPEND'],
  states: loggedIn,
  capability: ({ messageBytesMax }) => ['LITERAL+', `APPENDLIMIT=${messageBytesMax}`],
  sequences: 'free',
  decode: decodeAppend,
  begin({ session }, args): Finish {
    const outcome = appendMessage(session, args);
    // finish() hears of a failure; until then nobody does.
    outcome.catch(() => {});
    return () => outcome;
  },
});

async function appendMessage(session: Session, { mailbox: name, flags, receivedAt, message }: AppendArguments): Promise<Reply> {
  const { account, services } = session;
  const previousTurn = session.appendTurn;
  const { promise: ownTurn, resolve: endTurn } = Promise.withResolvers<void>();
  session.appendTurn = ownTurn;
  try {
    const { keywords, isDeleted } = keywordsOfFlags(flags);
    const mailbox = account.read((reader) => findMailbox(reader, name));
    if (mailbox === undefined) return { status: 'NO', code: 'TRYCREATE', text: 'There is no mailbox of this name.' };
    if (message.length === 0) throw new MailError('invalidArguments', 'A message cannot be empty.');
    if (message.length > services.messageBytesMax)
      throw new MailError('tooLarge', `A message may have ${services.messageBytesMax} octets.`);
    const [upload, { facts, text, preview }] = await Promise.all([account.upload(message), services.readMessage(message)]);
    await previousTurn;
    const committed = account.transact(
      (tx) => {
        const target = tx.mailbox(mailbox.id);
        if (target === undefined) throw new MailError('mailboxNotFound', 'The mailbox has just been deleted.');
        const { uids } = tx.addEmail({
          blob: upload.ref,
          receivedAt: receivedAt ?? Math.floor(services.clock.now() / 1000) * 1000,
          keywords,
          mailboxes: [mailbox.id],
          deleted: isDeleted,
          facts,
          text,
          preview,
          delivery: { source: 'append' },
        });
        return uids[0]!;
      },
      { uploads: [upload] },
    );
    endTurn();
    const uid = await committed;
    return { status: 'OK', code: `APPENDUID ${mailbox.uidValidity} ${uid}`, text: 'APPEND completed' };
  } finally {
    endTurn();
  }
}
