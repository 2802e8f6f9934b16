/** Verbs on an account's safe and blocked senders: what its owner has taught by moving messages into and out of Junk, and what was set here. */
import Type from 'typebox';
import { listSenders, removeSender, setSender } from '../../indexer/senders.ts';
import { MailError } from '../../protocol/mail/errors.ts';
import type { Account } from '../../storage/account/api.ts';
import { formatAddress, requireAddress } from '../../storage/directory/address.ts';
import type { AdminServices } from './services.ts';
import { defineVerb, formatTable, parameters, type Verb } from './verb.ts';

const Address = Type.String({ minLength: 3, maxLength: 320, description: "the account's address" });
const Sender = Type.String({ minLength: 3, maxLength: 320, description: "the sender's address" });
const path = '/accounts/:address/senders';

export const senderVerbs: readonly Verb[] = [
  defineVerb({
    name: 'sender list',
    summary: 'List the senders whose mail an account always has in INBOX, or always in Junk.',
    method: 'GET',
    path,
    parameters: parameters({ address: Address }),
    positional: ['address'],
    run: async (services, { address }) => {
      const account = await openAccount(services, address);
      const senders = account
        .read(listSenders)
        .map(({ address: sender, kind, by, at }) => ({ sender, kind, by, at: new Date(at).toISOString() }));
      return { senders };
    },
    print: ({ senders }) =>
      senders.length === 0
        ? ''
        : formatTable(
            ['SENDER', 'IS', 'SET BY', 'AT'],
            senders.map(({ sender, kind, by, at }) => [sender, kind, by, at]),
          ),
  }),
  defineVerb({
    name: 'sender add',
    summary: 'Call a sender safe (his mail goes to INBOX) or blocked (it goes to Junk) for one account.',
    method: 'POST',
    path,
    parameters: parameters({
      address: Address,
      sender: Sender,
      kind: Type.Union([Type.Literal('safe'), Type.Literal('blocked')], { description: 'safe or blocked' }),
    }),
    positional: ['address', 'sender', 'kind'],
    run: async (services, { address, sender, kind }) => {
      const account = await openAccount(services, address);
      const canonical = formatAddress(requireAddress(sender));
      await account.transact((tx) => setSender(tx, canonical, kind));
      return { address, sender: canonical, kind };
    },
    print: ({ address, sender, kind }) => `${sender} is ${kind} for ${address}.`,
  }),
  defineVerb({
    name: 'sender remove',
    summary: 'Forget what was taught or set about a sender.',
    method: 'DELETE',
    path: `${path}/:sender`,
    parameters: parameters({ address: Address, sender: Sender }),
    positional: ['address', 'sender'],
    run: async (services, { address, sender }) => {
      const account = await openAccount(services, address);
      const canonical = formatAddress(requireAddress(sender));
      if (!(await account.transact((tx) => removeSender(tx, canonical)))) {
        throw new MailError('notFound', `${canonical} is in no list of ${address}. \`satchel sender list\` shows them.`);
      }
      return { address, sender: canonical };
    },
    print: ({ address, sender }) => `${sender} is neither safe nor blocked for ${address} any more.`,
  }),
];

async function openAccount({ directory, mail }: AdminServices, address: string): Promise<Account> {
  await directory.refresh();
  const found = directory.accountByAddress(address);
  if (found === undefined) throw new MailError('notFound', `There is no account ${address}. \`satchel account list\` shows them.`);
  return mail.accounts.open(found.id);
}
