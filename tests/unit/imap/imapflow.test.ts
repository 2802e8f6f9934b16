/** imapflow, as behind many a webmail, over real TCP: logs in, appends, lists, fetches, searches, moves, idles. */
import { type FetchMessageObject, ImapFlow } from 'imapflow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ImapApp, otherUser, password, startImapApp, user } from '../../support/imap/app.ts';

let app: ImapApp;
let port: number;
beforeAll(async () => {
  app = await startImapApp();
  port = (await app.listen()).port;
});
afterAll(() => app[Symbol.asyncDispose]());

async function open(login = user): Promise<ImapFlow> {
  const client = new ImapFlow({ host: '127.0.0.1', port, secure: false, auth: { user: login, pass: password }, logger: false });
  await client.connect();
  return client;
}

const message = (subject: string) => `From: a@example.org\r\nTo: me@example.com\r\nSubject: ${subject}\r\n\r\nHello from ${subject}.\r\n`;

describe('imapflow', () => {
  it('finds the special mailboxes', async () => {
    const client = await open();
    const mailboxes = await client.list();
    expect(mailboxes.map(({ path, specialUse }) => `${path} ${specialUse ?? ''}`.trim()).sort()).toEqual(
      ['INBOX \\Inbox', 'Archive \\Archive', 'Drafts \\Drafts', 'Junk \\Junk', 'Sent \\Sent', 'Trash \\Trash'].sort(),
    );
    await client.logout();
  });

  it('reads, marks and files what another account shares', async () => {
    const owner = await app.connect();
    await owner.command(`LOGIN ${user} "${password}"`);
    await owner.command('CREATE Shared');
    await owner.command(`APPEND Shared {${message('news').length}+}\r\n${message('news')}`);
    await owner.command(`SETACL Shared ${otherUser} lrswite`);
    const client = await open(otherUser);
    const path = `Other Users/${user}/Shared`;
    expect((await client.list()).map((mailbox) => mailbox.path)).toContain(path);
    const lock = await client.getMailboxLock(path);
    try {
      expect(client.mailbox).toMatchObject({ path, exists: 1, readOnly: false });
      expect(await client.messageFlagsAdd('1', ['\\Seen'])).toBe(true);
      expect(await client.search({ seen: false })).toEqual([]);
      expect(await client.append(path, message('answer'))).toMatchObject({ destination: path });
      expect(await client.messageMove('1', 'INBOX')).toMatchObject({ destination: 'INBOX', uidMap: new Map([[1, 1]]) });
    } finally {
      lock.release();
    }
    expect(await client.status('INBOX', { messages: true, unseen: true })).toMatchObject({ messages: 1, unseen: 0 });
    await client.logout();
    expect((await owner.command('STATUS Shared (MESSAGES UNSEEN)'))[0]).toBe('* STATUS "Shared" (MESSAGES 1 UNSEEN 1)');
    await owner.command('DELETE Shared');
    owner.close();
  });

  it('appends, fetches, flags, searches, copies, moves and deletes', async () => {
    const client = await open();
    await client.mailboxCreate(['Projects', 'Äpfel']);
    const lock = await client.getMailboxLock('INBOX');
    try {
      for (const subject of ['one', 'two', 'three']) {
        const appended = await client.append('INBOX', message(subject), ['\\Seen'], new Date(Date.UTC(2026, 10, 2, 10)));
        expect(appended).toMatchObject({ destination: 'INBOX' });
      }
      const fetched: FetchMessageObject[] = [];
      for await (const item of client.fetch('1:*', {
        uid: true,
        envelope: true,
        bodyStructure: true,
        flags: true,
        source: true,
        threadId: true,
      }))
        fetched.push(item);
      expect(fetched.map(({ envelope }) => envelope?.subject)).toEqual(['one', 'two', 'three']);
      expect(fetched[1]?.source?.toString()).toBe(message('two'));
      expect(fetched[0]?.flags?.has('\\Seen')).toBe(true);
      expect(fetched[0]?.emailId).toMatch(/^e/);
      expect(await client.search({ subject: 'THREE' }, { uid: true })).toEqual([fetched[2]!.uid]);
      expect(await client.messageFlagsAdd({ uid: String(fetched[0]!.uid) }, ['$Forwarded', '\\Flagged'], { uid: true })).toBe(true);
      const copied = await client.messageCopy('1', 'Projects/Äpfel');
      expect(copied).toMatchObject({ uidMap: new Map([[fetched[0]!.uid, 1]]) });
      const moved = await client.messageMove('2', 'Archive');
      expect(moved).toMatchObject({ uidMap: new Map([[fetched[1]!.uid, 1]]) });
      expect(await client.messageDelete('1')).toBe(true);
      expect(await client.status('INBOX', { messages: true, size: true })).toMatchObject({ messages: 1 });
      expect(client.mailbox).toMatchObject({ exists: 1 });
    } finally {
      lock.release();
    }
    await client.logout();
  });

  it('downloads a part of a message', async () => {
    const client = await open();
    await client.append('Sent', message('download'));
    const lock = await client.getMailboxLock('Sent');
    const { content } = await client.download('1', '1');
    let text = '';
    for await (const chunk of content!) text += chunk;
    expect(text.trim()).toBe('Hello from download.');
    lock.release();
    await client.logout();
  });

  it('hears of new mail while it idles', async () => {
    const [idler, writer] = await Promise.all([open(), open()]);
    await idler.mailboxOpen('Junk');
    const heard = new Promise<{ count: number }>((resolve) => idler.once('exists', resolve));
    void idler.idle();
    await writer.append('Junk', message('spam'));
    expect(await heard).toMatchObject({ count: 1 });
    await Promise.all([idler.logout(), writer.logout()]);
  });
});
