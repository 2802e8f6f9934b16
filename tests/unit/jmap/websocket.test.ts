/** JMAP over WebSocket (RFC 8887), by a real client on a real port. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { core, type JmapApp, mail, startJmapApp } from '../../support/jmap/app.ts';
import { deliver, rawMessage } from '../../support/open-accounts.ts';

type Message = Record<string, unknown>;

/** An open connection: what comes is read message by message. */
class Client implements AsyncDisposable {
  readonly socket: WebSocket;
  readonly #messages: Message[] = [];
  #wake: () => void = () => {};

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => {
      this.#messages.push(JSON.parse(String(data)) as Message);
      this.#wake();
    });
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  async next(): Promise<Message> {
    while (this.#messages.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#messages.shift()!;
  }

  async ask(methodCalls: unknown[], id = 'r'): Promise<Message> {
    this.send({ '@type': 'Request', id, using: [core, mail], methodCalls });
    return this.next();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    this.socket.close();
    await once(this.socket, 'close');
  }
}

async function listen(app: JmapApp): Promise<string> {
  await app.server.listen({ host: '127.0.0.1', port: 0 });
  return `ws://127.0.0.1:${(app.server.server.address() as AddressInfo).port}/jmap/ws`;
}

async function connect(app: JmapApp, url: string): Promise<Client> {
  const socket = new WebSocket(url, 'jmap', { headers: { authorization: app.authorization() } });
  await once(socket, 'open');
  return new Client(socket);
}

/** The HTTP status that a handshake is refused with. */
async function refusal(url: string, protocol: string | undefined, headers: Record<string, string>): Promise<number | undefined> {
  const socket = new WebSocket(url, protocol === undefined ? [] : [protocol], { headers });
  socket.on('error', () => {});
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode?: number; resume(): void }];
  response.resume();
  return response.statusCode;
}

async function receive(app: JmapApp, subject: string): Promise<void> {
  const inbox = app.account.read((reader) => reader.mailboxByRole('inbox'))!;
  await deliver(app.account, inbox.id, rawMessage({ Subject: subject }));
}

describe('JMAP over WebSocket', () => {
  it('is where the session says, and answers requests by their ids', async () => {
    await using app = await startJmapApp();
    const url = await listen(app);
    const session = await app.server.inject({
      url: '/jmap/session',
      headers: { authorization: app.authorization(), host: url.slice(5, -8) },
    });
    expect(session.json().capabilities['urn:ietf:params:jmap:websocket']).toEqual({ url, supportsPush: true });
    await using client = await connect(app, url);
    expect(client.socket.protocol).toBe('jmap');
    expect(await client.ask([['Core/echo', { a: 1 }, 'c']], 'one')).toMatchObject({
      '@type': 'Response',
      requestId: 'one',
      methodResponses: [['Core/echo', { a: 1 }, 'c']],
      sessionState: session.json().state,
    });
    client.send({ '@type': 'Request', using: [core], methodCalls: [] });
    const anonymous = await client.next();
    expect([anonymous['@type'], 'requestId' in anonymous]).toEqual(['Response', false]);
  });

  it('refuses a handshake as any request is refused', async () => {
    await using app = await startJmapApp();
    const url = await listen(app);
    const authorization = app.authorization();
    expect(await refusal(url, 'jmap', {})).toBe(401);
    expect(await refusal(url, 'jmap', { authorization: `Basic ${Buffer.from('me@example.com:wrong').toString('base64')}` })).toBe(401);
    expect(await refusal(url, undefined, { authorization })).toBe(400);
    expect(await refusal(url, 'xmpp', { authorization })).toBe(400);
    expect(await refusal(url.replace('/ws', '/session'), 'jmap', { authorization })).toBe(404);
    // A page elsewhere, whose browser remembers the login (RFC 6455 §10.2).
    for (const origin of ['https://elsewhere.example', 'null', url.replace('ws:', 'https:').slice(0, -8)])
      expect(await refusal(url, 'jmap', { authorization, origin })).toBe(403);
    const plain = await fetch(url.replace('ws:', 'http:'), { headers: { authorization } });
    expect(plain.status).toBe(426);
  });

  it('is open to pages of its own origin and of those that are configured', async () => {
    await using app = await startJmapApp();
    const url = await listen(app);
    for (const origin of [url.replace('ws:', 'http:').slice(0, -8), 'https://web.example.com']) {
      const socket = new WebSocket(url, 'jmap', { headers: { authorization: app.authorization(), origin } });
      await once(socket, 'open');
      await using client = new Client(socket);
      expect(await client.ask([])).toMatchObject({ '@type': 'Response' });
    }
  });

  it.each([
    ['no JSON', '{"', 'urn:ietf:params:jmap:error:notJSON', undefined],
    ['no object', '[]', 'urn:ietf:params:jmap:error:notRequest', undefined],
    ['no type', '{"id":"x","using":[],"methodCalls":[]}', 'urn:ietf:params:jmap:error:notRequest', 'x'],
    ['no calls', '{"@type":"Request","id":"x","using":[]}', 'urn:ietf:params:jmap:error:notRequest', 'x'],
    [
      'an unknown capability',
      '{"@type":"Request","id":"x","using":["urn:no"],"methodCalls":[]}',
      'urn:ietf:params:jmap:error:unknownCapability',
      'x',
    ],
    ['types that are none', '{"@type":"WebSocketPushEnable","dataTypes":"Email"}', 'urn:ietf:params:jmap:error:notRequest', undefined],
  ])('answers %s with a RequestError, and goes on', async (_, message, type, requestId) => {
    await using app = await startJmapApp();
    await using client = await connect(app, await listen(app));
    client.send(message);
    const error = await client.next();
    expect(error).toMatchObject({ '@type': 'RequestError', type, status: 400 });
    expect(error['requestId']).toBe(requestId);
    expect(await client.ask([])).toMatchObject({ '@type': 'Response' });
  });

  it('pushes the states of the types that were asked for, until it is told not to', async () => {
    await using app = await startJmapApp();
    await using client = await connect(app, await listen(app));
    client.send({ '@type': 'WebSocketPushEnable', dataTypes: ['Email', 'Nothing'], pushState: null });
    await client.ask([]);
    await receive(app, 'First');
    const news = await client.next();
    const changed = (news['changed'] as Record<string, Record<string, string>>)[app.account.id]!;
    expect([news['@type'], Object.keys(changed)]).toEqual(['StateChange', ['Email']]);
    const { methodResponses } = await client.ask([['Email/get', { accountId: app.account.id, ids: [] }, 'g']]);
    expect((methodResponses as [string, Message][])[0]![1]['state']).toBe(changed['Email']);
    client.send({ '@type': 'WebSocketPushDisable' });
    await client.ask([]);
    await receive(app, 'Second');
    // What comes next is the answer, and no StateChange before it.
    expect(await client.ask([], 'last')).toMatchObject({ '@type': 'Response', requestId: 'last' });
  });

  it('tells a client that comes back what it has missed', async () => {
    await using app = await startJmapApp();
    const url = await listen(app);
    let pushState: unknown;
    {
      await using client = await connect(app, url);
      client.send({ '@type': 'WebSocketPushEnable', dataTypes: null });
      await client.ask([]);
      await receive(app, 'First');
      ({ pushState } = await client.next());
    }
    await receive(app, 'Second');
    await using client = await connect(app, url);
    client.send({ '@type': 'WebSocketPushEnable', dataTypes: ['Email'], pushState });
    expect(await client.next()).toMatchObject({ '@type': 'StateChange', changed: { [app.account.id]: { Email: expect.any(String) } } });
  });

  it('ends what is not text, and what is larger than a request may be', async () => {
    await using app = await startJmapApp();
    const url = await listen(app);
    for (const [message, code] of [
      [Buffer.from('{}'), 1003],
      ['x'.repeat(10_000_001), 1009],
    ] as const) {
      const client = await connect(app, url);
      client.socket.send(message);
      expect(await once(client.socket, 'close')).toEqual([code, expect.anything()]);
    }
  });

  it('ends when the server does', async () => {
    const app = await startJmapApp();
    const client = await connect(app, await listen(app));
    const closed = once(client.socket, 'close');
    await app[Symbol.asyncDispose]();
    expect(await closed).toEqual([1001, expect.anything()]);
  });
});
