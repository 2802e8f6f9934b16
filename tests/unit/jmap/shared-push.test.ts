/** Pushes about accounts of which something is shared (RFC 9670 §1.4): by EventSource, by WebSocket and by web push; and no longer when it is not. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type AclIdentifier, anyone, RightSet } from '../../../protocol/mail/acl.ts';
import type { AccountId, MailboxNumber } from '../../../protocol/mail/ids.ts';
import { sharedAccount } from '../../../storage/sharing/shared-account.ts';
import { core, type JmapApp, mail, startJmapApp, users } from '../../support/jmap/app.ts';
import { deliver, rawMessage } from '../../support/open-accounts.ts';

const viewer = users['me@example.com'] as AccountId;
const owner = users['other@example.com'] as AccountId;

type Change = { readonly changed: Record<string, Record<string, string>>; readonly pushState?: string; readonly id?: string };

const inboxOf = (app: JmapApp): MailboxNumber => app.other.read((reader) => reader.mailboxByRole('inbox')!.id);

async function share(app: JmapApp, mailbox: MailboxNumber, letters: string, identifier: AclIdentifier = viewer): Promise<void> {
  await app.shares.setRights(app.other, mailbox, new Map([[identifier, () => RightSet.of(letters)]]), owner);
}

/** A message, marked by the states that it leads to. */
async function receive(app: JmapApp, mailbox: MailboxNumber): Promise<void> {
  await deliver(app.other, mailbox, rawMessage({ Subject: 'New' }));
}

interface Listener extends AsyncDisposable {
  next(): Promise<Change>;
}

async function listen(app: JmapApp): Promise<string> {
  await app.server.listen({ host: '127.0.0.1', port: 0 });
  return `127.0.0.1:${(app.server.server.address() as AddressInfo).port}`;
}

async function eventSource(app: JmapApp, host: string, lastEventId?: string): Promise<Listener> {
  const abort = new AbortController();
  const headers = { authorization: app.authorization(), ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) };
  const response = await fetch(`http://${host}/jmap/eventsource?types=*&closeafter=no&ping=0`, { headers, signal: abort.signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    async next() {
      for (;;) {
        const match = /event: state\nid: (.*)\ndata: (.*)\n\n/.exec(text);
        if (match !== null) {
          text = text.slice(match.index + match[0].length);
          return { ...(JSON.parse(match[2]!) as Change), id: match[1]! };
        }
        const { value } = await reader.read();
        text += value ?? '';
      }
    },
    async [Symbol.asyncDispose]() {
      abort.abort();
    },
  };
}

async function webSocket(app: JmapApp, host: string, pushState: string | null = null): Promise<Listener> {
  const socket = new WebSocket(`ws://${host}/jmap/ws`, 'jmap', { headers: { authorization: app.authorization() } });
  const messages: Change[] = [];
  let wake = Promise.withResolvers<void>();
  const enabled = Promise.withResolvers<void>();
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as Change & { readonly '@type': string };
    if (message['@type'] === 'StateChange') messages.push(message);
    else enabled.resolve();
    wake.resolve();
    wake = Promise.withResolvers<void>();
  });
  await once(socket, 'open');
  socket.send(JSON.stringify({ '@type': 'WebSocketPushEnable', dataTypes: null, pushState }));
  // Its answer comes when what was sent before has been read.
  socket.send(JSON.stringify({ '@type': 'Request', using: [core], methodCalls: [] }));
  await enabled.promise;
  return {
    async next() {
      while (messages.length === 0) await wake.promise;
      return messages.shift()!;
    },
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, 'close');
    },
  };
}

const ways = [
  ['EventSource', eventSource],
  ['WebSocket', webSocket],
] as const;

/** The first news of an account. */
async function newsOf(listener: Listener, account: string): Promise<Change> {
  for (;;) {
    const change = await listener.next();
    if (account in change.changed) return change;
  }
}

describe.each(ways)('%s', (_, open) => {
  it('tells of a shared account from the moment that something of it is shared', async () => {
    await using app = await startJmapApp();
    const host = await listen(app);
    await using listener = await open(app, host);
    await share(app, inboxOf(app), 'lr');
    expect((await newsOf(listener, viewer)).changed[viewer]).toHaveProperty('ShareNotification');
    // Until it is open, what comes is told with the states that it was opened at.
    const heard = newsOf(listener, owner);
    let isHeard = false;
    void heard.then(() => (isHeard = true));
    while (!isHeard) {
      await receive(app, inboxOf(app));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { changed } = await heard;
    expect(changed[owner]).toHaveProperty('Email');
    expect(changed[owner]).not.toHaveProperty('Identity');
  });

  it('goes on where it was left, and tells nothing of what is not shared', async () => {
    await using app = await startJmapApp();
    const host = await listen(app);
    const [inbox, archive] = [inboxOf(app), app.other.read((reader) => reader.mailboxByRole('archive')!.id)];
    await share(app, inbox, 'lr');
    const states = async () => {
      const { methodResponses } = await app.call([['Email/get', { accountId: owner, ids: [] }, 'c']]);
      return methodResponses[0]![1]['state'];
    };
    const none = '0;x=0';
    let from: string;
    {
      await using listener = await open(app, host, none);
      const { pushState, id } = await newsOf(listener, owner);
      from = (pushState ?? id)!;
      expect(from).toMatch(/^\d+;account2=\d+;/);
    }
    await receive(app, archive);
    await app.account.transact((tx) => tx.createMailbox({ name: 'Mine', parent: null }));
    await using listener = await open(app, host, from);
    expect(Object.keys((await listener.next()).changed)).toEqual([viewer]);
    await receive(app, inbox);
    expect((await newsOf(listener, owner)).changed[owner]!['Email']).toBe(await states());
  });

  it('tells no more when it is not shared any more', async () => {
    await using app = await startJmapApp();
    const host = await listen(app);
    const inbox = inboxOf(app);
    await share(app, inbox, 'lr');
    await using listener = await open(app, host, '0');
    await newsOf(listener, owner);
    await share(app, inbox, '');
    await newsOf(listener, viewer);
    await receive(app, inbox);
    await app.account.transact((tx) => tx.createMailbox({ name: 'Mine', parent: null }));
    for (;;) {
      const { changed } = await listener.next();
      // That mailboxes went may have been told before the account was gone; the message is not.
      expect(changed[owner] ?? {}).not.toHaveProperty('EmailDelivery');
      if (changed[viewer]?.['Mailbox'] !== undefined) break;
    }
  });
});

describe('a push subscription', () => {
  it('hears of accounts of which something is subscribed to, and of no others', async () => {
    await using app = await startJmapApp();
    const bodies: Record<string, unknown>[] = [];
    let wake = Promise.withResolvers<void>();
    const service = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      bodies.push(JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>);
      response.writeHead(201).end();
      wake.resolve();
      wake = Promise.withResolvers<void>();
    });
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
    try {
      const next = async () => {
        while (bodies.length === 0) await wake.promise;
        return bodies.shift()!;
      };
      const set = (args: object) => app.call([['PushSubscription/set', args, 'c']], { using: [core, mail] });
      const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}/`;
      await set({ create: { k: { deviceClientId: 'device', url, types: ['Email'] } } });
      const { verificationCode, pushSubscriptionId } = await next();
      await set({ update: { [String(pushSubscriptionId)]: { verificationCode } } });
      const inbox = inboxOf(app);
      const archive = app.other.read((reader) => reader.mailboxByRole('archive')!.id);
      // Everybody may look into the archive: who wants to hear of it subscribes to it.
      await share(app, archive, 'lr', anyone);
      app.pusher.attach(app.other);
      await receive(app, archive);
      await share(app, inbox, 'lr');
      await receive(app, inbox);
      const told = await next();
      const state = app.other.read((reader) => String(reader.modSeq));
      expect(told).toEqual({ '@type': 'StateChange', changed: { [owner]: { Email: expect.any(String) } } });
      let newest = told;
      while ((newest as unknown as Change).changed[owner]!['Email'] !== state) newest = await next();
      await share(app, inbox, '');
      await sharedAccount(app.other, viewer).transact((tx) => tx.updateMailbox(archive, { subscribed: true }));
      await receive(app, archive);
      const last = app.other.read((reader) => String(reader.modSeq));
      do newest = await next();
      while ((newest as unknown as Change).changed[owner]!['Email'] !== last);
    } finally {
      service.closeAllConnections();
      await new Promise((resolve) => service.close(resolve));
    }
  });
});
