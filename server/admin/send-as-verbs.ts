/** Verbs on who may send as somebody else: `send-as`. */
import Type from 'typebox';
import { MailError } from '../../protocol/mail/errors.ts';
import { defineVerb, formatTable, parameters, type Verb } from './verb.ts';

const Account = Type.String({ minLength: 3, maxLength: 320, description: "the account's address" });
const As = Type.String({ minLength: 3, maxLength: 320, description: 'the address of another account, an alias or a group' });

export const sendAsVerbs: readonly Verb[] = [
  defineVerb({
    name: 'send-as add',
    summary: 'Let an account send mail from an address that is not its own.',
    method: 'POST',
    path: '/send-as',
    parameters: parameters({ account: Account, as: As }),
    positional: ['account', 'as'],
    run: async ({ directory }, { account, as }) => ({ account, as: await directory.grantSendAs(account, as) }),
    print: ({ account, as }) => `${account} may send as ${as}.`,
  }),
  defineVerb({
    name: 'send-as list',
    summary: 'List who may send as somebody else; with an address, what it may. Members of a group may send as the group.',
    method: 'GET',
    path: '/send-as',
    parameters: parameters({ account: Type.Optional(Account) }),
    positional: ['account'],
    run: async ({ directory }, { account }) => {
      await directory.refresh();
      const wanted = account === undefined ? undefined : directory.accountByAddress(account)?.address;
      if (account !== undefined && wanted === undefined) throw new MailError('notFound', `There is no account ${account}.`);
      return { grants: directory.listSendAs().filter((grant) => wanted === undefined || grant.account === wanted) };
    },
    print: ({ grants }) =>
      grants.length === 0
        ? ''
        : formatTable(
            ['ACCOUNT', 'SENDS AS'],
            grants.map(({ account, as }) => [account, as]),
          ),
  }),
  defineVerb({
    name: 'send-as remove',
    summary: 'Let an account send from an address no more.',
    method: 'DELETE',
    path: '/send-as/:account/:as',
    parameters: parameters({ account: Account, as: As }),
    positional: ['account', 'as'],
    run: async ({ directory }, { account, as }) => {
      await directory.revokeSendAs(account, as);
      return { account, as };
    },
    print: ({ account, as }) => `${account} no longer sends as ${as}.`,
  }),
];
