/** EmailSubmission where the outbox has gone on: what has left cannot be unsent, notices are blobs, and room and size have an end. */
import { describe, expect, it } from 'vitest';
import { formatEmailId } from '../../../protocol/mail/ids.ts';
import { submissionsPendingMax } from '../../../server/jmap/limits.ts';
import { capabilities } from '../../../server/jmap/session.ts';
import { submission, submissions } from '../../../storage/outbox/outbox.ts';
import { type SubmissionRecord, submissionType } from '../../../storage/outbox/record.ts';
import { type JmapApp, startJmapApp } from '../../support/jmap/app.ts';
import { deliver, rawMessage } from '../../support/open-accounts.ts';

const using = Object.keys(capabilities);

async function call(app: JmapApp, name: string, args: object): Promise<Record<string, unknown>> {
  const { methodResponses } = await app.call([[name, { accountId: app.account.id, ...args }, 'c']], { using });
  return methodResponses[0]![1];
}

/** A draft to `ann@example.net`, and an identity to send it by. */
async function draft(app: JmapApp, body = 'Hello\r\n'): Promise<{ emailId: string; identityId: string }> {
  const drafts = app.account.read((reader) => reader.mailboxByRole('drafts'))!;
  const { id } = await deliver(app.account, drafts.id, rawMessage({ From: 'me@example.com', To: 'ann@example.net' }, body));
  const { list } = await call(app, 'Identity/get', {});
  return { emailId: formatEmailId(id), identityId: (list as { id: string }[])[0]!.id };
}

async function send(app: JmapApp, settings: object): Promise<{ created: Record<string, { id: string }> | null; notCreated: unknown }> {
  return (await call(app, 'EmailSubmission/set', { create: { k: settings } })) as Awaited<ReturnType<typeof send>>;
}

const change = (app: JmapApp, id: string, by: Partial<SubmissionRecord>) =>
  app.account.transact((tx) => tx.putObject(submissionType, id, { ...submission(tx, id)!, ...by }));

describe('a submission', () => {
  it('is announced before it is taken, so that a crash right after it leaves it to be found', async () => {
    await using app = await startJmapApp();
    const settings = await draft(app);
    const before = app.announced.length;
    await send(app, settings);
    expect(app.announced.slice(before)).toEqual([app.account.id]);
  });

  it('cannot be unsent once it has begun to leave', async () => {
    await using app = await startJmapApp();
    const { created } = await send(app, await draft(app));
    const { id } = created!['k']!;
    const cancel = () => call(app, 'EmailSubmission/set', { update: { [id]: { undoStatus: 'canceled' } } });
    const record = app.account.read((reader) => submission(reader, id))!;
    await change(app, id, { recipients: record.recipients.map((recipient) => ({ ...recipient, state: 'claimed' })) });
    expect(await cancel()).toMatchObject({ updated: null, notUpdated: { [id]: { type: 'cannotUnsend' } } });
    await change(app, id, { undoStatus: 'final', recipients: record.recipients.map((recipient) => ({ ...recipient, state: 'relayed' })) });
    expect(await cancel()).toMatchObject({ notUpdated: { [id]: { type: 'cannotUnsend' } } });
  });

  it('that is destroyed on its way is hidden, and still sent', async () => {
    await using app = await startJmapApp();
    const { created } = await send(app, await draft(app));
    const { id } = created!['k']!;
    expect(await call(app, 'EmailSubmission/set', { destroy: [id] })).toMatchObject({ destroyed: [id] });
    expect(await call(app, 'EmailSubmission/get', { ids: [id] })).toMatchObject({ notFound: [id] });
    expect(await call(app, 'EmailSubmission/set', { destroy: [id] })).toMatchObject({ notDestroyed: { [id]: { type: 'notFound' } } });
    expect(app.account.read((reader) => submission(reader, id))).toMatchObject({ isDestroyed: true, recipients: [{ state: 'queued' }] });
  });

  it('names the notices that came in for it as blobs, which go to nobody else', async () => {
    await using app = await startJmapApp();
    const { created } = await send(app, await draft(app));
    const { id } = created!['k']!;
    const upload = await app.account.upload(Buffer.from('Subject: Delivered\r\n\r\nYes.\r\n'));
    await app.account.transact((tx) => tx.putObject(submissionType, id, { ...submission(tx, id)!, dsnBlobs: [upload.ref] }), {
      uploads: [upload],
    });
    const { list } = await call(app, 'EmailSubmission/get', { ids: [id], properties: ['dsnBlobIds', 'mdnBlobIds'] });
    const [{ dsnBlobIds, mdnBlobIds }] = list as [{ dsnBlobIds: string[]; mdnBlobIds: string[] }];
    expect([dsnBlobIds.length, mdnBlobIds]).toEqual([1, []]);
    const [blobId] = dsnBlobIds;
    expect(await call(app, 'Email/parse', { blobIds: [blobId, `${blobId}x`], properties: ['subject'] })).toMatchObject({
      parsed: { [blobId!]: { subject: 'Delivered' } },
      notFound: [`${blobId}x`],
    });
    const url = `/jmap/download/${app.other.id}/${blobId}/a`;
    const stolen = await app.server.inject({ url, headers: { authorization: app.authorization('other@example.com') } });
    expect(stolen.statusCode).toBe(404);
  });

  it('is refused where the message is too large, with the size that is not', async () => {
    await using app = await startJmapApp();
    const { notCreated } = await send(app, await draft(app, 'x'.repeat(2 * 1024 * 1024)));
    expect(notCreated).toMatchObject({ k: { type: 'tooLarge', maxSize: 2 * 1024 * 1024 } });
  });

  it('is refused where too many wait already', async () => {
    await using app = await startJmapApp();
    const settings = await draft(app);
    const { created } = await send(app, settings);
    const record = app.account.read((reader) => submission(reader, created!['k']!.id))!;
    for (let at = 1; at < submissionsPendingMax; at += 1000) {
      await app.account.transact((tx) => {
        for (let i = at; i < Math.min(at + 1000, submissionsPendingMax); i += 1) tx.putObject(submissionType, `x${i}`, record);
      });
    }
    expect(await send(app, settings)).toMatchObject({ created: null, notCreated: { k: { type: 'forbiddenToSend' } } });
    expect(app.account.read((reader) => [...submissions(reader)])).toHaveLength(submissionsPendingMax);
  });
});
