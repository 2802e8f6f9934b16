/** Requests that are meant to break or stall the server: each is answered by the RFC's error at its level, soon, and the next request is served. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maxCallsInRequest, maxConcurrentUpload } from '../../protocol/jmap/limits.ts';
import { cacheOf } from '../../server/jmap/account-cache.ts';
import { core, type JmapApp, mail, startJmapApp } from '../support/jmap/app.ts';

let app: JmapApp;
beforeAll(async () => {
  app = await startJmapApp();
});
afterAll(() => app[Symbol.asyncDispose]());

const accountId = 'account1';

async function post(payload: string | Buffer): Promise<{ status: number; body: Record<string, unknown> }> {
  const headers = { authorization: app.authorization(), 'content-type': 'application/json' };
  const response = await app.server.inject({ method: 'POST', url: '/jmap/api', headers, payload });
  return { status: response.statusCode, body: response.json() };
}
const request = (calls: string) => `{"using":["${core}","${mail}"],"methodCalls":${calls}}`;

describe('a request that is no Request', () => {
  it.each<[string, string | Buffer, string]>([
    ['nests 1,000,000 arrays', '['.repeat(1_000_000), 'notJSON'],
    ['nests 100,000 arrays that end', '['.repeat(100_000) + ']'.repeat(100_000), 'notRequest'],
    ['nests 100,000 objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`, 'notRequest'],
    ['is not UTF-8', Buffer.from(request('[["Core/echo",{"a":"\xff"},"c"]]'), 'latin1'), 'notJSON'],
    ['has an overlong encoding', Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]), 'notJSON'],
    ['has a byte order mark', `\ufeff${request('[]')}`, 'notJSON'],
    ['has a name twice', '{"using":[],"using":[],"methodCalls":[]}', 'notJSON'],
    ['has a name twice in an argument, once escaped', request('[["Core/echo",{"ab":1,"a\\u0062":2},"c"]]'), 'notJSON'],
    ['is empty', '', 'notJSON'],
    ['is a number', '1e999', 'notRequest'],
    ['has more calls than are allowed', request(`[${'["Core/echo",{},"c"],'.repeat(maxCallsInRequest)}["Core/echo",{},"c"]]`), 'limit'],
    ['has 1,000,000 calls', request(`[${'0,'.repeat(1_000_000)}0]`), 'notRequest'],
  ])('that %s is refused', async (_, payload, type) => {
    expect(await post(payload)).toMatchObject({ status: 400, body: { type: `urn:ietf:params:jmap:error:${type}`, status: 400 } });
  });

  it('is told from one that has a name in two objects, or in a text', async () => {
    const args = { a: { a: 1 }, b: [{ a: 1 }, { a: 2 }], c: '{"a":1,"a":2}', 'd"': '\\', 'd\\"': 1, e: 'e' };
    const { body } = await post(request(JSON.stringify([['Core/echo', args, 'c']])));
    expect(body['methodResponses']).toEqual([['Core/echo', args, 'c']]);
  });
});

describe('a call', () => {
  const answers = async (calls: unknown[]) => (await app.call(calls)).methodResponses.map(([name, args]) => args['type'] ?? name);

  it.each<[string, unknown[], unknown[]]>([
    ['that refers to itself', [['Core/echo', { '#a': { resultOf: 'x', name: 'Core/echo', path: '' } }, 'x']], ['invalidResultReference']],
    [
      'that refers to a later one which refers back',
      [
        ['Core/echo', { '#a': { resultOf: 'y', name: 'Core/echo', path: '' } }, 'x'],
        ['Core/echo', { '#a': { resultOf: 'x', name: 'Core/echo', path: '' } }, 'y'],
      ],
      ['invalidResultReference', 'invalidResultReference'],
    ],
    [
      'with 10,000 conditions',
      [['Email/query', { accountId, filter: { operator: 'AND', conditions: Array(10_000).fill({ hasKeyword: 'x' }) } }, 'x']],
      ['unsupportedFilter'],
    ],
    ['with 100,000 ids', [['Email/get', { accountId, ids: Array.from({ length: 100_000 }, (_, i) => `e${i}`) }, 'x']], ['requestTooLarge']],
    ['with 100,000 properties', [['Email/get', { accountId, ids: [], properties: Array(100_000).fill('no') }, 'x']], ['invalidArguments']],
    ['with an id of a megabyte', [['Email/get', { accountId, ids: ['e'.repeat(1_000_000)] }, 'x']], ['Email/get']],
    [
      'with a name of the prototype',
      [['Core/echo', { '#a': { resultOf: 'x', name: 'x', path: '/__proto__' } }, 'y']],
      ['invalidResultReference'],
    ],
    ['of a method of the prototype', [['constructor', {}, 'x']], ['unknownMethod']],
    [
      'whose mailboxes are below each other',
      [['Mailbox/set', { accountId, create: { a: { name: 'A', parentId: '#b' }, b: { name: 'B', parentId: '#a' } } }, 'x']],
      ['Mailbox/set'],
    ],
  ])('%s is answered', async (_, calls, want) => {
    expect(await answers(calls)).toEqual(want);
    expect(await answers([['Core/echo', {}, 'x']])).toEqual(['Core/echo']);
  });

  it('whose references multiply is stopped', async () => {
    const path = '/list/*';
    const grow = (from: string) => ({ '#list': { resultOf: from, name: 'Core/echo', path } });
    const first = ['Core/echo', { list: Array(2000).fill(Array(10).fill(1)) }, 'c0'];
    expect((await answers([first, ['Core/echo', grow('c0'), 'c1']])).at(-1)).toBe('invalidResultReference');
  });
});

describe('an upload', () => {
  it('that stalls counts from its beginning, and its place is free when it is broken off', async () => {
    await app.server.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.server.address() as AddressInfo;
    const cache = cacheOf(app.account);
    const stalled = Array.from({ length: maxConcurrentUpload }, () => {
      const socket = connect(port, '127.0.0.1');
      socket.write(
        `POST /jmap/upload/${accountId} HTTP/1.1\r\nHost: x\r\nAuthorization: ${app.authorization()}\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nabc`,
      );
      return socket;
    });
    await expect.poll(() => cache.uploads).toBe(maxConcurrentUpload);
    const upload = () =>
      fetch(`http://127.0.0.1:${port}/jmap/upload/${accountId}`, {
        method: 'POST',
        headers: { authorization: app.authorization() },
        body: 'x',
      });
    const refused = await upload();
    expect([refused.status, await refused.json()]).toMatchObject([400, { limit: 'maxConcurrentUpload' }]);
    await Promise.all(
      stalled.map(async (socket) => {
        socket.destroy();
        await once(socket, 'close');
      }),
    );
    await expect.poll(() => cache.uploads).toBe(0);
    expect((await upload()).status).toBe(201);
    await expect.poll(() => cache.uploads).toBe(0);
  });
});
