/** Verbs on app passwords: one for each device or program, for some services or all, taken back one by one. */
import Type from 'typebox';
import { MailError } from '../../protocol/mail/errors.ts';
import { type Service, services } from '../auth/authenticator.ts';
import { hashAppPassword, randomPassword } from '../auth/password.ts';
import type { AdminServices } from './services.ts';
import { defineVerb, formatTable, parameters } from './verb.ts';

const Address = Type.String({ minLength: 3, maxLength: 320, description: "the account's address" });

export const appPasswordVerbs = [
  defineVerb({
    name: 'app-password add',
    summary: 'Make a password for one device or program. It is printed once.',
    method: 'POST',
    path: '/accounts/:address/app-passwords',
    parameters: parameters({
      address: Address,
      name: Type.Optional(Type.String({ maxLength: 200, description: 'what it is for, such as "phone"' })),
      scope: Type.Optional(
        Type.String({ maxLength: 200, description: `what it opens: some of ${services.join(', ')}, with commas between; default: all` }),
      ),
    }),
    positional: ['address'],
    run: async ({ directory }, { address, name = '', scope }) => {
      const scopes = parseScope(scope);
      const password = randomPassword();
      const id = await directory.addAppPassword(address, { name, sha256: hashAppPassword(password), scopes });
      return { address, id, name, scopes, password };
    },
    print: ({ address, id, scopes, password }) =>
      [
        `Added the app password ${id} of ${address}, for ${whatFor(scopes)}.`,
        `Password (shown this once): ${password}`,
        'It is for "normal password" (PLAIN or LOGIN over TLS). A program that chooses SCRAM by itself must be told so, mbsync by `AuthMechs PLAIN`.',
      ].join('\n'),
  }),
  defineVerb({
    name: 'app-password list',
    summary: "List an account's app passwords, without the passwords.",
    method: 'GET',
    path: '/accounts/:address/app-passwords',
    parameters: parameters({ address: Address }),
    positional: ['address'],
    run: async (admin, { address }) => {
      const { appPasswords } = await credentialOf(admin, address);
      return {
        appPasswords: appPasswords.map(({ id, name, scopes, createdAt }) => ({
          id,
          name,
          scopes,
          createdAt: new Date(createdAt).toISOString(),
        })),
      };
    },
    print: ({ appPasswords }) =>
      appPasswords.length === 0
        ? ''
        : formatTable(
            ['ID', 'NAME', 'FOR', 'SINCE'],
            appPasswords.map(({ id, name, scopes, createdAt }) => [id, name, whatFor(scopes), createdAt]),
          ),
  }),
  defineVerb({
    name: 'app-password remove',
    summary: 'Take an app password back.',
    method: 'DELETE',
    path: '/accounts/:address/app-passwords/:id',
    parameters: parameters({ address: Address, id: Type.String({ minLength: 1, maxLength: 64, description: 'its id, as listed' }) }),
    positional: ['address', 'id'],
    run: async ({ directory }, { address, id }) => {
      await directory.removeAppPassword(address, id);
      return { address, id };
    },
    print: ({ address, id }) => `Removed the app password ${id} of ${address}.`,
  }),
];

function parseScope(scope: string | undefined): readonly Service[] {
  if (scope === undefined) return [];
  const names = scope.split(',').map((name) => name.trim());
  const strange = names.find((name) => !isService(name));
  if (strange !== undefined) {
    throw new MailError('invalidArguments', `There is no service ${JSON.stringify(strange)}: name some of ${services.join(', ')}.`);
  }
  return services.filter((service) => names.includes(service));
}

const isService = (name: string): name is Service => (services as readonly string[]).includes(name);

async function credentialOf({ directory }: Pick<AdminServices, 'directory'>, address: string) {
  await directory.refresh();
  const account = directory.accountByAddress(address);
  if (account === undefined) throw new MailError('notFound', `There is no account ${address}.`);
  return directory.credential(account.id) ?? { appPasswords: [] };
}

const whatFor = (scopes: readonly string[]) => (scopes.length === 0 ? 'everything' : scopes.join(', '));
