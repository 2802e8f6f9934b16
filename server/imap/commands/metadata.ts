/** GETMETADATA and SETMETADATA (RFC 5464). */
import {
  decodeGetMetadata,
  decodeSetMetadata,
  type GetMetadataArguments,
  type SetMetadataArguments,
} from '../../../protocol/imap/commands/metadata.ts';
import { annotationType } from '../../../protocol/mail/annotation.ts';
import { MailError } from '../../../protocol/mail/errors.ts';
import type { MailboxNumber } from '../../../protocol/mail/ids.ts';
import type { Account } from '../../../storage/account/api.ts';
import { type Annotations, readAnnotations, setAnnotation, writeAnnotations } from '../annotations.ts';
import { defineCommand, loggedIn } from '../command.ts';
import { annotationBytesMax, annotationsMax } from '../limits.ts';
import { rightsOn, withMailbox } from '../locate.ts';
import type { Session } from '../session.ts';

export const getMetadata = defineCommand<GetMetadataArguments>({
  names: ['GETMETADATA'],
  states: loggedIn,
  // It means METADATA-SERVER too (RFC 5464 §1).
  capability: ['METADATA'],
  sequences: 'free',
  decode: decodeGetMetadata,
  run({ session }, { mailbox: name, entries, maxSize = Number.POSITIVE_INFINITY, depth }) {
    return withSubject(session, name, (account, mailbox) => {
      if (mailbox !== null && !rightsOn(account, mailbox).has('r'))
        throw new MailError('forbidden', 'The right r on this mailbox is missing.');
      const all = account.read((reader) => readAnnotations(reader, mailbox, entries, depth));
      const sizes = [...all.values()].map((value) => value?.length ?? 0);
      const fitting = new Map([...all].filter(([, value]) => (value?.length ?? 0) <= maxSize));
      if (fitting.size > 0) writeMetadata(session, name, fitting);
      const longest = Math.max(0, ...sizes);
      if (longest <= maxSize) return undefined;
      return { status: 'OK', code: `METADATA LONGENTRIES ${longest}`, text: 'Some values are longer.' } as const;
    });
  },
});

export const setMetadata = defineCommand<SetMetadataArguments>({
  names: ['SETMETADATA'],
  states: loggedIn,
  capability: [],
  sequences: 'free',
  decode: decodeSetMetadata,
  async run({ session }, { mailbox: name, values }) {
    if (values.some(({ value }) => value !== null && value.length > annotationBytesMax))
      return { status: 'NO', code: `METADATA MAXSIZE ${annotationBytesMax}`, text: 'The value is too long.' };
    const { account, id: mailbox } = await withSubject(session, name, (account, id) => ({ account, id }));
    const isFull = await account
      .transact((tx) => {
        if (mailbox !== null && tx.mailbox(mailbox) === undefined)
          throw new MailError('mailboxNotFound', 'The mailbox has just been deleted.');
        for (const { entry, value } of values) setAnnotation(tx, mailbox, entry, value);
        if ([...tx.objects(annotationType)].length > annotationsMax) throw new TooMany();
        return false;
      })
      .catch((error: unknown) => {
        if (error instanceof TooMany) return true;
        throw error;
      });
    return isFull ? { status: 'NO', code: 'METADATA TOOMANY', text: 'This account has too many annotations.' } : undefined;
  },
});

/** The mutation is taken back as a whole. */
class TooMany extends MailError {
  constructor() {
    super('limit', `An account may have ${annotationsMax} annotations.`);
  }
}

/** The empty name stands for the server (RFC 5464 §4.2). */
function withSubject<T>(session: Session, name: string, use: (account: Account, mailbox: MailboxNumber | null) => T): T | Promise<T> {
  return name === '' ? use(session.account, null) : withMailbox(session, name, ({ account, mailbox }) => use(account, mailbox.id));
}

export function writeMetadata(session: Session, name: string, annotations: Annotations): void {
  const { output } = session;
  output.ascii('* METADATA ');
  session.writeMailboxName(name);
  writeAnnotations(output.ascii(' '), annotations);
  output.crlf();
  output.schedule();
}
