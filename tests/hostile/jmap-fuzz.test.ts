/**
 * Method calls of the transcripts, damaged: values of other types, of other calls, and what stumbles code, in place of what stands there. Every call is
 * answered, by its error where it cannot be carried out, which is never `serverFail`; and the account serves afterwards.
 */
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type JmapApp, startJmapApp } from '../support/jmap/app.ts';
import type { Transcript } from '../support/jmap/transcript.ts';
import { deliver, rawMessage } from '../support/open-accounts.ts';

type Call = readonly [name: string, args: Record<string, unknown>, id: string];

const folder = new URL('../transcripts/jmap/', import.meta.url);
const named: Readonly<Record<string, string>> = {
  ...{ $account: 'account1', $other: 'account2', $team: 'account3' },
  ...{ $inbox: 'm1', $drafts: 'm2', $sent: 'm3', $archive: 'm4', $trash: 'm5', $junk: 'm6' },
};

/** What the transcripts call, with ids that are there for names. */
const calls: readonly Call[] = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.json'))
  .flatMap((name) => (JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Transcript).steps)
  .flatMap(({ calls = [] }) => calls as readonly Call[])
  .filter(([, args]) => typeof args === 'object' && args !== null && JSON.stringify(args).length < 4000)
  .map((call) => JSON.parse(JSON.stringify(call).replace(/\$[a-z][A-Za-z0-9]*/g, (name) => named[name] ?? name.slice(1))) as Call);

const texts = [
  '',
  ' ',
  '#',
  '#k',
  '/',
  '~',
  '~2',
  '*',
  '$',
  '__proto__',
  'constructor',
  'toString',
  'null',
  '0',
  '-1',
  '\0',
  '\r\n',
  '"',
  '\\',
  'é',
  '\u{1f600}',
];
const ids = ['e1', 'e2', 'm1', 'm2', 't1', 'be1', 'e', 'm', 't0', 'e00', `e${'z'.repeat(30)}`, 'singleton', 'account1', 'account2'];
const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, false, 0, -1, 1.5, 1e300, 2 ** 53, -(2 ** 53), 4_294_967_296, [], {}, [[]], [null], [{}], { '': null }),
  fc.constantFrom<unknown>(
    ...texts,
    ...ids,
    'a'.repeat(300),
    '2026-02-30T25:61:61Z',
    '2026-01-01T00:00:00Z',
    'header:To:asDate',
    'header::all',
  ),
  fc.constantFrom<unknown>(
    [''],
    ['e1', 'e1'],
    { e1: true },
    { '#k': {} },
    { m1: true },
    { operator: 'NOT', conditions: [{ operator: 'AND', conditions: [] }] },
  ),
  fc.constantFrom<unknown>({ resultOf: 'c', name: 'Core/echo', path: '/' }, [{ property: 'hasKeyword' }], {
    'mailboxIds/m1': null,
    mailboxIds: {},
  }),
  fc.jsonValue({ maxDepth: 2 }),
);

const where = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const damage = fc.record({
  how: fc.constantFrom('replace', 'replace', 'replace', 'remove', 'rename', 'add', 'double', 'refer'),
  at: where,
  value: odd,
  name: fc.constantFrom(
    ...texts,
    ...ids,
    'accountId',
    'ids',
    'properties',
    'filter',
    'sort',
    'create',
    'update',
    'destroy',
    'ifInState',
    '#ids',
    'keywords/a',
    'mailboxIds',
  ),
});
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

/** Every place of a value that is in another. */
function places(value: unknown): [within: Record<string, unknown> | unknown[], key: string][] {
  if (typeof value !== 'object' || value === null) return [];
  const within = value as Record<string, unknown>;
  return Object.keys(within).flatMap((key) => [[within, key] as [Record<string, unknown>, string], ...places(within[key])]);
}

function damaged([name, args, id]: Call, damages: readonly Damage[]): Call {
  const root: Record<string, unknown> = { args: structuredClone(args) };
  for (const { how, at, value: given, name: other } of damages) {
    const value = structuredClone(given);
    const all = places(root);
    const [within, key] = all[Math.floor(at * all.length)]!;
    const here = within as Record<string, unknown>;
    if (within === root) continue;
    if (how === 'replace') here[key] = value;
    else if (how === 'double' && Array.isArray(within)) within.push(here[key]);
    else if (how === 'add') Object.defineProperty(here, other, { value, enumerable: true, configurable: true, writable: true });
    else if (how === 'refer') here[`#${key}`] = value;
    else {
      const old = here[key];
      if (!Array.isArray(within)) delete here[key];
      if (how === 'rename') Object.defineProperty(here, other, { value: old, enumerable: true, configurable: true, writable: true });
    }
  }
  return [name, root['args'] as Record<string, unknown>, id];
}

const damagedCall = fc
  .record({ call: fc.constantFrom(...calls), damages: fc.array(damage, { maxLength: 3 }) })
  .map(({ call, damages }) => damaged(call, damages));

/** Not what is sent to a push service, nor what would tell others. */
const isHarmless = ([name]: Call) => !name.startsWith('PushSubscription/');

/** All that the session offers. */
async function capabilitiesOf(app: JmapApp): Promise<string[]> {
  const response = await app.server.inject({ url: '/jmap/session', headers: { authorization: app.authorization() } });
  return Object.keys((response.json() as { capabilities: object }).capabilities);
}

async function post(app: JmapApp, using: readonly string[], methodCalls: readonly Call[]) {
  const headers = { authorization: app.authorization(), 'content-type': 'application/json' };
  const numbered = methodCalls.map(([name, args], at) => [name, args, `c${at}`]);
  return app.server.inject({ method: 'POST', url: '/jmap/api', headers, payload: JSON.stringify({ using, methodCalls: numbered }) });
}

it('damaged calls are answered, and never by serverFail', async () => {
  expect(calls.length).toBeGreaterThan(300);
  await using app = await startJmapApp();
  const capabilities = await capabilitiesOf(app);
  await fc.assert(
    fc.asyncProperty(fc.array(damagedCall.filter(isHarmless), { minLength: 1, maxLength: 6 }), async (methodCalls) => {
      const inbox = app.account.read((reader) => reader.mailboxByRole('inbox'))!;
      await deliver(app.account, inbox.id, rawMessage({ Subject: 'Here', From: 'me@example.com', To: 'ann@example.net' }));
      const response = await post(app, capabilities, methodCalls);
      expect(response.statusCode).toBe(200);
      expect(response.body).not.toMatch(/"type":"server(Fail|PartialFail|Unavailable)"/);
      const { methodResponses } = response.json() as { methodResponses: [string, object, string][] };
      for (const [at] of methodCalls.entries()) expect(methodResponses.some(([, , id]) => id === `c${at}`)).toBe(true);
    }),
    { numRuns: 500 },
  );
  const { methodResponses } = await app.call([['Mailbox/get', { accountId: 'account1' }, 'c']]);
  expect(methodResponses[0]![0]).toBe('Mailbox/get');
}, 60_000);
