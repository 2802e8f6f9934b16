/** A full account by JMAP (RFC 8621 §4.6 to §4.8, RFC 9425): what adds is refused with overQuota, what moves and removes is not, and Quota tells it. */
import { expect, it } from 'vitest';
import { formatMailboxId } from '../../../protocol/mail/ids.ts';
import { core, mail, startJmapApp, users } from '../../support/jmap/app.ts';

type Answer = { created?: object | null; notCreated?: object | null; updated?: object | null; notUpdated?: object | null };

it('creation, import, copying and a second mailbox are refused in a full account, and a move is not', async () => {
  await using app = await startJmapApp({ messagesMax: 1 });
  const accountId = users['me@example.com'];
  const [inbox, archive] = app.account.read((reader) =>
    (['inbox', 'archive'] as const).map((role) => formatMailboxId(reader.mailboxByRole(role)!.id)),
  );
  const one = async (name: string, args: object, using?: string[]): Promise<Answer & Record<string, unknown>> => {
    const { methodResponses } = await app.call([[name, { accountId, ...args }, 'c']], using === undefined ? {} : { using });
    expect(methodResponses[0]![0]).toBe(name);
    return methodResponses[0]![1];
  };
  const uploaded = await app.server.inject({
    method: 'POST',
    url: `/jmap/upload/${accountId}`,
    headers: { authorization: app.authorization(), 'content-type': 'message/rfc822' },
    payload: 'Subject: kept\r\n\r\nx',
  });
  const { blobId } = uploaded.json();
  const importing = () => one('Email/import', { emails: { e: { blobId, mailboxIds: { [inbox!]: true } } } });
  const { created } = await importing();
  const { id } = (created as { e: { id: string } }).e;
  const refused = { e: { type: 'overQuota', description: 'The account is full: it may hold 1 messages.' } };
  expect(await one('Email/set', { create: { e: { mailboxIds: { [inbox!]: true }, subject: 'one too many' } } })).toMatchObject({
    notCreated: refused,
  });
  const second = await app.server.inject({
    method: 'POST',
    url: `/jmap/upload/${accountId}`,
    headers: { authorization: app.authorization(), 'content-type': 'message/rfc822' },
    payload: 'Subject: other\r\n\r\nx',
  });
  expect(await one('Email/import', { emails: { e: { blobId: second.json().blobId, mailboxIds: { [inbox!]: true } } } })).toMatchObject({
    notCreated: refused,
  });
  expect(await one('Email/set', { update: { [id]: { [`mailboxIds/${archive}`]: true } } })).toMatchObject({
    notUpdated: { [id]: refused.e },
  });
  expect(await one('Email/set', { update: { [id]: { mailboxIds: { [archive!]: true } } } })).toMatchObject({ updated: { [id]: null } });
  expect(await one('Quota/get', {}, [core, mail, 'urn:ietf:params:jmap:quota'])).toMatchObject({
    list: [{ id: 'octets' }, { id: 'messages', used: 1, hardLimit: 1 }],
  });
  expect(await one('Email/set', { destroy: [id] })).toMatchObject({ destroyed: [id] });
  expect(await one('Email/set', { create: { e: { mailboxIds: { [inbox!]: true }, subject: 'fits now' } } })).toMatchObject({
    created: { e: { id: expect.any(String) } },
  });
});
