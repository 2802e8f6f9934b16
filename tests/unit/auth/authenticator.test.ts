import { beforeEach, describe, expect, test } from 'vitest';
import { StorageError } from '../../../protocol/mail/errors.ts';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import { PasswordAuthenticator } from '../../../server/auth/authenticator.ts';
import { hashAppPassword, makePasswordKeys, randomPassword } from '../../../server/auth/password.ts';
import { SaslExchange, type SaslReply, saslMechanismNames } from '../../../server/auth/sasl/exchange.ts';
import type { Logger } from '../../../server/logger.ts';
import { openTestDirectory, type TestDirectory } from '../../support/directory.ts';
import type { FakeLogs } from '../../support/fake-account.ts';
import { clientFinalMessage } from '../../support/scram-client.ts';

const client = { remote: '192.0.2.7', service: 'imap' } as const;
// Made once: a hash costs some 25 ms, and the tests want many.
const annKeys = makePasswordKeys('correct horse');
const newKeys = makePasswordKeys('battery staple');

interface LogLine {
  readonly message: string;
  readonly fields: unknown;
}

function collectingLogger(lines: LogLine[]): Logger {
  const add = (message: string, fields?: unknown) => void lines.push({ message, fields });
  const logger: Logger = { debug: add, info: add, warn: add, error: add, child: () => logger };
  return logger;
}

describe('PasswordAuthenticator', () => {
  let logs: FakeLogs;
  let node: TestDirectory;
  let auth: PasswordAuthenticator;
  let ann: AccountId;
  let lines: LogLine[];

  beforeEach(async () => {
    logs = new Map();
    lines = [];
    node = await openTestDirectory(logs);
    await node.directory.addDomain('example.com');
    ann = await node.directory.addAccount('ann@example.com', { name: 'Ann' });
    await node.directory.addAccount('bob@example.com');
    await node.directory.addAlias('info@example.com', 'ann@example.com');
    await node.directory.addAlias('*@example.com', 'ann@example.com');
    await node.directory.setPassword('ann@example.com', await annKeys);
    auth = new PasswordAuthenticator({
      directory: node.directory,
      clock: node.clock,
      logger: collectingLogger(lines),
      defaultDomain: 'example.com',
    });
  });

  test.each(['ann@example.com', 'ANN@Example.com', 'ann', ' ann@example.com ', 'info@example.com', 'info'])(
    'knows Ann as "%s"',
    async (login) => {
      const identity = await auth.verify(login, 'correct horse', client);
      expect(identity).toMatchObject({ accountId: ann, address: 'ann@example.com', name: 'Ann', by: 'password' });
    },
  );

  test.each([
    ['a wrong password', 'ann', 'correct Horse'],
    ['an empty password', 'ann', ''],
    ['a password with a NUL', 'ann', 'correct horse\0'],
    ['a password of 2000 bytes', 'ann', 'x'.repeat(2_000)],
    ['an unknown login', 'nobody@elsewhere.example', 'correct horse'],
    ['a plus-address', 'ann+x', 'correct horse'],
    ['a name that only the catch-all takes', 'whoever', 'correct horse'],
    ['an account without a password', 'bob', 'correct horse'],
  ])('refuses %s with the same words', async (_claim, login, password) => {
    await expect(auth.verify(login, password, client)).rejects.toMatchObject({
      code: 'authenticationFailed',
      message: 'The login name or the password is wrong.',
    });
  });

  test('prepares passwords, so that they may be typed in another normal form', async () => {
    await node.directory.setPassword('bob@example.com', await makePasswordKeys('caf\u00e9 noir'));
    await expect(auth.verify('bob', 'cafe\u0301\u00a0noir', client)).resolves.toBeDefined();
  });

  test('logs a failure with login, address and service, and never the password', async () => {
    await expect(auth.verify('ann', 'guess-me-not', client)).rejects.toThrow();
    expect(lines).toEqual([{ message: 'login failed', fields: { login: 'ann@example.com', ...client, delayMs: 0 } }]);
    expect(JSON.stringify(lines)).not.toContain('guess-me-not');
  });

  test('takes as long for an unknown login as for a known one', async () => {
    const took = async (login: string, password: string) => {
      const start = performance.now();
      await auth.verify(login, password, { ...client, remote: '127.0.0.1' }).catch(() => undefined);
      return performance.now() - start;
    };
    // The first unknown login also makes the dummy hash.
    await took('nobody', 'warm up');
    const known: number[] = [];
    const unknown: number[] = [];
    for (let index = 0; index < 9; index++) {
      known.push(await took('ann', `guess ${index}`));
      unknown.push(await took(`nobody${index}`, `guess ${index}`));
    }
    const median = (values: number[]) => values.sort((a, b) => a - b)[4]!;
    // Without the dummy hash an unknown login is answered about a hundred times faster.
    expect(median(unknown)).toBeGreaterThan(median(known) / 3);
  });

  describe('a verified password', () => {
    const timed = async () => {
      const start = performance.now();
      for (let index = 0; index < 20; index++) await auth.verify('ann', 'correct horse', client);
      return (performance.now() - start) / 20;
    };

    test('is remembered: twenty more logins cost less than one hash each', async () => {
      const start = performance.now();
      await auth.verify('ann', 'correct horse', client);
      const first = performance.now() - start;
      expect(await timed()).toBeLessThan(first / 4);
    });

    test('asks the store at each login all the same', async () => {
      await auth.verify('ann', 'correct horse', client);
      const before = node.accounts.catchUps;
      await auth.verify('ann', 'correct horse', client);
      expect(node.accounts.catchUps - before).toBe(1);
    });

    test('is forgotten when it is changed on another node, at once', async () => {
      await auth.verify('ann', 'correct horse', client);
      const other = await openTestDirectory(logs);
      await other.directory.setPassword('ann@example.com', await newKeys);
      await expect(auth.verify('ann', 'correct horse', client)).rejects.toMatchObject({ code: 'authenticationFailed' });
      await expect(auth.verify('ann', 'battery staple', client)).resolves.toMatchObject({ accountId: ann });
    });

    test('is forgotten when the account is removed', async () => {
      await auth.verify('ann', 'correct horse', client);
      await node.directory.removeAccount('ann@example.com');
      await expect(auth.verify('ann', 'correct horse', client)).rejects.toMatchObject({ code: 'authenticationFailed' });
    });

    test('is no password for another account that is given the address', async () => {
      await auth.verify('ann', 'correct horse', client);
      await node.directory.removeAccount('ann@example.com');
      await node.directory.addAccount('ann@example.com');
      await expect(auth.verify('ann', 'correct horse', client)).rejects.toMatchObject({ code: 'authenticationFailed' });
    });

    test('is not accepted on memory alone when the store cannot be asked', async () => {
      await auth.verify('ann', 'correct horse', client);
      node.accounts.failure = new StorageError('unavailable', 'no store');
      await expect(auth.verify('ann', 'correct horse', client)).rejects.toMatchObject({ code: 'unavailable' });
      expect(lines).toEqual([]);
    });
  });

  test('a wrong password becomes right when it is set', async () => {
    await expect(auth.verify('ann', 'battery staple', client)).rejects.toThrow();
    await node.directory.setPassword('ann@example.com', await newKeys);
    await expect(auth.verify('ann', 'battery staple', client)).resolves.toBeDefined();
  });

  test('guessing gets slower, and is refused unheard after thirty guesses from one address; others log in', async () => {
    node.clock.isFrozen = true;
    for (let index = 0; index < 30; index++) {
      await expect(auth.verify(`user${index}`, 'guess', client)).rejects.toMatchObject({ code: 'authenticationFailed' });
    }
    expect(node.clock.sleeps.slice(0, 6)).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000]);
    await expect(auth.verify('ann', 'correct horse', client)).rejects.toMatchObject({ code: 'limit' });
    await expect(auth.beginScram('ann', client)).rejects.toMatchObject({ code: 'limit' });
    await expect(auth.verify('ann', 'correct horse', { ...client, remote: '192.0.2.8' })).resolves.toBeDefined();
    node.clock.advance(60_000);
    await expect(auth.verify('ann', 'correct horse', client)).resolves.toBeDefined();
  });

  test('a burst of guesses at once gets no further than guesses one by one', async () => {
    node.clock.isFrozen = true;
    const guesses = Array.from({ length: 60 }, (_, index) => auth.verify('bob', `guess ${index}`, client).catch((error) => error.code));
    const heard = (await Promise.all(guesses)).filter((code) => code === 'authenticationFailed').length;
    // Two hashes run at a time: the second may have been let in while the thirtieth was looked at.
    expect(heard).toBeGreaterThanOrEqual(30);
    expect(heard).toBeLessThanOrEqual(31);
  });

  describe('an app password', () => {
    const drawn = randomPassword();
    beforeEach(async () => {
      await node.directory.addAppPassword('ann@example.com', {
        name: 'phone',
        sha256: hashAppPassword(drawn),
        scopes: ['imap', 'submission'],
      });
    });

    test('opens the services of its scopes, beside the password', async () => {
      expect(await auth.verify('ann', drawn, client)).toMatchObject({ accountId: ann, by: 'appPassword' });
      expect(await auth.verify('ann', 'correct horse', client)).toMatchObject({ by: 'password' });
      await expect(auth.verify('ann', drawn, { ...client, service: 'jmap' })).rejects.toMatchObject({ code: 'forbidden' });
    });

    test('opens nothing of another account', async () => {
      await expect(auth.verify('bob', drawn, client)).rejects.toMatchObject({ code: 'authenticationFailed' });
    });

    test('opens nothing once it is removed', async () => {
      await node.directory.removeAppPassword('ann@example.com', node.directory.credential(ann)!.appPasswords[0]!.id);
      await expect(auth.verify('ann', drawn, client)).rejects.toMatchObject({ code: 'authenticationFailed' });
    });
  });

  describe('SASL exchanges', () => {
    const open = (name: string, mayUsePlaintext = true) => new SaslExchange(name, auth, { client, mayUsePlaintext });
    const text = (reply: SaslReply) => (reply.kind === 'challenge' ? Buffer.from(reply.data).toString() : reply);

    async function scram(login: string, password: string, header = 'n,,') {
      const exchange = open('SCRAM-SHA-256', false);
      expect(text(await exchange.start())).toBe('');
      const bare = `n=${login},r=abcdef`;
      const serverFirst = text(await exchange.step(Buffer.from(header + bare))) as string;
      const nonce = /^r=([^,]+),/.exec(serverFirst)![1];
      const binding = Buffer.from(header).toString('base64');
      const final = clientFinalMessage(password, bare, serverFirst, `c=${binding},r=${nonce}`);
      expect(text(await exchange.step(Buffer.from(final)))).toMatch(/^v=/);
      return exchange.step(Buffer.from(''));
    }

    test('SCRAM-SHA-256 lets the right password in, by alias and default domain too', async () => {
      expect(await scram('ann@example.com', 'correct horse')).toMatchObject({ kind: 'done', identity: { accountId: ann, by: 'scram' } });
      expect(await scram('info', 'correct horse')).toMatchObject({ kind: 'done', identity: { accountId: ann } });
    });

    test('SCRAM-SHA-256 refuses a wrong password and an unknown login alike, and slows down', async () => {
      for (const login of ['ann', 'nobody', 'ann', 'nobody']) {
        await expect(scram(login, 'wrong horse')).rejects.toMatchObject({ code: 'authenticationFailed' });
      }
      expect(node.clock.sleeps.length).toBeGreaterThan(0);
    });

    test('an unknown login is given the same salt each time and on each node, a known one its own', async () => {
      const salt = async (on: PasswordAuthenticator, login: string) => (await on.beginScram(login, client)).keys.salt;
      const other = await openTestDirectory(logs);
      const elsewhere = new PasswordAuthenticator({
        directory: other.directory,
        clock: other.clock,
        logger: collectingLogger([]),
        defaultDomain: 'example.com',
      });
      expect(await salt(auth, 'nobody')).toBe(await salt(elsewhere, 'NOBODY@example.com'));
      expect(await salt(auth, 'nobody')).not.toBe(await salt(auth, 'nobody2'));
      expect(await salt(auth, 'ann')).toBe((await annKeys).scramSha256.salt);
    });

    test('a SCRAM exchange that began before a change of the password fails after it', async () => {
      const attempt = await auth.beginScram('ann', client);
      await node.directory.setPassword('ann@example.com', await newKeys);
      await expect(attempt.finish(true)).rejects.toMatchObject({ code: 'authenticationFailed' });
    });

    test('PLAIN takes an initial response, or asks for it', async () => {
      const message = Buffer.from('\0ann\0correct horse');
      expect(await open('plain').start(message)).toMatchObject({ kind: 'done', identity: { accountId: ann } });
      const asked = open('PLAIN');
      expect(text(await asked.start())).toBe('');
      expect(await asked.step(message)).toMatchObject({ kind: 'done', identity: { accountId: ann } });
    });

    test('LOGIN asks twice', async () => {
      const exchange = open('LOGIN');
      expect(text(await exchange.start())).toBe('Username:');
      expect(text(await exchange.step(Buffer.from('ann')))).toBe('Password:');
      expect(await exchange.step(Buffer.from('correct horse'))).toMatchObject({ kind: 'done', identity: { accountId: ann } });
    });

    test.each([
      ['the account itself', 'ann@example.com', true],
      ['an alias of the account', 'info', true],
      ['another account', 'bob@example.com', false],
      ['nobody', 'nobody@example.com', false],
    ])('an authorization identity that names %s is allowed: %s %s', async (_claim, authorizationId, isAllowed) => {
      const plain = () => open('PLAIN').start(Buffer.from(`${authorizationId}\0ann\0correct horse`));
      const proof = () => scram('ann', 'correct horse', `n,a=${authorizationId},`);
      for (const exchange of [plain, proof]) {
        if (isAllowed) await expect(exchange()).resolves.toMatchObject({ kind: 'done' });
        else await expect(exchange()).rejects.toMatchObject({ code: 'forbidden' });
      }
    });

    test('passwords are not asked for where they could be read', () => {
      const offer = { mayUsePlaintext: true, canBind: true, takesTokens: true };
      const all = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'OAUTHBEARER', 'XOAUTH2', 'PLAIN', 'LOGIN'];
      expect(saslMechanismNames(offer)).toEqual(all);
      expect(saslMechanismNames({ ...offer, mayUsePlaintext: false })).toEqual(all.slice(0, 2));
      expect(saslMechanismNames({ ...offer, canBind: false, takesTokens: false })).toEqual(['SCRAM-SHA-256', 'PLAIN', 'LOGIN']);
      expect(() => open('PLAIN', false)).toThrow(/use TLS first/);
      expect(() => open('CRAM-MD5')).toThrow(/not known here/);
    });

    test('a message that is not of the mechanism is refused without a guess being counted', async () => {
      await expect(open('PLAIN').start(Buffer.from('ann'))).rejects.toMatchObject({ code: 'invalidArguments' });
      await expect(open('PLAIN').start(Buffer.alloc(10_000))).rejects.toMatchObject({ code: 'invalidArguments' });
      expect(lines).toEqual([]);
    });
  });
});
