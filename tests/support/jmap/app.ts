/** The JMAP routes over accounts in memory, reached through inject(), or listening where a client wants a socket. */
import { readFileSync } from 'node:fs';
import Fastify, { type FastifyInstance } from 'fastify';
import { parseMessage } from '../../../indexer/parse-message.ts';
import { MailError } from '../../../protocol/mail/errors.ts';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import type { Authenticator, Identity } from '../../../server/auth/authenticator.ts';
import { systemClock } from '../../../server/clock.ts';
import { openShares } from '../../../server/compose-shares.ts';
import { Pusher } from '../../../server/jmap/push/pusher.ts';
import { createPushSender, freshVapidKey } from '../../../server/jmap/push/sender.ts';
import { ownAndShared, type ReachableAccount } from '../../../server/jmap/reachable.ts';
import { addJmapRoutes } from '../../../server/jmap/routes.ts';
import { silentLogger } from '../../../server/logger.ts';
import { systemRandom } from '../../../server/random.ts';
import type { Account } from '../../../storage/account/api.ts';
import type { LogAccount } from '../../../storage/account/log-account.ts';
import { LogAccounts } from '../../../storage/account/log-accounts.ts';
import { MemoryBlobCache } from '../../../storage/blobs/blob-cache.ts';
import { Directory } from '../../../storage/directory/directory.ts';
import { addAccount, addAlias, addDomain, addGroup } from '../../../storage/directory/mutations.ts';
import { provisionAccount } from '../../../storage/directory/provision.ts';
import { MemoryKv } from '../../../storage/index/memory-kv.ts';
import { MemoryStore } from '../../../storage/objects/memory.ts';
import { directoryAccountId } from '../../../storage/objects/object-keys.ts';
import type { Shares } from '../../../storage/sharing/shares.ts';

export const password = 'correct horse';
/** Two people, so that what leaks from one to the other is seen. */
export const users = { 'me@example.com': 'account1', 'other@example.com': 'account2' } as const;
/** An account that `me@example.com` reaches beside its own. */
export const team = 'account3';
/** One that it may only look into. */
export const archive = 'account4';
/** What each account may hold. */
const quotaOctets = 100_000_000;
const addresses = {
  account1: 'me@example.com',
  account2: 'other@example.com',
  account3: 'team@example.com',
  account4: 'archive@example.com',
} as const;
export type User = keyof typeof users;

export interface JmapApp extends AsyncDisposable {
  /** Accounts that were announced to have mail on its way out. */
  readonly announced: readonly string[];
  readonly server: FastifyInstance;
  readonly account: Account;
  readonly other: Account;
  readonly team: Account;
  readonly directory: Directory;
  readonly shares: Shares;
  readonly pusher: Pusher;
  authorization(user?: User): string;
  /** The response to method calls. */
  call(methodCalls: readonly unknown[], more?: { user?: User; using?: readonly string[]; createdIds?: object }): Promise<JmapAnswer>;
}

export interface JmapAnswer {
  readonly methodResponses: readonly [string, Record<string, unknown>, string][];
  readonly createdIds?: Record<string, string>;
  readonly sessionState: string;
}

export const core = 'urn:ietf:params:jmap:core';
export const mail = 'urn:ietf:params:jmap:mail';

interface JmapAppOptions {
  readonly publicUrl?: string;
  /** Instead of the one whose passwords are all the same. */
  readonly authenticator?: (directory: Directory) => Authenticator;
  /** Messages that each account may hold. */
  readonly messagesMax?: number | null;
}

export async function startJmapApp({ publicUrl, authenticator, messagesMax = null }: JmapAppOptions = {}): Promise<JmapApp> {
  const store = new MemoryStore({ clock: systemClock });
  const accounts = new LogAccounts({
    store,
    clock: systemClock,
    random: systemRandom,
    node: 'test',
    kv: () => new MemoryKv(),
    cache: new MemoryBlobCache(),
    quotaLimits: () => ({ octets: quotaOctets, messages: messagesMax }),
  });
  const [account, other, shared] = await Promise.all(
    [...Object.values(users), team, archive].map(async (id) => {
      const opened = await accounts.open(id as AccountId);
      await provisionAccount(opened);
      return opened;
    }),
  );
  const directory = await openDirectory(accounts);
  const announced: string[] = [];
  const shares = openShares({ accounts, directory, defaultDomain: 'example.com', random: systemRandom, logger: silentLogger });
  const sender = createPushSender({ key: freshVapidKey(), contact: 'mailto:postmaster@example.com', allowsPrivate: true });
  const pusher = new Pusher({ sender, directory, clock: systemClock, logger: silentLogger, open: (id) => accounts.open(id) });
  const server = Fastify({ forceCloseConnections: 'idle' });
  await addJmapRoutes(server, {
    accounts,
    reachableAccounts: async (identity) => {
      const whole = (id: string, name: string, isReadOnly: boolean): ReachableAccount => ({
        ...{ id: id as AccountId, name, isPersonal: false, isReadOnly, isShared: false, isInSession: true },
        open: () => accounts.open(id as AccountId),
      });
      const more = identity.accountId === users['me@example.com'] ? [whole(team, 'Team', false), whole(archive, 'Archive', true)] : [];
      return [...(await ownAndShared({ accounts, shares }, identity)), ...more];
    },
    shares,
    directory,
    pusher,
    authenticator: authenticator?.(directory) ?? onePassword,
    readMessage: parseMessage,
    corsOrigins: ['https://web.example.com'],
    publicUrl,
    tokenIssuers: ['https://id.example.com/'],
    trustAnchors: () => [readFileSync(new URL('../../fixtures/smime/ca.pem', import.meta.url), 'utf8')],
    logger: silentLogger,
    clock: systemClock,
    random: systemRandom,
    hostname: 'mail.example.com',
    sendingLimits: { messagesPerDayMax: 1000, recipientsPerDayMax: 10_000 },
    announce: async (id) => {
      announced.push(id);
    },
    messageBytesMax: 2 * 1024 * 1024,
  });
  await server.ready();
  const authorization = (user: User = 'me@example.com') => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  return {
    server,
    account: account!,
    other: other!,
    team: shared!,
    directory,
    shares,
    pusher,
    announced,
    authorization,
    async call(methodCalls, { user = 'me@example.com', using = [core, mail], createdIds } = {}) {
      const response = await server.inject({
        method: 'POST',
        url: '/jmap/api',
        headers: { authorization: authorization(user), 'content-type': 'application/json' },
        payload: JSON.stringify({ using, methodCalls, ...(createdIds === undefined ? {} : { createdIds }) }),
      });
      if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${response.body}`);
      return response.json();
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await pusher[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
      await accounts[Symbol.asyncDispose]();
    },
  };
}

/** Of all accounts, an alias, a domain's catch-all, a group, and somebody in a domain where nobody else is. */
async function openDirectory(accounts: LogAccounts): Promise<Directory> {
  const log = await accounts.open(directoryAccountId as AccountId);
  await log.transact((tx) => {
    for (const domain of ['example.com', 'any.example', 'elsewhere.example']) addDomain(tx, domain, '00');
    for (const [id, address] of Object.entries(addresses)) addAccount(tx, id as AccountId, address, 'Me');
    addAccount(tx, 'account5' as AccountId, 'stranger@elsewhere.example', 'Stranger');
    addAlias(tx, 'alias@example.com', 'me@example.com');
    addAlias(tx, '*@any.example', 'me@example.com');
    addGroup(tx, 'all@example.com', ['me@example.com', 'other@example.com']);
  });
  return Directory.open({ accounts, clock: systemClock, random: systemRandom, catchUp: (account) => (account as LogAccount).refresh() });
}

/** Everybody's password is the same. */
const onePassword: Authenticator = {
  async verify(login, given): Promise<Identity> {
    const accountId = users[login as User] as AccountId | undefined;
    if (accountId !== undefined && given === password) return { accountId, address: login, name: 'Me', by: 'password' };
    throw new MailError('authenticationFailed', 'The login name or the password is wrong.');
  },
  beginScram: () => Promise.reject(new MailError('unsupported', 'Not in this test.')),
  authorize: (identity) => identity,
};
