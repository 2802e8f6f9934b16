/** JMAP on a whole server, by jmap-jam: list, read, move, flag; IMAP shows the same; EventSource tells of a delivery. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectJam, type Jam } from '../support/jmap/jam.ts';
import { makeServerFolder, password, type RunningServer, type ServerFolder } from '../support/running-server.ts';
import { sesMessage } from '../support/ses-message.ts';

let folder: ServerFolder;
beforeEach(() => {
  folder = makeServerFolder();
});
afterEach(() => folder[Symbol.dispose]());

const authorization = `Basic ${Buffer.from(`me@localhost:${password}`).toString('base64')}`;

interface OpenedClient {
  readonly jam: Jam;
  readonly accountId: string;
  readonly origin: string;
}

async function connect(server: RunningServer): Promise<OpenedClient> {
  const { host, port } = server.addressOf('http');
  const origin = `http://${host}:${port}`;
  const jam = await connectJam(`${origin}/.well-known/jmap`, authorization);
  return { jam, accountId: await jam.getPrimaryAccount(), origin };
}

/** The events of a stream, as they come. */
async function* eventsOf(response: Response): AsyncGenerator<{ event: string; data: string }> {
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = new Map(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      text = text.slice(end + 2);
      if (fields.has('event')) yield { event: fields.get('event')!, data: fields.get('data')! };
    }
  }
}

/** Drops a message in, and resolves when EventSource has told of it. */
async function dropAndHear({ origin }: OpenedClient, name: string, raw: Uint8Array): Promise<Record<string, Record<string, string>>> {
  const response = await fetch(`${origin}/jmap/eventsource?types=*&closeafter=state&ping=0`, { headers: { authorization } });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  await folder.drop(name, raw);
  for await (const { event, data } of eventsOf(response)) {
    if (event === 'state') return (JSON.parse(data) as { changed: Record<string, Record<string, string>> }).changed;
  }
  throw new Error('the stream ended without a state');
}

describe('a JMAP client', () => {
  const message = sesMessage({ id: 'op118no2', to: 'me@localhost', subject: 'Intermezzo in A' });

  it('hears of a delivery by EventSource, at the states that /get then gives', async () => {
    await using server = await folder.start();
    const client = await connect(server);
    const changed = await dropAndHear(client, 'op118no2', message);
    expect(Object.keys(changed)).toEqual([client.accountId]);
    const states = changed[client.accountId]!;
    const { jam, accountId } = client;
    const [emails] = await jam.api['Email']!['get']!({ accountId, ids: [] });
    const [mailboxes] = await jam.api['Mailbox']!['get']!({ accountId, ids: [] });
    const [threads] = await jam.api['Thread']!['get']!({ accountId, ids: [] });
    expect(states).toEqual({ Email: emails.state, Mailbox: mailboxes.state, Thread: threads.state, EmailDelivery: expect.any(String) });
    expect(server.complaints).toEqual([]);
  });

  it('lists, reads, moves and flags mail, and IMAP shows the same', async () => {
    await using server = await folder.start();
    const client = await connect(server);
    const { jam, accountId } = client;
    await dropAndHear(client, 'op118no2', message);

    const [{ list: mailboxes }] = await jam.api['Mailbox']!['get']!({ accountId });
    const idOf = (role: string) => mailboxes.find((mailbox) => mailbox.role === role)!.id;
    const [{ listed }] = await jam.requestMany((t) => {
      const queried = t['Email']!['query']!({
        accountId,
        filter: { inMailbox: idOf('inbox') },
        sort: [{ property: 'receivedAt', isAscending: false }],
      });
      const listed = t['Email']!['get']!({
        accountId,
        ids: queried.$ref('/ids'),
        properties: ['id', 'blobId', 'subject', 'preview', 'textBody', 'bodyValues'],
        fetchTextBodyValues: true,
      });
      return { queried, listed };
    });
    const [email] = listed!.list;
    expect(email).toMatchObject({ subject: 'Intermezzo in A' });
    expect(Object.values(email!.bodyValues)).toHaveLength(1);
    const download = await jam.downloadBlob({ accountId, blobId: email!.blobId, mimeType: 'message/rfc822', fileName: 'a.eml' });
    expect(Buffer.from(await download.arrayBuffer()).toString('latin1')).toBe(message.toString('latin1'));

    const [moved] = await jam.api['Email']!['set']!({
      accountId,
      update: { [email!.id]: { 'keywords/$flagged': true, 'keywords/$seen': true, mailboxIds: { [idOf('archive')]: true } } },
    });
    expect(moved).toMatchObject({ updated: { [email!.id]: null } });

    const imap = await server.imap();
    expect((await imap.mailboxOpen('INBOX')).exists).toBe(0);
    const archive = (await imap.list()).find(({ specialUse }) => specialUse === '\\Archive')!;
    await imap.mailboxOpen(archive.path);
    const [shown] = await imap.fetchAll('1:*', { flags: true, envelope: true, emailId: true } as object);
    expect(shown).toMatchObject({ envelope: { subject: 'Intermezzo in A' }, emailId: email!.id });
    expect([...shown!.flags!].sort()).toEqual(['\\Flagged', '\\Seen']);
    await imap.logout();
    expect(server.complaints).toEqual([]);
  });

  it('uploads and imports a message, which a restart from the bucket keeps', async () => {
    let emailId: string;
    {
      await using server = await folder.start();
      const { jam, accountId } = await connect(server);
      const { blobId } = await jam.uploadBlob(accountId, new Blob([message]), {
        headers: { authorization, 'content-type': 'message/rfc822' },
      });
      const [{ list }] = await jam.api['Mailbox']!['get']!({ accountId });
      const inbox = list.find(({ role }) => role === 'inbox')!.id;
      const [imported] = await jam.api['Email']!['import']!({
        accountId,
        emails: { k: { blobId, mailboxIds: { [inbox]: true }, keywords: {} } },
      });
      emailId = imported.created['k']!.id;
    }
    await using server = await folder.start();
    const { jam, accountId } = await connect(server);
    const [{ list }] = await jam.api['Email']!['get']!({ accountId, ids: [emailId], properties: ['subject'] });
    expect(list).toMatchObject([{ id: emailId, subject: 'Intermezzo in A' }]);
  });

  it('writes a draft and sends it, which moves it and delivers it', async () => {
    await using server = await folder.start();
    const client = await connect(server);
    const { jam, accountId, origin } = client;
    const [{ list: mailboxes }] = await jam.api['Mailbox']!['get']!({ accountId });
    const idOf = (role: string) => mailboxes.find((mailbox) => mailbox.role === role)!.id as string;
    const [{ list: identities }] = await jam.api['Identity']!['get']!({ accountId });
    const [identity] = identities;
    expect(identity).toMatchObject({ email: 'me@localhost', mayDelete: false });

    const [{ created }] = await jam.api['Email']!['set']!({
      accountId,
      create: {
        draft: {
          mailboxIds: { [idOf('drafts')]: true },
          keywords: { $draft: true, $seen: true },
          from: [{ name: 'Me', email: 'me@localhost' }],
          to: [{ name: null, email: 'me@localhost' }],
          bcc: [{ name: null, email: 'me+hidden@localhost' }],
          subject: 'Sonata',
          bodyValues: { 1: { value: 'Allegro.' } },
          textBody: [{ partId: '1', type: 'text/plain' }],
        },
      },
    });
    const draft = created['draft']!.id;
    const events = await fetch(`${origin}/jmap/eventsource?types=EmailDelivery&closeafter=state&ping=0`, { headers: { authorization } });
    const [sent] = await jam.api['EmailSubmission']!['set']!({
      accountId,
      create: { k: { identityId: identity.id, emailId: draft } },
      onSuccessUpdateEmail: {
        '#k': { [`mailboxIds/${idOf('drafts')}`]: null, [`mailboxIds/${idOf('sent')}`]: true, 'keywords/$draft': null },
      },
    });
    expect(sent.created['k']).toMatchObject({ undoStatus: 'pending' });
    await events.text();

    const [{ ids }] = await jam.api['Email']!['query']!({ accountId, filter: { inMailbox: idOf('inbox') } });
    const [{ list }] = await jam.api['Email']!['get']!({ accountId, ids: [draft, ...ids], properties: ['subject', 'mailboxIds', 'bcc'] });
    expect(list[0]).toMatchObject({ id: draft, mailboxIds: { [idOf('sent')]: true }, bcc: [{ email: 'me+hidden@localhost' }] });
    // RFC 8621 §7.5: nobody is told of Bcc.
    expect(list[1]).toMatchObject({ subject: 'Sonata', bcc: null });
  });

  it('is let go when the server stops, also while it listens for events', async () => {
    const server = await folder.start();
    const { origin } = await connect(server);
    const response = await fetch(`${origin}/jmap/eventsource?types=Email&closeafter=no&ping=0`, { headers: { authorization } });
    await server[Symbol.asyncDispose]();
    await expect(response.text()).resolves.toBe(': events\n\n');
  });
});
