/** Limits that a transcript cannot show: what is too large, too deep, too many, or too much at once. */
import { describe, expect, it } from 'vitest';
import { maxConcurrentRequests, maxObjectsInGet, maxObjectsInSet, maxSizeRequest } from '../../../protocol/jmap/limits.ts';
import { cacheOf } from '../../../server/jmap/account-cache.ts';
import { parseRange } from '../../../server/jmap/http/download.ts';
import { capabilities } from '../../../server/jmap/session.ts';
import { startJmapApp } from '../../support/jmap/app.ts';

const accountId = 'account1';
const ids = (count: number) => Array.from({ length: count }, (_, i) => `e${(i + 1).toString(36)}`);

/** Conditions in `depth` operators. */
function nested(depth: number): object {
  return depth === 0 ? { hasKeyword: '$seen' } : { operator: 'NOT', conditions: [nested(depth - 1)] };
}

describe('a call', () => {
  it.each([
    ['Email/get', { ids: ids(maxObjectsInGet + 1) }, 'requestTooLarge'],
    ['Email/set', { destroy: ids(maxObjectsInSet + 1) }, 'requestTooLarge'],
    ['Email/parse', { blobIds: ids(maxObjectsInGet + 1) }, 'requestTooLarge'],
    ['Email/query', { filter: nested(20) }, 'unsupportedFilter'],
    ['Email/query', { filter: { operator: 'OR', conditions: ids(10_000).map(() => ({})) } }, 'unsupportedFilter'],
    ['Email/query', { sort: ids(20).map(() => ({ property: 'size' })) }, 'unsupportedSort'],
    ['Mailbox/query', { sort: ids(20).map(() => ({ property: 'name' })) }, 'unsupportedSort'],
    ['SieveScript/query', { sort: ids(20).map(() => ({ property: 'name' })) }, 'unsupportedSort'],
  ])('%s that is too large is refused by itself (%#)', async (name, args, type) => {
    await using app = await startJmapApp();
    const calls = [
      [name, { accountId, ...args }, 'a'],
      ['Core/echo', {}, 'b'],
    ];
    const { methodResponses } = await app.call(calls, { using: Object.keys(capabilities) });
    expect(methodResponses).toMatchObject([
      ['error', { type }, 'a'],
      ['Core/echo', {}, 'b'],
    ]);
  });

  it('of as many objects as are allowed is answered', async () => {
    await using app = await startJmapApp();
    const { methodResponses } = await app.call([['Email/get', { accountId, ids: ids(maxObjectsInGet) }, 'a']]);
    expect(methodResponses[0]![1]['notFound']).toHaveLength(maxObjectsInGet);
  });
});

describe('a request', () => {
  const post = (payload: string) => ({ method: 'POST', url: '/jmap/api', payload }) as const;

  it('over the size is refused with the name of the limit', async () => {
    await using app = await startJmapApp();
    const headers = { authorization: app.authorization(), 'content-type': 'application/json' };
    const response = await app.server.inject({ ...post(' '.repeat(maxSizeRequest + 1)), headers });
    expect([response.statusCode, response.json()]).toMatchObject([
      413,
      { type: 'urn:ietf:params:jmap:error:limit', limit: 'maxSizeRequest' },
    ]);
  });

  it('over the size is told so, and the connection goes on, whatever of it has been sent by then', async () => {
    await using app = await startJmapApp();
    const url = `${await app.server.listen({ port: 0, host: '127.0.0.1' })}/jmap/api`;
    const headers = { authorization: app.authorization(), 'content-type': 'application/json' };
    const body = ' '.repeat(3 * maxSizeRequest);
    for (let i = 0; i < 8; i++) {
      const response = await fetch(url, { method: 'POST', headers, body });
      expect(response.status).toBe(413);
      expect(response.headers.get('connection')).not.toBe('close');
      await response.text();
    }
  });

  it('beside too many others is refused, and accepted when they are done', async () => {
    await using app = await startJmapApp();
    const headers = { authorization: app.authorization(), 'content-type': 'application/json' };
    const request = { ...post('{"using":[],"methodCalls":[]}'), headers };
    const cache = cacheOf(app.account);
    cache.requests = maxConcurrentRequests;
    expect((await app.server.inject(request)).json()).toMatchObject({ limit: 'maxConcurrentRequests' });
    cache.requests = 0;
    expect((await app.server.inject(request)).statusCode).toBe(200);
    expect(cache.requests).toBe(0);
  });
});

describe('a Range header', () => {
  it.each([
    ['bytes=0-0', { first: 0, last: 0 }],
    ['bytes=5-', { first: 5, last: 9 }],
    ['bytes=-3', { first: 7, last: 9 }],
    ['bytes=-99', { first: 0, last: 9 }],
    ['bytes=2-99', { first: 2, last: 9 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=3-2', undefined],
    ['bytes=0-1,3-4', undefined],
    ['lines=1-2', undefined],
    ['bytes=-', undefined],
  ])('%s of ten bytes is %j', (header, want) => {
    expect(parseRange(header, 10)).toEqual(want);
  });
});
