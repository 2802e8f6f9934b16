/**
 * SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314 §3). Identifiers are addresses of accounts here, and `anyone`, which is each of them. The
 * owner has all rights, always; negative rights (§2) are not kept, which that section leaves to us.
 */
import { type AclSubject, decodeAclSubject, decodeSetAcl, type SetAclArguments } from '../../../protocol/imap/commands/acl.ts';
import { decodeMailboxArgument } from '../../../protocol/imap/commands/mailbox-argument.ts';
import { type AclIdentifier, optionalRights, RightSet } from '../../../protocol/mail/acl.ts';
import { MailError, ProtocolError } from '../../../protocol/mail/errors.ts';
import type { RightsChange } from '../../../storage/sharing/shares.ts';
import { saslPrep } from '../../auth/saslprep.ts';
import { defineCommand, loggedIn } from '../command.ts';
import { type Located, mustHave, mustLocate, rightsOn, withMailbox } from '../locate.ts';
import type { Output } from '../output.ts';
import type { Session } from '../session.ts';
import { writeMyRights } from './list.ts';

export const setAcl = defineCommand<SetAclArguments>({
  names: ['SETACL'],
  states: loggedIn,
  // RFC 4314 §2.2: those that were there before it go without saying.
  capability: ['ACL', 'RIGHTS=kxte'],
  sequences: 'free',
  decode: decodeSetAcl,
  async run({ session }, { mailbox, identifier, how, rights }) {
    const change: Readonly<Record<SetAclArguments['how'], RightsChange>> = {
      replace: () => rights,
      add: (before) => before.with(rights),
      remove: (before) => before.without(rights),
    };
    await changeRights(session, { mailbox, identifier }, change[how]);
    return undefined;
  },
});

export const deleteAcl = defineCommand<AclSubject>({
  names: ['DELETEACL'],
  states: loggedIn,
  capability: ['ACL'],
  sequences: 'free',
  decode: decodeAclSubject,
  async run({ session }, subject) {
    await changeRights(session, subject, () => RightSet.none);
    return undefined;
  },
});

async function changeRights(session: Session, { mailbox: name, identifier: given }: AclSubject, change: RightsChange): Promise<void> {
  const { shares } = session.services;
  const located = await mustLocate(session, name);
  mustHave(located, 'a');
  const { account, mailbox } = located;
  const identifier = mustBeKnown(await session.services.shares.find(prepared(given)));
  if (identifier === account.id) {
    if (change(RightSet.all) !== RightSet.all) throw new MailError('invalidArguments', 'The owner has all rights, always.');
    return;
  }
  await shares.setRights(account, mailbox.id, new Map([[identifier, change]]), session.account.id);
}

/** RFC 4314 §3. */
function prepared(identifier: string): string {
  if (identifier.startsWith('-')) throw new MailError('unsupported', 'Negative rights are not kept here.');
  const name = saslPrep(identifier);
  if (name === undefined || name === '') throw new ProtocolError('expected an identifier that SASLprep lets pass');
  return name;
}

function mustBeKnown(identifier: AclIdentifier | undefined): AclIdentifier {
  if (identifier === undefined) throw new MailError('notFound', 'There is no account of this address here.');
  return identifier;
}

export const getAcl = defineCommand({
  names: ['GETACL'],
  states: loggedIn,
  capability: ['ACL'],
  sequences: 'free',
  decode: decodeMailboxArgument,
  run: ({ session }, { mailbox: name }) =>
    withMailbox(session, name, (located) => {
      mustHave(located, 'a');
      writeAcl(session, name, located);
      return undefined;
    }),
});

/** acl-data = "ACL" SP mailbox *(SP identifier SP rights) */
function writeAcl(session: Session, name: string, { account, mailbox }: Located): void {
  const { output } = session;
  const { shares } = session.services;
  output.ascii('* ACL ');
  session.writeMailboxName(name);
  const listed = [{ name: shares.nameOf(account.id) ?? '', rights: RightSet.all }, ...shares.list(account, mailbox.id)];
  for (const { name: identifier, rights } of listed) {
    writeIdentifier(output, identifier);
    output.ascii(` ${rights.format()}`);
  }
  output.crlf();
}

/** An astring. */
function writeIdentifier(output: Output, identifier: string): void {
  output.ascii(' ');
  if (/^[\w.+@-]+$/.test(identifier)) output.ascii(identifier);
  else output.string(identifier);
}

export const listRights = defineCommand<AclSubject>({
  names: ['LISTRIGHTS'],
  states: loggedIn,
  capability: ['ACL'],
  sequences: 'free',
  decode: decodeAclSubject,
  run: ({ session }, { mailbox: name, identifier: given }) =>
    withMailbox(session, name, (located) => {
      mustHave(located, 'a');
      const isOwner = mustBeKnown(session.services.shares.identifier(prepared(given))) === located.account.id;
      const { output } = session;
      output.ascii('* LISTRIGHTS ');
      session.writeMailboxName(name);
      writeIdentifier(output, given);
      // RFC 4314 §3.7: what is always granted, then what may be, each by itself.
      output.ascii(isOwner ? ` ${RightSet.all.format()}` : ` "" ${optionalRights.join(' ')}`).crlf();
      return undefined;
    }),
});

export const myRights = defineCommand({
  names: ['MYRIGHTS'],
  states: loggedIn,
  capability: ['ACL'],
  sequences: 'free',
  decode: decodeMailboxArgument,
  run: ({ session }, { mailbox: name }) =>
    withMailbox(session, name, ({ account, mailbox }) => {
      writeMyRights(session, name, rightsOn(account, mailbox.id));
      return undefined;
    }),
});
