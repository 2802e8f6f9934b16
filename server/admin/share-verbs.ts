/** `satchel share`: with whom mailboxes are shared (RFC 4314). IMAP's SETACL and JMAP change the same lists. */
import Type from 'typebox';
import { formatMailboxPath, parseMailboxPath } from '../../protocol/imap/mailbox-name.ts';
import { type AclIdentifier, anyone, RightSet } from '../../protocol/mail/acl.ts';
import { MailError } from '../../protocol/mail/errors.ts';
import type { MailboxNumber } from '../../protocol/mail/ids.ts';
import type { Account } from '../../storage/account/api.ts';
import { openAccount } from './message-verbs.ts';
import type { AdminServices } from './services.ts';
import { defineVerb, formatTable, parameters, type Verb } from './verb.ts';

const Address = Type.String({ minLength: 3, maxLength: 320, description: 'the account whose mailbox it is' });
const Mailbox = Type.String({ minLength: 1, maxLength: 1000, description: 'the mailbox, its levels apart by /' });
const With = Type.String({ minLength: 3, maxLength: 320, description: 'the account that it is shared with, or anyone' });
const Rights = Type.String({
  minLength: 1,
  maxLength: 20,
  description: 'read (lrs), write (lrswite), all, or letters of RFC 4314: lrswipkxtea',
});

/** What most want, by a word. */
const words: ReadonlyMap<string, string> = new Map([
  ['read', 'lrs'],
  ['write', 'lrswite'],
  ['all', RightSet.all.letters],
]);

function parseRights(text: string): RightSet {
  const rights = RightSet.parse(words.get(text) ?? text);
  if (rights !== undefined && rights !== RightSet.none) return rights;
  throw new MailError('invalidArguments', `${JSON.stringify(text)} is none of read, write and all, nor letters of lrswipkxtea.`);
}

function mailboxNamed(account: Account, address: string, name: string): MailboxNumber {
  const mailbox = account.read((reader) => reader.mailboxByPath(parseMailboxPath(name)));
  if (mailbox === undefined) throw new MailError('mailboxNotFound', `${address} has no mailbox ${name}.`);
  return mailbox.id;
}

function identified({ shares }: AdminServices, name: string): AclIdentifier {
  const identifier = shares.identifier(name);
  if (identifier !== undefined) return identifier;
  throw new MailError('notFound', `There is no account ${name} to share with. For all accounts of the directory say \`${anyone}\`.`);
}

interface SharedMailbox {
  readonly mailbox: string;
  readonly with: string;
  readonly rights: string;
}

function sharedBy({ shares }: AdminServices, account: Account): SharedMailbox[] {
  const named = account.read((reader) => reader.mailboxes().map(({ id }) => ({ id, name: formatMailboxPath(reader.pathOf(id)) })));
  return named.flatMap(({ id, name }) =>
    shares.list(account, id).map(({ name: who, rights }) => ({ mailbox: name, with: who, rights: rights.letters })),
  );
}

async function sharedWith({ shares }: AdminServices, { id }: Account) {
  const all = await shares.openAll(id);
  return all.flatMap(({ owner, account }) =>
    account.read((reader) =>
      reader.mailboxes().map((mailbox) => ({
        owner: owner.address,
        mailbox: formatMailboxPath(reader.pathOf(mailbox.id)),
        rights: reader.rightsOn(mailbox.id).letters,
      })),
    ),
  );
}

export const shareVerbs: readonly Verb[] = [
  defineVerb({
    name: 'share list',
    summary: 'List what an account shares with others, and what others share with it.',
    method: 'GET',
    path: '/accounts/:address/shares',
    parameters: parameters({ address: Address }),
    positional: ['address'],
    run: async (services, { address }) => {
      const account = await openAccount(services, address);
      return { shares: sharedBy(services, account), sharedWith: await sharedWith(services, account) };
    },
    print: ({ shares, sharedWith: others }) => {
      const own = formatTable(
        ['MAILBOX', 'WITH', 'RIGHTS'],
        shares.map(({ mailbox, with: who, rights }) => [mailbox, who, rights]),
      );
      const theirs = formatTable(
        ['OF', 'MAILBOX', 'RIGHTS'],
        others.map(({ owner, mailbox, rights }) => [owner, mailbox, rights]),
      );
      return [...(shares.length === 0 ? [] : [own]), ...(others.length === 0 ? [] : [theirs])].join('\n\n');
    },
  }),
  defineVerb({
    name: 'share set',
    summary: 'Share a mailbox, or change the rights that it is shared with.',
    method: 'PUT',
    path: '/accounts/:address/shares',
    parameters: parameters({ address: Address, mailbox: Mailbox, with: With, rights: Rights }),
    positional: ['address', 'mailbox', 'with', 'rights'],
    run: async (services, { address, mailbox, with: who, rights }) => {
      const given = parseRights(rights);
      const account = await openAccount(services, address);
      const id = mailboxNamed(account, address, mailbox);
      await services.shares.setRights(account, id, new Map([[identified(services, who), () => given]]), null);
      return { mailbox, with: who, rights: given.letters };
    },
    print: ({ mailbox, with: who, rights }) => `${mailbox} is shared with ${who}, who has the rights ${rights}.`,
  }),
  defineVerb({
    name: 'share remove',
    summary: 'Share a mailbox no longer with an account.',
    method: 'DELETE',
    path: '/accounts/:address/shares',
    parameters: parameters({ address: Address, mailbox: Mailbox, with: With }),
    positional: ['address', 'mailbox', 'with'],
    run: async (services, { address, mailbox, with: who }) => {
      const account = await openAccount(services, address);
      const id = mailboxNamed(account, address, mailbox);
      const identifier = identified(services, who);
      if (!services.shares.list(account, id).some((entry) => entry.identifier === identifier))
        throw new MailError('notFound', `${mailbox} is not shared with ${who}. \`satchel share list ${address}\` shows what is.`);
      await services.shares.setRights(account, id, new Map([[identifier, () => RightSet.none]]), null);
      return { mailbox, removed: who };
    },
    print: ({ mailbox, removed }) => `${mailbox} is shared with ${removed} no longer.`,
  }),
];
