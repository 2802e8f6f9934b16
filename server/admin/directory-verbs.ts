/** Verbs on domains, accounts, aliases and groups. */
import Type from 'typebox';
import { parsePatterns } from '../../indexer/rules/rule-text.ts';
import { MailError } from '../../protocol/mail/errors.ts';
import type { Directory } from '../../storage/directory/directory.ts';
import type { GroupSenders } from '../../storage/directory/records.ts';
import { makePasswordKeys, randomPassword } from '../auth/password.ts';
import { type DnsRecord, dnsRecords } from './client-setup.ts';
import type { AdminServices } from './services.ts';
import { defineVerb, formatTable, parameters } from './verb.ts';

const Domain = Type.String({ minLength: 1, maxLength: 255, description: 'a mail domain, such as example.com' });
const Address = Type.String({ minLength: 3, maxLength: 320, description: 'an address, such as ada@example.com' });
const Password = Type.Optional(
  Type.String({ isSecret: true, description: 'the password; without it a random one is made and printed once' }),
);

const Limit = (what: string) =>
  Type.Optional(
    Type.String({
      pattern: '^(?:\\d{1,15}[KMGT]?|none|default)$',
      description: `${what} that it may hold: a number (K, M, G, T are powers of 1,024), none for no limit, or default for that of the configuration`,
    }),
  );

const unitExponents = ['', 'K', 'M', 'G', 'T'];

function parseLimit(limit: string): number | null | 'default' {
  if (limit === 'none') return null;
  if (limit === 'default') return limit;
  const unit = limit.replace(/^\d+/, '');
  const value = Number.parseInt(limit, 10) * 1024 ** unitExponents.indexOf(unit);
  if (!Number.isSafeInteger(value)) throw new MailError('invalidArguments', `${limit} is too large for a limit.`);
  return value;
}

export const directoryVerbs = [
  defineVerb({
    name: 'domain add',
    summary: 'Take mail for a domain.',
    method: 'POST',
    path: '/domains',
    parameters: parameters({ name: Domain }),
    positional: ['name'],
    run: async ({ directory, setup }, { name }) => {
      const added = await directory.addDomain(name);
      return { name: added, records: dnsRecords(added, setup()) };
    },
    print: ({ name, records }) =>
      [`Added the domain ${name}.`, ...(records.length === 0 ? [] : ['', recordsIntroduction, '', ...records.map(formatRecord)])].join(
        '\n',
      ),
  }),
  defineVerb({
    name: 'domain list',
    summary: 'List the domains.',
    method: 'GET',
    path: '/domains',
    parameters: parameters({}),
    positional: [],
    run: async ({ directory }) => {
      await directory.refresh();
      return { domains: directory.listDomains().map(({ createdAt, ...domain }) => ({ ...domain, createdAt: iso(createdAt) })) };
    },
    print: ({ domains }) => domains.map(({ name, displayName }) => (displayName === name ? name : `${name} (${displayName})`)).join('\n'),
  }),
  defineVerb({
    name: 'domain remove',
    summary: 'Take no more mail for a domain. Its accounts must be removed first.',
    method: 'DELETE',
    path: '/domains/:name',
    parameters: parameters({ name: Domain }),
    positional: ['name'],
    run: async ({ directory }, { name }) => {
      await directory.removeDomain(name);
      return { name };
    },
    print: ({ name }) => `Removed the domain ${name}.`,
  }),
  defineVerb({
    name: 'account add',
    summary: 'Add an account. Without a password a random one is printed once.',
    method: 'POST',
    path: '/accounts',
    parameters: parameters({
      address: Address,
      name: Type.Optional(Type.String({ maxLength: 200, description: 'the name that people see' })),
      password: Password,
    }),
    positional: ['address'],
    run: async (services, { address, name, password }) => addAccount(services, address, { name, password }),
    print: ({ address, password }) => [`Added the account ${address}.`, ...passwordLines(password)].join('\n'),
  }),
  defineVerb({
    name: 'account list',
    summary: 'List the accounts.',
    method: 'GET',
    path: '/accounts',
    parameters: parameters({}),
    positional: [],
    run: async ({ directory }) => {
      await directory.refresh();
      const accounts = directory.listAccounts().map(({ id, address, name, createdAt }) => {
        const aliases = directory.addressesOf(id).slice(1);
        return { id, address, name, aliases, createdAt: iso(createdAt) };
      });
      return { accounts };
    },
    print: ({ accounts }) =>
      accounts.length === 0
        ? ''
        : formatTable(
            ['ADDRESS', 'NAME', 'ALIASES', 'ID'],
            accounts.map(({ address, name, aliases, id }) => [address, name, aliases.join(' '), id]),
          ),
  }),
  defineVerb({
    name: 'account remove',
    summary: 'Remove an account. Its mail stays in the bucket, out of reach.',
    method: 'DELETE',
    path: '/accounts/:address',
    parameters: parameters({ address: Address }),
    positional: ['address'],
    run: async ({ directory }, { address }) => ({ address, id: await directory.removeAccount(address) }),
    print: ({ address, id }) => `Removed the account ${address}. Its objects stay in the bucket under the id ${id}.`,
  }),
  defineVerb({
    name: 'account password',
    summary: "Change an account's password. Without one a random one is printed once.",
    method: 'PUT',
    path: '/accounts/:address/password',
    parameters: parameters({ address: Address, password: Password }),
    positional: ['address'],
    run: async ({ directory }, { address, password }) => {
      const made = password ?? randomPassword();
      await directory.setPassword(address, await makePasswordKeys(made));
      return { address, ...(password === undefined ? { password: made } : {}) };
    },
    print: ({ address, password }) => [`Changed the password of ${address}.`, ...passwordLines(password)].join('\n'),
  }),
  defineVerb({
    name: 'account quota',
    summary: 'Show what an account holds and may hold; with --octets or --messages, change what it may hold.',
    method: 'PUT',
    path: '/accounts/:address/quota',
    parameters: parameters({ address: Address, octets: Limit('octets of its messages'), messages: Limit('messages') }),
    positional: ['address'],
    run: async ({ directory, mail }, { address, octets, messages }) => {
      const change = {
        ...(octets === undefined ? {} : { octets: parseLimit(octets) }),
        ...(messages === undefined ? {} : { messages: parseLimit(messages) }),
      };
      if (Object.keys(change).length > 0) await directory.setQuota(address, change);
      else await directory.refresh();
      const account = directory.accountByAddress(address);
      if (account === undefined) throw new MailError('notFound', `There is no account ${address}.`);
      const { limits, usage } = (await mail.accounts.open(account.id)).read((reader) => reader.quota());
      return { address: account.address, limits, usage };
    },
    print: ({ address, limits, usage }) =>
      [
        `${address} holds ${usage.octets} octets of ${limits.octets ?? 'any number'},`,
        `and ${usage.messages} messages of ${limits.messages ?? 'any number'}.`,
      ].join(' '),
  }),
  defineVerb({
    name: 'alias add',
    summary: 'Let an address lead to an account or group; *@example.com takes what no other address takes.',
    method: 'POST',
    path: '/aliases',
    parameters: parameters({ alias: Address, address: Address }),
    positional: ['alias', 'address'],
    run: async ({ directory }, { alias, address }) => ({ alias: await directory.addAlias(alias, address), address }),
    print: ({ alias, address }) => `${alias} now leads to ${address}.`,
  }),
  defineVerb({
    name: 'alias list',
    summary: 'List the aliases.',
    method: 'GET',
    path: '/aliases',
    parameters: parameters({}),
    positional: [],
    run: async ({ directory }) => {
      await directory.refresh();
      return { aliases: directory.listAliases().map(({ alias, target }) => ({ alias, address: target })) };
    },
    print: ({ aliases }) => aliases.map(({ alias, address }) => `${alias} ${address}`).join('\n'),
  }),
  defineVerb({
    name: 'alias remove',
    summary: 'Remove an alias; with an address, only if that is where it leads.',
    method: 'DELETE',
    path: '/aliases/:alias',
    parameters: parameters({ alias: Address, address: Type.Optional(Address) }),
    positional: ['alias', 'address'],
    run: async ({ directory }, { alias, address }) => {
      await directory.removeAlias(alias, address);
      return { alias };
    },
    print: ({ alias }) => `Removed the alias ${alias}.`,
  }),
  defineVerb({
    name: 'group add',
    summary: 'Make a distribution group, or add members to one; with --senders, say who may write to it.',
    method: 'POST',
    path: '/groups',
    parameters: parameters({
      address: Address,
      members: Type.Optional(Type.Array(Address, { description: 'addresses of its members; those of other domains get mail sent on' })),
      senders: Type.Optional(
        Type.String({
          minLength: 1,
          description: 'who may write to it: anyone, members, domain, or a list such as ada@example.com,example.org',
        }),
      ),
    }),
    positional: ['address', 'members'],
    run: async ({ directory }, { address, members = [], senders }) => {
      const before = directory.listGroups().length;
      const added = await directory.addGroup(address, members, senders === undefined ? undefined : parseSenders(senders, directory));
      const groups = directory.listGroups();
      const isEmpty = groups.some((group) => group.address === added && group.members.length === 0);
      return { address: added, members, isEmpty, isNew: groups.length > before };
    },
    print: ({ address, members, isEmpty, isNew }) =>
      members.length === 0
        ? `${isNew ? 'Made' : 'Changed'} the group ${address}.${isEmpty ? ' It has no members: mail to it is refused until it has.' : ''}`
        : `Added ${members.length === 1 ? 'a member' : `${members.length} members`} to the group ${address}.`,
  }),
  defineVerb({
    name: 'group list',
    summary: 'List the groups and their members.',
    method: 'GET',
    path: '/groups',
    parameters: parameters({}),
    positional: [],
    run: async ({ directory }) => {
      await directory.refresh();
      return { groups: directory.listGroups() };
    },
    print: ({ groups }) =>
      groups
        .map(
          ({ address, members, senders }) =>
            `${address}: ${members.join(' ')}${senders === undefined ? '' : ` (senders: ${String(senders)})`}`,
        )
        .join('\n'),
  }),
  defineVerb({
    name: 'group remove',
    summary: 'Take members out of a group; without members, remove the group.',
    method: 'DELETE',
    path: '/groups/:address',
    parameters: parameters({ address: Address, members: Type.Optional(Type.Array(Address, { description: 'addresses of members' })) }),
    positional: ['address', 'members'],
    run: async ({ directory }, { address, members = [] }) => {
      await directory.removeGroup(address, members);
      return { address, members };
    },
    print: ({ address, members }) =>
      members.length === 0 ? `Removed the group ${address}.` : `Took ${members.join(', ')} out of the group ${address}.`,
  }),
];

function parseSenders(senders: string, directory: Pick<Directory, 'listDomains'>): GroupSenders | 'anyone' {
  if (senders === 'anyone' || senders === 'members' || senders === 'domain') return senders;
  const patterns = parsePatterns(senders);
  // `member` is a slip, and no domain.
  const word = patterns.find((pattern) => /^[^.@*]+$/.test(pattern) && !directory.listDomains().some(({ name }) => name === pattern));
  if (word === undefined) return patterns;
  throw new MailError('invalidArguments', `"${word}" is neither anyone, members or domain, nor an address, nor a domain.`);
}

export interface AddedAccount {
  readonly address: string;
  readonly id: string;
  /** Only when we made it. */
  readonly password?: string;
}

export async function addAccount(
  { directory }: Pick<AdminServices, 'directory'>,
  address: string,
  { name, password }: { readonly name?: string; readonly password?: string } = {},
): Promise<AddedAccount> {
  const made = password ?? randomPassword();
  // Before the account is there, so that a password that is refused leaves nothing behind.
  const keys = await makePasswordKeys(made);
  const id = await directory.addAccount(address, { name });
  const account = directory.accountById(id);
  if (account === undefined) throw new MailError('notFound', `The account ${address} was removed while it was being added.`);
  await directory.setPassword(account.address, keys);
  return { address: account.address, id, ...(password === undefined ? { password: made } : {}) };
}

const recordsIntroduction = 'Records for its DNS, so that mail programs find this server:';
const formatRecord = ({ name, type, value }: DnsRecord) => `${name} IN ${type} ${value}`;

const passwordLines = (password: string | undefined) => (password === undefined ? [] : [`Password (shown this once): ${password}`]);
const iso = (ms: number) => new Date(ms).toISOString();
