/**
 * Nothing of another account comes out of any method, download or push, whatever ids are tried in whatever place: the other account is full of a word
 * that must never be seen, and its ids are tried under one's own account and under its own.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { methods } from '../../server/jmap/methods/index.ts';
import { capabilities } from '../../server/jmap/session.ts';
import { type JmapApp, startJmapApp } from '../support/jmap/app.ts';
import { deliver, rawMessage } from '../support/open-accounts.ts';

const secret = 'Xylophagous';
const using = Object.keys(capabilities);

let app: JmapApp;
/** Ids of the other account, by what they name. */
let ids: Readonly<Record<'email' | 'thread' | 'mailbox' | 'identity' | 'submission' | 'blob' | 'part' | 'upload', string>>;

beforeAll(async () => {
  app = await startJmapApp();
  const inbox = app.other.read((reader) => reader.mailboxByRole('inbox'))!;
  // Numbers that this account does not have.
  for (let count = 0; count < 40; count += 1) {
    const headers = { From: 'other@example.com', Subject: `${secret} ${count}`, 'Disposition-Notification-To': 'other@example.com' };
    await deliver(app.other, inbox.id, rawMessage(headers, `${secret}\r\n`));
  }
  const accountId = app.other.id;
  const answer = await app.call(
    [
      ['Mailbox/set', { accountId, create: { k: { name: secret } } }, '0'],
      ['Email/query', { accountId, limit: 1 }, '1'],
      [
        'Email/get',
        { accountId, '#ids': { resultOf: '1', name: 'Email/query', path: '/ids' }, properties: ['threadId', 'blobId', 'textBody'] },
        '2',
      ],
      ['Identity/set', { accountId, create: { k: { email: 'other@example.com', name: secret } } }, '3'],
      ['VacationResponse/set', { accountId, update: { singleton: { textBody: secret } } }, '4'],
      ['Blob/upload', { accountId, create: { k: { data: [{ 'data:asText': secret }] } } }, '5'],
    ],
    { using, user: 'other@example.com' },
  );
  const given = answer.methodResponses.map(([, args]) => args) as Record<string, Record<string, { id: string }>>[];
  const [email] = given[2]!['list'] as unknown as { id: string; threadId: string; blobId: string; textBody: { blobId: string }[] }[];
  const identity = given[3]!['created']!['k']!.id;
  const sent = await app.call([['EmailSubmission/set', { accountId, create: { k: { identityId: identity, emailId: email!.id } } }, '0']], {
    using,
    user: 'other@example.com',
  });
  ids = {
    email: email!.id,
    thread: email!.threadId,
    mailbox: given[0]!['created']!['k']!.id,
    identity,
    submission: (sent.methodResponses[0]![1] as { created: { k: { id: string } } }).created.k.id,
    blob: email!.blobId,
    part: email!.textBody[0]!.blobId,
    upload: given[5]!['created']!['k']!.id,
  };
});
afterAll(() => app[Symbol.asyncDispose]());

/** Arguments that a method could be tricked by: every id in every place where it takes one. */
function attempts(name: string): object[] {
  const all = Object.values(ids);
  const mailboxIds = { [ids.mailbox]: true };
  const inbox = app.account.read((reader) => `m${reader.mailboxByRole('inbox')!.id.toString(36)}`);
  const own = { [inbox]: true };
  const disposition = { actionMode: 'manual-action', sendingMode: 'mdn-sent-manually', type: 'displayed' };
  const verb = name.split('/')[1]!;
  const byName: Readonly<Record<string, object[]>> = {
    'Email/set': [
      { create: { k: { mailboxIds } } },
      ...[ids.blob, ids.part, ids.upload].map((blobId) => ({
        create: { k: { mailboxIds: own, textBody: [{ blobId, type: 'text/plain' }] } },
      })),
    ],
    'Email/copy': [{ fromAccountId: app.other.id, create: { k: { id: ids.email, mailboxIds: own } } }],
    'Blob/copy': [{ fromAccountId: app.other.id, blobIds: all }],
    'Blob/upload': [ids.blob, ids.part, ids.upload].map((blobId) => ({ create: { k: { data: [{ blobId }] } } })),
    'Blob/lookup': [{ typeNames: ['Email', 'Thread', 'Mailbox'], ids: all }],
    'Email/import': [ids.blob, ids.part, ids.upload].map((blobId) => ({ emails: { k: { blobId, mailboxIds: own } } })),
    'Email/parse': [{ blobIds: all }],
    'MDN/parse': [{ blobIds: all }],
    'MDN/send': [
      {
        identityId: ids.identity,
        send: { k: { forEmailId: ids.email, disposition } },
        onSuccessUpdateEmail: { '#k': { 'keywords/$mdnsent': true } },
      },
    ],
    'EmailSubmission/set': [{ create: { k: { identityId: ids.identity, emailId: ids.email } }, onSuccessDestroyEmail: [ids.submission] }],
    'SearchSnippet/get': [{ filter: { text: secret }, emailIds: all }],
    'Mailbox/set': [{ create: { k: { name: 'x', parentId: ids.mailbox } } }],
  };
  const standard: Readonly<Record<string, object[]>> = {
    get: [{ ids: all }, {}],
    changes: [{ sinceState: '0' }],
    query: [{}, { filter: { text: secret } }, { filter: { inMailbox: ids.mailbox } }, { filter: { name: secret } }, { anchor: ids.email }],
    queryChanges: [{ sinceQueryState: '0' }],
    set: [{ update: Object.fromEntries(all.map((id) => [id, {}])), destroy: all }],
  };
  const blobs = [ids.blob, ids.part, ids.upload].map((blobId) => ({ blobId }));
  return [...(standard[verb] ?? []), ...(byName[name] ?? blobs)];
}

describe('what another account holds', () => {
  const names = [...methods.values()].filter(({ isOnAccount }) => isOnAccount).map(({ name }) => name);

  it.each(names)('does not come out of %s', async (name) => {
    const tried = attempts(name);
    for (const accountId of [app.account.id, app.other.id]) {
      for (const args of tried) {
        const { methodResponses } = await app.call([[name, { ...args, accountId }, 'c']], { using });
        expect(JSON.stringify(methodResponses)).not.toContain(secret);
        // Under its own account there is only one answer.
        if (accountId === app.other.id) expect(methodResponses).toMatchObject([['error', { type: 'accountNotFound' }, 'c']]);
      }
    }
  });

  it('is as it was after all that', async () => {
    const { methodResponses } = await app.call(
      [
        ['Email/query', { accountId: app.other.id, calculateTotal: true }, 'q'],
        ['EmailSubmission/get', { accountId: app.other.id, ids: [ids.submission] }, 's'],
      ],
      { using, user: 'other@example.com' },
    );
    expect(methodResponses).toMatchObject([
      ['Email/query', { total: 40 }, 'q'],
      ['EmailSubmission/get', { list: [{ id: ids.submission }] }, 's'],
    ]);
  });

  it('is not downloaded', async () => {
    for (const account of [app.account.id, app.other.id]) {
      for (const id of Object.values(ids)) {
        const url = `/jmap/download/${account}/${id}/a`;
        const response = await app.server.inject({ url, headers: { authorization: app.authorization() } });
        expect([url, response.statusCode, response.body.includes(secret)]).toEqual([url, 404, false]);
      }
    }
  });
});
