/** The IMAP server over an account in memory, reached through in-memory streams or through TCP. */
import { duplexPair } from 'node:stream';
import { parseMessage } from '../../../indexer/parse-message.ts';
import { MailError } from '../../../protocol/mail/errors.ts';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import type { QuotaLimits } from '../../../protocol/mail/quota.ts';
import type { Authenticator, Identity } from '../../../server/auth/authenticator.ts';
import { systemClock } from '../../../server/clock.ts';
import { openShares } from '../../../server/compose-shares.ts';
import { createImapServer, type ImapServer } from '../../../server/imap/server.ts';
import type { ImapServerOptions } from '../../../server/imap/services.ts';
import { silentLogger } from '../../../server/logger.ts';
import { Connection, type ConnectionFacts } from '../../../server/net/connection.ts';
import { Listener } from '../../../server/net/listener.ts';
import { systemRandom } from '../../../server/random.ts';
import type { Account } from '../../../storage/account/api.ts';
import { LogAccounts } from '../../../storage/account/log-accounts.ts';
import { MemoryBlobCache } from '../../../storage/blobs/blob-cache.ts';
import { Directory } from '../../../storage/directory/directory.ts';
import { MemoryKv } from '../../../storage/index/memory-kv.ts';
import { MemoryStore } from '../../../storage/objects/memory.ts';
import type { ObjectStore } from '../../../storage/objects/object-store.ts';
import { ImapTestClient } from './client.ts';

export const user = 'me@example.com';
/** Has an account of its own, `account2`, and the same password. */
export const otherUser = 'you@example.com';
export const password = 'correct horse';

const accountId = 'account1' as AccountId;

export interface ImapApp extends AsyncDisposable {
  readonly server: ImapServer;
  readonly account: Account;
  readonly accounts: LogAccounts;
  readonly directory: Directory;
  /** A client that has read the greeting. */
  connect(facts?: Partial<ConnectionFacts>): Promise<ImapTestClient>;
  /** A TCP listener on a port of the system's choice. */
  listen(): Promise<Listener>;
}

export async function startImapApp(
  options: Partial<ImapServerOptions> & { store?: ObjectStore; quotaLimits?: QuotaLimits } = {},
): Promise<ImapApp> {
  const store = options.store ?? new MemoryStore({ clock: systemClock });
  const accounts = new LogAccounts({
    store,
    clock: systemClock,
    random: systemRandom,
    node: 'test',
    kv: () => new MemoryKv(),
    cache: new MemoryBlobCache(),
    ...(options.quotaLimits === undefined ? {} : { quotaLimits: () => options.quotaLimits! }),
  });
  const directory = await openDirectory(accounts);
  const account = await accounts.open(accountId);
  const server = createImapServer({
    accounts,
    authenticator: onePassword,
    shares: openShares({ accounts, directory, defaultDomain: 'example.com', random: systemRandom, logger: silentLogger }),
    readMessage: parseMessage,
    logger: silentLogger,
    clock: systemClock,
    hostname: 'mail.example.com',
    version: '1.2.3',
    messageBytesMax: 1024 * 1024,
    ...options,
  });
  const listeners: Listener[] = [];
  return {
    server,
    account,
    accounts,
    directory,
    async connect(facts = {}) {
      const [near, far] = duplexPair();
      void server.handle(new Connection(far, { remote: '127.0.0.1', ...facts }));
      const client = new ImapTestClient(near);
      client.greeting = await client.line();
      return client;
    },
    async listen() {
      const listener = await Listener.open({ name: 'imap', host: '127.0.0.1', port: 0, handler: server, logger: silentLogger });
      listeners.push(listener);
      return listener;
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      directory[Symbol.dispose]();
      await Promise.all(listeners.map((listener) => listener.close(1000)));
      await accounts[Symbol.asyncDispose]();
    },
  };
}

/** With the two accounts, under ids that tests name. */
async function openDirectory(accounts: LogAccounts): Promise<Directory> {
  let drawn = 0;
  const hex = (bytes: number) => (bytes === 10 ? `ccount${(drawn += 1)}` : systemRandom.hex(bytes));
  const random = { ...systemRandom, hex };
  const directory = await Directory.open({ accounts, clock: systemClock, random, catchUp: accounts.catchUp });
  await directory.addDomain('example.com');
  await directory.addAccount(user, { name: 'Me' });
  await directory.addAccount(otherUser, { name: 'You' });
  return directory;
}

const identities: Readonly<Record<string, Identity>> = {
  [user]: { accountId, address: user, name: 'Me', by: 'password' },
  [otherUser]: { accountId: 'account2' as AccountId, address: otherUser, name: 'You', by: 'password' },
};

/** Knows two logins, and the token of the first. */
const onePassword: Authenticator = {
  async verify(login, given) {
    const identity = identities[login];
    if (identity !== undefined && given === password) return identity;
    throw new MailError('authenticationFailed', 'The login name or the password is wrong.');
  },
  beginScram: () => Promise.reject(new MailError('unsupported', 'Not in this test.')),
  authorize(who, authorizationId) {
    if (authorizationId === '' || authorizationId === who.address) return who;
    throw new MailError('forbidden', 'Nobody acts for another.');
  },
  bearer: {
    configurationUrl: 'https://id.example.com/.well-known/openid-configuration',
    async verify(token) {
      if (token === 'token-of-me') return identities[user]!;
      throw new MailError('authenticationFailed', 'The token has expired.');
    },
  },
};
