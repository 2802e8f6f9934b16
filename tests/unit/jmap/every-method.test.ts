/** What holds for every method, whatever it does: the errors of RFC 8620 §3.6.2 and §5, at the right level. Rows come from the methods that there are. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maxObjectsInGet, maxObjectsInSet } from '../../../protocol/jmap/limits.ts';
import { methods } from '../../../server/jmap/methods/index.ts';
import { capabilities } from '../../../server/jmap/session.ts';
import { archive, type JmapApp, startJmapApp, users } from '../../support/jmap/app.ts';

let app: JmapApp;
beforeAll(async () => {
  app = await startJmapApp();
});
afterAll(() => app[Symbol.asyncDispose]());

const using = Object.keys(capabilities);
const accountId = users['me@example.com'];

/** Arguments that a method takes beside accountId, so that the one that is wrong is the only one. */
const needed: Readonly<Record<string, object>> = {
  'Blob/copy': { fromAccountId: users['other@example.com'], blobIds: [] },
  'Blob/lookup': { typeNames: [], ids: [] },
  'Blob/upload': { create: {} },
  'Email/copy': { fromAccountId: users['other@example.com'], create: {} },
  'Email/import': { emails: {} },
  'Email/parse': { blobIds: [] },
  'MDN/parse': { blobIds: [] },
  'MDN/send': { identityId: 'i', send: {} },
  'SearchSnippet/get': { emailIds: [] },
  'SieveScript/validate': { blobId: 'u' },
};
const further = (name: string): object =>
  needed[name] ?? (name.endsWith('/changes') ? { sinceState: '0' } : name.endsWith('/queryChanges') ? { sinceQueryState: '0' } : {});

async function errorOf(name: string, args: object, uses: readonly string[] = using): Promise<unknown> {
  const { methodResponses } = await app.call([[name, args, 'c']], { using: uses });
  expect(methodResponses).toHaveLength(1);
  const [answered, { type }] = methodResponses[0]!;
  return answered === 'error' ? type : answered;
}

const rows = [...methods.values()];
const onAccount = rows.filter(({ isOnAccount }) => isOnAccount);
const named = (verb: string) => onAccount.filter(({ name }) => name.endsWith(`/${verb}`)).map(({ name }) => name);
const ids = (count: number) => Array.from({ length: count }, (_, index) => `x${index}`);

describe('every method', () => {
  it.each(rows.map(({ name, capability }) => [name, capability]))('%s is there only with its capability', async (name, capability) => {
    const without = using.filter((one) => one !== capability);
    expect(await errorOf(name, { accountId, ...further(name) }, without)).toBe('unknownMethod');
  });
});

describe('every method on an account', () => {
  it.each(onAccount.map(({ name }) => name))('%s answers alike for the accounts of others and those that are not there', async (name) => {
    for (const stranger of [users['other@example.com'], 'account99', '']) {
      expect(await errorOf(name, { ...further(name), accountId: stranger })).toBe('accountNotFound');
    }
  });

  it.each(onAccount.map(({ name }) => name))('%s has no default account, and takes no arguments that it does not know', async (name) => {
    expect(await errorOf(name, further(name))).toBe('invalidArguments');
    expect(await errorOf(name, { ...further(name), accountId: null })).toBe('invalidArguments');
    expect(await errorOf(name, { ...further(name), accountId, surprise: 1 })).toBe('invalidArguments');
  });

  it.each(onAccount.filter(({ access }) => access === 'write').map(({ name }) => name))(
    '%s changes nothing that may only be read',
    async (name) => {
      expect(await errorOf(name, { ...further(name), accountId: archive })).toBe('accountReadOnly');
    },
  );
});

describe('every /get', () => {
  it.each(named('get').filter((name) => name !== 'SearchSnippet/get'))('%s refuses what RFC 8620 §5.1 says', async (name) => {
    expect(await errorOf(name, { accountId, ids: 'x' })).toBe('invalidArguments');
    expect(await errorOf(name, { accountId, ids: [], properties: ['no such'] })).toBe('invalidArguments');
    expect(await errorOf(name, { accountId, ids: ids(maxObjectsInGet + 1) })).toBe('requestTooLarge');
    expect(await errorOf(name, { accountId, ids: ids(maxObjectsInGet) })).toBe(name);
  });
});

describe('every /changes', () => {
  it.each(named('changes'))('%s refuses what RFC 8620 §5.2 says', async (name) => {
    expect(await errorOf(name, { accountId })).toBe('invalidArguments');
    for (const sinceState of ['', 'nonsense', '-1', '999999999', '1-']) {
      expect(await errorOf(name, { accountId, sinceState })).toBe('cannotCalculateChanges');
    }
    for (const maxChanges of [0, -1, 1.5, '1'])
      expect(await errorOf(name, { accountId, sinceState: '0', maxChanges })).toBe('invalidArguments');
  });
});

describe('every /set', () => {
  it.each(named('set'))('%s refuses what RFC 8620 §5.3 says', async (name) => {
    expect(await errorOf(name, { accountId, ifInState: 'nonsense' })).toBe('stateMismatch');
    expect(await errorOf(name, { accountId, create: [] })).toBe('invalidArguments');
    expect(await errorOf(name, { accountId, update: { x: 1 } })).toBe('invalidArguments');
    expect(await errorOf(name, { accountId, destroy: {} })).toBe('invalidArguments');
    expect(await errorOf(name, { accountId, destroy: ids(maxObjectsInSet + 1) })).toBe('requestTooLarge');
  });

  it.each(named('set'))('%s tells of each object that is not there', async (name) => {
    const { methodResponses } = await app.call([[name, { accountId, update: { x: {} }, destroy: ['y'] }, 'c']], { using });
    expect(methodResponses[0]![1]).toMatchObject({ notUpdated: { x: { type: 'notFound' } }, notDestroyed: { y: { type: 'notFound' } } });
    const { oldState, newState } = methodResponses[0]![1];
    expect([typeof oldState, newState]).toEqual(['string', oldState]);
  });
});

describe('every /query', () => {
  it.each(named('query'))('%s refuses what RFC 8620 §5.5 says', async (name) => {
    expect(await errorOf(name, { accountId, filter: { noSuch: 1 } })).toBe('unsupportedFilter');
    expect(await errorOf(name, { accountId, filter: { operator: 'XOR', conditions: [] } })).toBe('invalidArguments');
    expect(await errorOf(name, { accountId, filter: [] })).toBe('invalidArguments');
    expect(await errorOf(name, { accountId, sort: [{ property: 'noSuch' }] })).toBe('unsupportedSort');
    expect(await errorOf(name, { accountId, sort: [{}] })).toBe('invalidArguments');
    expect(await errorOf(name, { accountId, anchor: 'noSuch' })).toBe('anchorNotFound');
    for (const limit of [-1, 0.5, '1']) expect(await errorOf(name, { accountId, limit })).toBe('invalidArguments');
    expect(await errorOf(name, { accountId, position: 0.5 })).toBe('invalidArguments');
  });

  it.each(named('queryChanges'))('%s refuses what RFC 8620 §5.6 says', async (name) => {
    for (const sinceQueryState of ['', 'nonsense', '999999999']) {
      expect(await errorOf(name, { accountId, sinceQueryState })).toBe('cannotCalculateChanges');
    }
    expect(await errorOf(name, { accountId, sinceQueryState: '0', filter: { noSuch: 1 } })).toBe('unsupportedFilter');
    expect(await errorOf(name, { accountId, sinceQueryState: '0', sort: [{ property: 'noSuch' }] })).toBe('unsupportedSort');
  });
});
