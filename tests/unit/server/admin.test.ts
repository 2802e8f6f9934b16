import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HeldMail, type HeldRecord } from '../../../indexer/held-mail.ts';
import { parseMessage } from '../../../indexer/parse-message.ts';
import { StorageError } from '../../../protocol/mail/errors.ts';
import { limitsWith, noLimits } from '../../../protocol/mail/quota.ts';
import type { AdminServices } from '../../../server/admin/services.ts';
import { verbs } from '../../../server/admin/verbs.ts';
import { callServer } from '../../../server/cli/admin-client.ts';
import { createAdminServer, createHttpServer } from '../../../server/http/http-server.ts';
import { silentLogger } from '../../../server/logger.ts';
import { MemoryStore } from '../../../storage/objects/memory.ts';
import { StoreMeter } from '../../../storage/objects/metered.ts';
import { enqueue } from '../../../storage/outbox/outbox.ts';
import { Shares } from '../../../storage/sharing/shares.ts';
import { openTestDirectory } from '../../support/directory.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { openTestBucket, rawMessage } from '../../support/open-accounts.ts';

const wholeSummary = { commits: 1, manifests: 0, parts: 0, blobs: 0, tail: 1 };
let store: MemoryStore;
let services: AdminServices;
let verified: string[];

beforeEach(async () => {
  const { directory, accounts } = await openTestDirectory();
  store = new MemoryStore({ clock: new ManualClock() });
  verified = [];
  services = {
    directory,
    shares: new Shares({ accounts, directory }),
    setup: () => ({ host: 'localhost', isInDns: false, services: {} }),
    held: new HeldMail(store),
    mail: mailOf(store),
    release: async (name) =>
      name === 'stubborn' ? { kind: 'held', reason: 'unknownRecipient', name } : { kind: 'delivered', results: new Map() },
    maintenance: {
      verify: async (id) => {
        verified.push(id);
        return { findings: [], findingsOmitted: 0, summary: wholeSummary };
      },
      rebuild: async () => ({ messages: 2, mailboxes: 6, seq: 9, durationMs: 3 }),
    },
  };
});

function mailOf(objects: MemoryStore): AdminServices['mail'] {
  const clock = new ManualClock();
  return {
    accounts: openTestBucket(objects).node({ quotaLimits: (id) => limitsWith(noLimits, services.directory.quotaOf(id)) }).accounts,
    parse: parseMessage,
    messageBytesMax: 100_000,
    verdicts: [],
    store: objects,
    inboundPrefix: 'inbound/',
    meter: new StoreMeter({ clock }),
    clock,
    startedAt: 0,
  };
}

async function run(name: string, parameters: object = {}): Promise<{ result: unknown; text: string }> {
  const verb = verbs.find((row) => row.name === name)!;
  const result = await verb.run(services, parameters);
  return { result, text: verb.print(result) };
}

describe('verbs', () => {
  it('an account needs its domain, gets a random password once, and is listed with its aliases', async () => {
    await expect(run('account add', { address: 'ada@example.com' })).rejects.toThrow(/example\.com/);
    await run('domain add', { name: 'Example.com' });
    const added = await run('account add', { address: 'Ada@example.com', name: 'Ada' });
    expect(added.text).toMatch(/^Added the account ada@example\.com\.\nPassword \(shown this once\): (\w{4}-){4}\w{4}$/);
    await run('alias add', { alias: '*@example.com', address: 'ada@example.com' });
    const { text } = await run('account list');
    expect(text).toMatch(/ada@example\.com +Ada +\*@example\.com +a[0-9a-f]+/);
    expect((await run('domain list')).text).toBe('example.com');
  });

  it.each([
    ['rule move', { name: 'x', position: 'first' }, 'rule move: "first" will not do for position: its place, from 1.'],
    [
      'dkim add',
      { domain: 'example.com', algorithm: 'dsa' },
      'dkim add: "dsa" will not do for algorithm: rsa (which all verify) or ed25519.',
    ],
    ['domain add', { name: '' }, 'domain add: "" will not do for name: a mail domain, such as example.com.'],
    ['account password', { address: 'a@b.example', password: 1 }, 'account password: password must be string.'],
  ])('%s is refused where a parameter is not what it is to be, and says what that is', async (name, given, sentence) => {
    await expect(run(name, given)).rejects.toThrow(sentence);
  });

  it('a group says when it has no members, and does not take a slip for a domain of senders', async () => {
    await run('domain add', { name: 'example.com' });
    const empty = await run('group add', { address: 'team@example.com' });
    expect(empty.text).toBe('Made the group team@example.com. It has no members: mail to it is refused until it has.');
    await run('account add', { address: 'ada@example.com' });
    const group = { address: 'team@example.com', members: ['ada@example.com'] };
    await expect(run('group add', { ...group, senders: 'member' })).rejects.toThrow('"member" is neither anyone, members or domain');
    await run('group add', { ...group, senders: 'example.com,partner.example' });
    expect((await run('group list')).text).toBe('team@example.com: ada@example.com (senders: example.com,partner.example)');
  });

  it('who sends as somebody else is listed for an account, and asked of nobody is refused', async () => {
    await run('domain add', { name: 'example.com' });
    await run('account add', { address: 'ada@example.com' });
    await run('account add', { address: 'boss@example.com' });
    await run('send-as add', { account: 'ada@example.com', as: 'boss@example.com' });
    expect((await run('send-as list', { account: 'Ada@example.com' })).text).toMatch(/ada@example\.com +boss@example\.com/);
    expect((await run('send-as list', { account: 'boss@example.com' })).text).toBe('');
    await expect(run('send-as list', { account: 'nobody@example.com' })).rejects.toThrow('There is no account nobody@example.com.');
  });

  it('an app password is shown once, with what a program must choose that would log in by SCRAM', async () => {
    await run('domain add', { name: 'example.com' });
    await run('account add', { address: 'ada@example.com' });
    const { text } = await run('app-password add', { address: 'ada@example.com', scope: 'imap' });
    expect(text).toMatch(
      /^Added the app password \w+ of ada@example\.com, for imap\.\nPassword \(shown this once\): (\w{4}-){4}\w{4}\nIt is for .*PLAIN/,
    );
    expect((await run('app-password list', { address: 'ada@example.com' })).text).not.toMatch(/(\w{4}-){4}/);
  });

  it('a given password is kept, not shown, and refused when it is empty, which leaves no account behind', async () => {
    await run('domain add', { name: 'example.com' });
    await expect(run('account add', { address: 'ada@example.com', password: '' })).rejects.toThrow(/empty/);
    expect((await run('account list')).text).toBe('');
    const { text } = await run('account add', { address: 'ada@example.com', password: 'long enough' });
    expect(text).toBe('Added the account ada@example.com.');
    const changed = await run('account password', { address: 'ada@example.com' });
    expect(changed.text).toMatch(/Password \(shown this once\)/);
  });

  it('an account has the limits that it is given, none, or those of every account', async () => {
    await run('domain add', { name: 'example.com' });
    await run('account add', { address: 'ada@example.com' });
    const quota = async (change: object = {}) => (await run('account quota', { address: 'ada@example.com', ...change })).result;
    expect(await quota()).toMatchObject({ limits: { octets: null, messages: null }, usage: { octets: 0, messages: 0 } });
    expect(await quota({ octets: '2G' })).toMatchObject({ limits: { octets: 2 ** 31, messages: null } });
    expect(await quota({ messages: '3' })).toMatchObject({ limits: { octets: 2 ** 31, messages: 3 } });
    const { text } = await run('account quota', { address: 'ada@example.com', octets: 'none' });
    expect(text).toBe('ada@example.com holds 0 octets of any number, and 0 messages of 3.');
    expect(await quota({ messages: 'default' })).toMatchObject({ limits: { octets: null, messages: null } });
    await expect(quota({ octets: '999999999999999T' })).rejects.toThrow(/too large/);
    await expect(run('account quota', { address: 'nobody@example.com', octets: '1' })).rejects.toThrow(/nobody@example\.com/);
  });

  it('verify without an address takes the directory and every account; with one, that one', async () => {
    await run('domain add', { name: 'example.com' });
    const { result } = await run('account add', { address: 'ada@example.com' });
    const { id } = result as { id: string };
    const { text } = await run('verify');
    expect(verified).toEqual(['directory', id]);
    expect(text).toContain('ada@example.com: whole at commit 1');
    await run('verify', { address: 'ada@example.com' });
    expect(verified).toEqual(['directory', id, id]);
    await expect(run('verify', { address: 'nobody@example.com' })).rejects.toThrow(/no account nobody@example\.com/);
  });

  it('status tells what waits to leave', async () => {
    await run('domain add', { name: 'example.com' });
    await run('account add', { address: 'ada@example.com' });
    expect((await run('status')).text).toContain('Waiting to leave (outbox): nothing');
    const id = services.directory.listAccounts()[0]!.id;
    const account = await services.mail.accounts.open(id);
    const upload = await account.upload(rawMessage({ Subject: 'out' }));
    const address = (email: string) => ({ email, parameters: null });
    const envelope = { mailFrom: address('ada@example.com'), rcptTo: [address('zoe@elsewhere.example')] };
    await account.transact((tx) => enqueue(tx, { id: 's1', origin: 'smtp', blob: upload.ref, messageId: 'm', envelope }), {
      uploads: [upload],
    });
    const { result, text } = await run('status');
    expect(text).toMatch(/Waiting to leave \(outbox\): 1, the oldest for \d+ s/);
    expect(result).toMatchObject({ queues: { outbox: { count: 1, hasMore: false } } });
  });

  it('held mail is listed by kind, shown, released and removed', async () => {
    const record = { version: 1, recipients: ['clara@b.example'], deliveredTo: [], octets: 20, receivedAt: 'r', heldAt: 'h' } as const;
    const hold = (name: string, over: Pick<HeldRecord, 'kind' | 'reason' | 'detail'>) =>
      new HeldMail(store).hold(name, { bytes: Buffer.from('Subject: one\r\n\r\nbody') }, { ...record, ...over });
    await hold('a@b.example/one', { kind: 'failed', reason: 'unknownRecipient', detail: 'Nobody here.' });
    await hold('stubborn', { kind: 'failed', reason: 'unknownRecipient', detail: 'Nobody here.' });
    await hold('virus', { kind: 'quarantine', reason: 'verdict', detail: 'X-SES-Virus-Verdict: FAIL' });
    const names = async (kind: string) =>
      ((await run(`${kind} list`)).result as { messages: { name: string }[] }).messages.map(({ name }) => name);
    expect(await names('failed')).toEqual(['a@b.example/one', 'stubborn']);
    expect(await names('quarantine')).toEqual(['virus']);
    expect((await run('failed list')).text).toMatch(/^HELD AT +BYTES +REASON +NAME\n/);
    const shown = await run('failed show', { name: 'a@b.example/one' });
    expect(shown.text).toContain('Nobody here. (unknownRecipient)');
    expect(shown.text).toContain('did not reach clara@b.example');
    expect(shown.text).toContain('Subject: one');
    expect((await run('failed release', { name: 'a@b.example/one' })).text).toMatch(/^Delivered a@b\.example\/one/);
    await expect(run('failed release', { name: 'stubborn' })).rejects.toThrow(/held as stubborn \(unknownRecipient\)/);
    await expect(run('failed remove', { name: 'virus' })).rejects.toThrow(/no failed message "virus"/);
    await run('quarantine remove', { name: 'virus' });
    expect((await run('quarantine list')).text).toBe('');
    for (const verb of ['quarantine show', 'quarantine release', 'quarantine remove']) {
      await expect(run(verb, { name: 'virus' })).rejects.toThrow(/no message in quarantine "virus"/);
    }
  });
});

describe('/admin/v1', () => {
  const token = 'an-admin-token-of-some-length';
  let server: FastifyInstance;
  const open = async (adminToken: string | undefined) => {
    server = await createHttpServer({
      logger: silentLogger,
      trustedProxies: [],
      notReady: () => undefined,
      metrics: async () => ({ text: 'm 1\n', contentType: 'text/plain' }),
      adminToken,
      admin: { verbs, services, logger: silentLogger },
    });
  };
  afterEach(() => server.close());

  const call = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object, authorization = `Bearer ${token}`) =>
    server.inject({ method, url: `/admin/v1${url}`, payload, headers: { authorization } });

  it('answers who shows the token, and nobody else', async () => {
    await open(token);
    expect((await call('GET', '/domains')).statusCode).toBe(200);
    for (const authorization of ['', 'Bearer ', 'Bearer wrong', `Basic ${token}`, `Bearer ${token}x`]) {
      const answer = await call('GET', '/domains', undefined, authorization);
      expect([authorization, answer.statusCode, answer.json()]).toMatchObject([
        authorization,
        401,
        { error: { code: 'authenticationFailed' } },
      ]);
    }
  });

  it('is not there without a token', async () => {
    await open(undefined);
    const answer = await call('GET', '/domains');
    expect(answer.statusCode).toBe(404);
    expect(answer.json().error.message).toContain('admin.token');
  });

  it('maps a refusal to its status, and says the sentence', async () => {
    await open(token);
    const rows: readonly [
      method: 'GET' | 'POST' | 'PUT' | 'DELETE',
      url: string,
      payload: object | undefined,
      status: number,
      message: RegExp,
    ][] = [
      ['POST', '/domains', {}, 400, /name|required/],
      ['POST', '/domains', { name: 'example.com', colour: 'red' }, 400, /colour|additional/],
      ['POST', '/domains', { name: 'not a domain' }, 400, /domain/],
      ['DELETE', '/accounts/nobody@example.com', undefined, 404, /nobody@example\.com/],
      ['POST', '/aliases', { alias: 'x@example.org', address: 'y@example.org' }, 404, /example\.org/],
      ['GET', '/nothing', undefined, 404, /./],
    ];
    for (const [method, url, payload, status, message] of rows) {
      const answer = await call(method, url, payload);
      expect([url, answer.statusCode]).toEqual([url, status]);
      expect(answer.json().error.message).toMatch(message);
    }
    expect((await call('POST', '/domains', { name: 'example.com' })).json()).toEqual({ name: 'example.com', records: [] });
    expect((await call('POST', '/domains', { name: 'example.com' })).statusCode).toBe(409);
  });

  it('says "try again" when the store is away, and hides what went wrong inside', async () => {
    await open(token);
    services.maintenance.rebuild = async () => {
      throw new StorageError('unavailable', 'The store does not answer.');
    };
    await call('POST', '/domains', { name: 'example.com' });
    await call('POST', '/accounts', { address: 'ada@example.com' });
    const away = await call('POST', '/rebuild', { address: 'ada@example.com' });
    expect([away.statusCode, away.json().error.code]).toEqual([503, 'unavailable']);
    services.maintenance.rebuild = async () => {
      throw new TypeError('secret internals');
    };
    const broken = await call('POST', '/rebuild', { address: 'ada@example.com' });
    expect(broken.statusCode).toBe(500);
    expect(broken.body).not.toContain('secret');
  });

  it('health is for everyone, metrics for loopback and the token', async () => {
    await open(token);
    expect((await server.inject('/healthz')).json()).toEqual({ status: 'alive' });
    expect((await server.inject('/readyz')).statusCode).toBe(200);
    expect((await server.inject('/metrics')).body).toBe('m 1\n');
    const far = { url: '/metrics', remoteAddress: '192.0.2.1' };
    expect((await server.inject(far)).statusCode).toBe(403);
    expect((await server.inject({ ...far, headers: { authorization: `Bearer ${token}` } })).statusCode).toBe(200);
  });
});

describe('the socket', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'satchel-admin-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const verb = (name: string) => verbs.find((row) => row.name === name)!;

  it('carries every kind of verb: bodies, paths with slashes, queries, lists', async () => {
    const server = await createAdminServer({ verbs, services, logger: silentLogger });
    const path = join(folder, 'admin.sock');
    await server.listen({ path });
    try {
      const call = async (name: string, parameters: Record<string, unknown>) => {
        const outcome = await callServer(path, verb(name), parameters);
        return outcome.answered ? outcome.result : 'nobody';
      };
      await call('domain add', { name: 'example.com' });
      await call('account add', { address: 'ada@example.com' });
      await call('alias add', { alias: 'a@example.com', address: 'ada@example.com' });
      await call('group add', { address: 'all@example.com', members: ['ada@example.com', 'a@example.com'] });
      expect(await call('group remove', { address: 'all@example.com', members: ['a@example.com'] })).toMatchObject({
        members: ['a@example.com'],
      });
      expect(await call('group list', {})).toEqual({ groups: [{ address: 'all@example.com', members: ['ada@example.com'] }] });
      expect(await call('alias remove', { alias: 'a@example.com', address: 'ada@example.com' })).toEqual({ alias: 'a@example.com' });
      await store.put('failed/ada@example.com/x y%2Fz', Buffer.from('m'));
      expect(await call('failed remove', { name: 'ada@example.com/x y%2Fz' })).toEqual({ name: 'ada@example.com/x y%2Fz' });
      await expect(call('account remove', { address: 'nobody@example.com' })).rejects.toThrow(/nobody@example\.com/);
    } finally {
      await server.close();
    }
  });

  it('that nobody listens on means: no server', async () => {
    expect(await callServer(join(folder, 'admin.sock'), verb('domain list'), {})).toEqual({ answered: false });
    writeFileSync(join(folder, 'file.sock'), '');
    expect(await callServer(join(folder, 'file.sock'), verb('domain list'), {})).toEqual({ answered: false });
  });
});
