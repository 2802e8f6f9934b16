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
import type { AccountReader } from '../../../storage/account/api.ts';
import { type Annotations, readAnnotations, setAnnotation, writeAnnotations } from '../annotations.ts';
import { defineCommand, loggedIn } from '../command.ts';
import { annotationBytesMax, annotationsMax } from '../limits.ts';
import { requireMailbox } from '../mailbox-tree.ts';
import type { Session } from '../session.ts';

export const getMetadata = defineCommand<GetMetadataArguments>({
  names: ['GETMETADATA'],
  states: loggedIn,
  // It means METADATA-SERVER too (RFC 5464 §1).
  capability: ['METADATA'],
  sequences: 'free',
  decode: decodeGetMetadata,
  run({ session }, { mailbox: name, entries, maxSize = Number.POSITIVE_INFINITY, depth }) {
    const all = session.account.read((reader) => readAnnotations(reader, annotatedMailbox(reader, name), entries, depth));
    const sizes = [...all.values()].map((value) => value?.length ?? 0);
    const fitting = new Map([...all].filter(([, value]) => (value?.length ?? 0) <= maxSize));
    if (fitting.size > 0) writeMetadata(session, name, fitting);
    const longest = Math.max(0, ...sizes);
    if (longest <= maxSize) return undefined;
    return { status: 'OK', code: `METADATA LONGENTRIES ${longest}`, text: 'Some values are longer.' };
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
    const isFull = await session.account
      .transact((tx) => {
        const mailbox = annotatedMailbox(tx, name);
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
function annotatedMailbox(reader: AccountReader, name: string): MailboxNumber | null {
  return name === '' ? null : requireMailbox(reader, name).id;
}

export function writeMetadata(session: Session, name: string, annotations: Annotations): void {
  const { output } = session;
  output.ascii('* METADATA ');
  session.writeMailboxName(name);
  writeAnnotations(output.ascii(' '), annotations);
  output.crlf();
  output.schedule();
}
