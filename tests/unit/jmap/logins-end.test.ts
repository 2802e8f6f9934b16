/** What a login has made ends with its password, or with its token (RFC 8620 §7.2). */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import { PasswordAuthenticator } from '../../../server/auth/authenticator.ts';
import { hashAppPassword, makePasswordKeys } from '../../../server/auth/password.ts';
import { proofHolds } from '../../../server/auth/proof.ts';
import { systemClock } from '../../../server/clock.ts';
import { subscriptionType } from '../../../server/jmap/push/subscription.ts';
import { silentLogger } from '../../../server/logger.ts';
import { core, type JmapApp, mail, startJmapApp } from '../../support/jmap/app.ts';
import { deliver, rawMessage } from '../../support/open-accounts.ts';

const me = 'me@example.com';
let app: JmapApp;
let origin: string;
let appPasswordId: string;

beforeEach(async () => {
  app = await startJmapApp({
    authenticator: (directory) =>
      new PasswordAuthenticator({
        directory,
        clock: systemClock,
        logger: silentLogger,
        defaultDomain: 'example.com',
        directoryAgeMsMax: 60_000,
      }),
  });
  await app.directory.setPassword(me, await makePasswordKeys('first'));
  appPasswordId = await app.directory.addAppPassword(me, { name: 'phone', sha256: hashAppPassword('app-password'), scopes: [] });
  await app.server.listen({ host: '127.0.0.1', port: 0 });
  origin = `127.0.0.1:${(app.server.server.address() as AddressInfo).port}`;
});
afterEach(() => app[Symbol.asyncDispose]());

const basic = (password: string) => ({ authorization: `Basic ${Buffer.from(`${me}:${password}`).toString('base64')}` });

async function openSocket(password: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://${origin}/jmap/ws`, 'jmap', { headers: basic(password) });
  await once(socket, 'open');
  return socket;
}

async function call(password: string, name: string, args: object): Promise<Record<string, unknown>> {
  const response = await fetch(`http://${origin}/jmap/api`, {
    method: 'POST',
    headers: { ...basic(password), 'content-type': 'application/json' },
    body: JSON.stringify({ using: [core, mail], methodCalls: [[name, args, 'c']] }),
  });
  return ((await response.json()) as { methodResponses: [string, Record<string, unknown>][] }).methodResponses[0]![1];
}

async function receive(): Promise<void> {
  await deliver(app.account, app.account.read((reader) => reader.mailboxByRole('inbox'))!.id, rawMessage({ Subject: 'New' }));
}

const changes = [
  { what: 'a changed password', password: 'first', end: async () => app.directory.setPassword(me, await makePasswordKeys('second')) },
  { what: 'an app password taken back', password: 'app-password', end: () => app.directory.removeAppPassword(me, appPasswordId) },
];

for (const { what, password, end } of changes) {
  it(`ends a WebSocket with ${what}, instead of answering or telling news`, async () => {
    const [asking, listening] = await Promise.all([openSocket(password), openSocket(password)]);
    listening.send(JSON.stringify({ '@type': 'WebSocketPushEnable', dataTypes: null }));
    const messages: unknown[] = [];
    for (const socket of [asking, listening]) socket.on('message', (data) => messages.push(JSON.parse(String(data))));
    asking.send(JSON.stringify({ '@type': 'Request', using: [core], methodCalls: [['Core/echo', {}, 'c']] }));
    await once(asking, 'message');
    await end();
    const closed = Promise.all([once(asking, 'close'), once(listening, 'close')]);
    asking.send(JSON.stringify({ '@type': 'Request', using: [core], methodCalls: [['Core/echo', {}, 'c']] }));
    await receive();
    expect((await closed).map(([code]) => code as number)).toEqual([1008, 1008]);
    expect(messages).toHaveLength(1);
  });

  it(`ends an EventSource with ${what}, without telling news`, async () => {
    const url = `http://${origin}/jmap/eventsource?types=*&closeafter=no&ping=0`;
    const response = await fetch(url, { headers: basic(password) });
    await end();
    await receive();
    expect(await response.text()).toBe(': events\n\n');
    expect((await fetch(url, { headers: basic(password) })).status).toBe(401);
  });
}

it('leaves open what another password has opened', async () => {
  const socket = await openSocket('app-password');
  await app.directory.setPassword(me, await makePasswordKeys('second'));
  socket.send(JSON.stringify({ '@type': 'Request', using: [core], methodCalls: [['Core/echo', {}, 'c']] }));
  const [data] = (await once(socket, 'message')) as [Buffer];
  expect(JSON.parse(String(data))).toMatchObject({ methodResponses: [['Core/echo', {}, 'c']] });
  socket.close();
});

it('lets a token hold until its time, and nobody whose account is gone', () => {
  const { directory } = app;
  expect(proofHolds(directory, 999, 'account1' as AccountId, { tokenUntil: 1000 })).toBe(true);
  expect(proofHolds(directory, 1000, 'account1' as AccountId, { tokenUntil: 1000 })).toBe(false);
  expect(proofHolds(directory, 0, 'gone' as AccountId, undefined)).toBe(false);
});

it('destroys a push subscription with the password that made it, pushes nothing more, and shows it to no other password', async () => {
  const bodies: Record<string, string>[] = [];
  let heard = Promise.withResolvers<void>();
  const service: Server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    bodies.push(JSON.parse(body) as Record<string, string>);
    response.writeHead(201).end();
    heard.resolve();
    heard = Promise.withResolvers();
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}/`;
  try {
    for (const password of ['first', 'app-password']) {
      const next = heard.promise;
      const { created } = await call(password, 'PushSubscription/set', {
        create: { k: { deviceClientId: password, url: `${url}${password}` } },
      });
      await next;
      const id = (created as Record<string, { id: string }>)['k']!.id;
      await call(password, 'PushSubscription/set', { update: { [id]: { verificationCode: bodies.at(-1)!['verificationCode'] } } });
    }
    const listOf = async (password: string) =>
      ((await call(password, 'PushSubscription/get', {}))['list'] as { id: string; deviceClientId: string }[]).map(
        ({ deviceClientId }) => deviceClientId,
      );
    expect([await listOf('first'), await listOf('app-password')]).toEqual([['first'], ['app-password']]);
    const foreign = app.account
      .read((reader) => [...reader.objects<{ deviceClientId: string }>(subscriptionType)])
      .find(({ value }) => value.deviceClientId === 'first')!;
    expect(await call('app-password', 'PushSubscription/set', { destroy: [foreign.id] })).toMatchObject({
      notDestroyed: { [foreign.id]: { type: 'notFound' } },
    });

    await app.directory.setPassword(me, await makePasswordKeys('second'));
    bodies.length = 0;
    const next = heard.promise;
    await receive();
    await next;
    await call('app-password', 'Core/echo', {});
    expect(bodies).toHaveLength(1);
    expect(app.account.read((reader) => [...reader.objects(subscriptionType)])).toHaveLength(1);
    expect(await listOf('second')).toEqual([]);
  } finally {
    await new Promise((resolve) => service.close(resolve));
  }
});
