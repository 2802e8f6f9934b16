/**
 * An account of which one mailbox is shared, and that with some rights only: whatever ids a sharee tries in whatever method, he gets nothing of the rest, not
 * even that it is there. The rest is full of a word that must never be seen, and its ids must not come but where he named them himself.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RightSet } from '../../protocol/mail/acl.ts';
import { formatEmailId, formatMailboxId, formatThreadId, type MailboxNumber } from '../../protocol/mail/ids.ts';
import { methods } from '../../server/jmap/methods/index.ts';
import { capabilities } from '../../server/jmap/session.ts';
import { type JmapApp, startJmapApp, users } from '../support/jmap/app.ts';
import { deliver, rawMessage } from '../support/open-accounts.ts';

const secret = 'Xylophagous';
const using = Object.keys(capabilities);
const owner = users['other@example.com'];

let app: JmapApp;
let shared: MailboxNumber;
/** Of the rest, by what they name. */
let ids: Readonly<Record<'email' | 'thread' | 'mailbox' | 'below' | 'identity' | 'submission' | 'blob' | 'part' | 'upload', string>>;

beforeAll(async () => {
  app = await startJmapApp();
  const { other } = app;
  const inbox = other.read((reader) => reader.mailboxByRole('inbox'))!;
  shared = await other.transact((tx) => tx.createMailbox({ name: 'Shared', parent: null }).id);
  const rest = await other.transact((tx) => tx.createMailbox({ name: secret, parent: null }).id);
  const below = await other.transact((tx) => tx.createMailbox({ name: `${secret} below`, parent: shared }).id);
  const headers = {
    From: `${secret} <other@example.com>`,
    Subject: 'Topic',
    'Message-ID': '<root@x>',
    'Disposition-Notification-To': 'other@example.com',
  };
  const hidden = await deliver(other, inbox.id, rawMessage(headers, `${secret}\r\n`));
  await deliver(other, rest, rawMessage({ ...headers, 'Message-ID': '<two@x>' }, `${secret}\r\n`));
  await deliver(other, below, rawMessage({ ...headers, 'Message-ID': '<three@x>' }, `${secret}\r\n`));
  // Of one thread with what is hidden, and one that is in a hidden mailbox too.
  await deliver(other, shared, rawMessage({ Subject: 'Re: Topic', 'Message-ID': '<a@x>', References: '<root@x>' }, 'plain\r\n'));
  const both = await deliver(other, shared, rawMessage({ Subject: 'Both', 'Message-ID': '<b@x>' }, 'plain\r\n'));
  await other.transact((tx) => tx.setMailboxes(both.id, [shared, rest]));
  const as = { using, user: 'other@example.com' } as const;
  const made = await app.call(
    [
      ['Email/get', { accountId: owner, ids: [formatEmailId(hidden.id)], properties: ['blobId', 'textBody'] }, '0'],
      ['Identity/set', { accountId: owner, create: { k: { email: 'other@example.com', name: secret } } }, '1'],
      ['Blob/upload', { accountId: owner, create: { k: { data: [{ 'data:asText': secret }] } } }, '2'],
      ['VacationResponse/set', { accountId: owner, update: { singleton: { textBody: secret } } }, '3'],
    ],
    as,
  );
  const answers = made.methodResponses.map(([, args]) => args) as Record<string, Record<string, { id: string }>>[];
  const [email] = answers[0]!['list'] as unknown as { blobId: string; textBody: { blobId: string }[] }[];
  const identity = answers[1]!['created']!['k']!.id;
  const sent = await app.call(
    [['EmailSubmission/set', { accountId: owner, create: { k: { identityId: identity, emailId: formatEmailId(hidden.id) } } }, '0']],
    as,
  );
  ids = {
    email: formatEmailId(hidden.id),
    thread: formatThreadId(hidden.thread),
    mailbox: formatMailboxId(rest),
    below: formatMailboxId(below),
    identity,
    submission: (sent.methodResponses[0]![1] as { created: { k: { id: string } } }).created.k.id,
    blob: email!.blobId,
    part: email!.textBody[0]!.blobId,
    upload: answers[2]!['created']!['k']!.id,
  };
  await app.shares.setRights(other, shared, new Map([[users['me@example.com'], () => RightSet.of('lrsi')]]) as never, other.id);
});
afterAll(() => app[Symbol.asyncDispose]());

/** Arguments that a method could be tricked by: every id in every place where it takes one. */
function attempts(name: string): object[] {
  const all = Object.values(ids);
  const into = { [formatMailboxId(shared)]: true };
  const hidden = { [ids.mailbox]: true };
  const disposition = { actionMode: 'manual-action', sendingMode: 'mdn-sent-manually', type: 'displayed' };
  const blobs = [ids.blob, ids.part, ids.upload];
  const byName: Readonly<Record<string, object[]>> = {
    'Email/set': [
      { create: { k: { mailboxIds: hidden } }, update: { [ids.email]: { mailboxIds: into } } },
      ...blobs.map((blobId) => ({ create: { k: { mailboxIds: into, textBody: [{ blobId, type: 'text/plain' }] } } })),
    ],
    'Email/copy': [{ fromAccountId: app.account.id, create: { k: { id: ids.email, mailboxIds: into } } }],
    'Blob/copy': [{ fromAccountId: app.account.id, blobIds: all }],
    'Blob/upload': blobs.map((blobId) => ({ create: { k: { data: [{ blobId }] } } })),
    'Blob/lookup': [{ typeNames: ['Email', 'Thread', 'Mailbox'], ids: all }],
    'Email/import': blobs.map((blobId) => ({ emails: { k: { blobId, mailboxIds: into } } })),
    'Email/parse': [{ blobIds: all }],
    'MDN/parse': [{ blobIds: all }],
    'MDN/send': [{ identityId: ids.identity, send: { k: { forEmailId: ids.email, disposition } } }],
    'EmailSubmission/set': [{ create: { k: { identityId: ids.identity, emailId: ids.email } }, onSuccessDestroyEmail: [ids.submission] }],
    'SearchSnippet/get': [{ filter: { text: secret }, emailIds: all }],
    'Mailbox/set': [
      { create: { k: { name: 'x', parentId: ids.mailbox } }, update: { [formatMailboxId(shared)]: { parentId: ids.mailbox } } },
    ],
    'Thread/get': [{ ids: all }],
  };
  const standard: Readonly<Record<string, object[]>> = {
    get: [{ ids: all }, {}],
    changes: [{ sinceState: '0' }, { sinceState: '0', maxChanges: 1 }],
    query: [
      ...[{}, { filter: { text: secret } }, { filter: { inMailbox: ids.mailbox } }, { filter: { inMailboxOtherThan: [ids.mailbox] } }],
      ...[{ filter: { name: secret } }, { anchor: ids.email }, { sortAsTree: true }, { collapseThreads: true }],
      { filter: { allInThreadHaveKeyword: '$seen' } },
    ],
    queryChanges: [{ sinceQueryState: '0' }, { sinceQueryState: '0', collapseThreads: true }],
    set: [{ update: Object.fromEntries(all.map((id) => [id, {}])), destroy: all }],
  };
  return [...(standard[name.split('/')[1]!] ?? []), ...(byName[name] ?? blobs.map((blobId) => ({ blobId })))];
}

/** Members of a response that say what there is; the others name what was asked for. */
const telling = new Set([
  'list',
  'ids',
  'created',
  'updated',
  'destroyed',
  'removed',
  'added',
  'copied',
  'parsed',
  'mailboxIds',
  'emailIds',
]);

function told(value: unknown, isTold = false): string[] {
  if (typeof value === 'string') return isTold ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => {
    const is = isTold || telling.has(key);
    return [...(is && !Array.isArray(value) ? [key] : []), ...told(member, is)];
  });
}

describe('what is not shared of a shared account', () => {
  const names = [...methods.values()].filter(({ isOnAccount }) => isOnAccount).map(({ name }) => name);

  it.each(names)('does not come out of %s', async (name) => {
    // The thread is shown, with what of it is shared.
    const { thread, ...others } = ids;
    for (const args of attempts(name)) {
      const { methodResponses } = await app.call([[name, { ...args, accountId: owner }, 'c']], { using });
      expect(JSON.stringify(methodResponses)).not.toContain(secret);
      const seen = new Set(told(methodResponses));
      expect(Object.values(others).filter((id) => seen.has(id))).toEqual([]);
      expect(thread).toBeDefined();
    }
  });

  it('leaves what is shared to be seen', async () => {
    const { methodResponses } = await app.call(
      [
        ['Mailbox/get', { accountId: owner, properties: ['name', 'totalEmails', 'totalThreads'] }, 'm'],
        ['Email/query', { accountId: owner, calculateTotal: true, filter: { inMailbox: formatMailboxId(shared) } }, 'q'],
        ['Thread/get', { accountId: owner, ids: [ids.thread] }, 't'],
        ['Email/get', { accountId: owner, '#ids': { resultOf: 'q', name: 'Email/query', path: '/ids' }, properties: ['mailboxIds'] }, 'e'],
      ],
      { using },
    );
    const mailboxIds = { [formatMailboxId(shared)]: true };
    const [, query] = methodResponses.map(([, args]) => args);
    expect((query!['ids'] as string[]).length).toBe(query!['total']);
    expect(methodResponses[0]![1]).toMatchObject({ list: [{ name: 'Shared', totalEmails: query!['total'] }] });
    expect((methodResponses[2]![1]['list'] as { emailIds: string[] }[])[0]!.emailIds).toHaveLength(1);
    for (const email of methodResponses[3]![1]['list'] as object[]) expect(email).toMatchObject({ mailboxIds });
  });

  it('is as it was after all that', async () => {
    const { methodResponses } = await app.call(
      [
        ['Email/query', { accountId: owner, filter: { text: secret }, calculateTotal: true }, 'q'],
        ['EmailSubmission/get', { accountId: owner, ids: [ids.submission] }, 's'],
        ['Mailbox/get', { accountId: owner, ids: [ids.mailbox, ids.below], properties: ['name', 'totalEmails'] }, 'm'],
        ['VacationResponse/get', { accountId: owner }, 'v'],
      ],
      { using, user: 'other@example.com' },
    );
    expect(methodResponses).toMatchObject([
      ['Email/query', { total: 3 }, 'q'],
      ['EmailSubmission/get', { list: [{ id: ids.submission }] }, 's'],
      ['Mailbox/get', { list: [{ name: secret, totalEmails: 2 }, { totalEmails: 1 }] }, 'm'],
      ['VacationResponse/get', { list: [{ textBody: secret }] }, 'v'],
    ]);
  });

  it('is not downloaded', async () => {
    for (const id of Object.values(ids)) {
      const url = `/jmap/download/${owner}/${id}/a`;
      const response = await app.server.inject({ url, headers: { authorization: app.authorization() } });
      expect([url, response.statusCode, response.body.includes(secret)]).toEqual([url, 404, false]);
    }
  });
});
