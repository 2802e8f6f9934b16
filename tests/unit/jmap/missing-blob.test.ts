/** A message whose bytes are gone is shown with what the index holds of it, and takes no list down with it. */
import { describe, expect, it } from 'vitest';
import { StorageError } from '../../../protocol/mail/errors.ts';
import { startJmapApp } from '../../support/jmap/app.ts';
import { deliver, rawMessage } from '../../support/open-accounts.ts';

describe('an email whose blob is gone', () => {
  it('is listed with what the index holds, and its neighbours whole', async () => {
    await using app = await startJmapApp();
    const { account } = app;
    const inbox = account.read((reader) => reader.mailboxByRole('inbox'))!;
    const gone = await deliver(account, inbox.id, rawMessage({ Subject: 'Gone' }, 'Lost words\r\n'));
    const there = await deliver(account, inbox.id, rawMessage({ Subject: 'There' }, 'Kept words\r\n'));
    const ref = account.read((reader) => reader.blob(gone.id))!;
    const readBytes = account.blobBytes.bind(account);
    account.blobBytes = (asked) => (asked.sha256 === ref.sha256 ? Promise.reject(new StorageError('missing', 'gone')) : readBytes(asked));
    const properties = ['subject', 'bodyValues', 'textBody', 'preview', 'header:X-Other', 'headers'];
    const { methodResponses } = await app.call([
      ['Email/query', { accountId: account.id, sort: [{ property: 'receivedAt' }], filter: { text: 'words' } }, 'q'],
      [
        'Email/get',
        { accountId: account.id, '#ids': { resultOf: 'q', name: 'Email/query', path: '/ids' }, properties, fetchTextBodyValues: true },
        'g',
      ],
      ['Email/parse', { accountId: account.id, blobIds: [`be${gone.id}`, `be${there.id}`], properties: ['subject'] }, 'p'],
    ]);
    expect(methodResponses[1]![1]['list']).toMatchObject([
      { subject: 'Gone', preview: 'Lost words\r\n', textBody: [{ type: 'text/plain' }] },
      { subject: 'There', bodyValues: { 1: { value: 'Kept words\n' } } },
    ]);
    expect(methodResponses[2]![1]).toMatchObject({ parsed: { [`be${there.id}`]: { subject: 'There' } }, notFound: [`be${gone.id}`] });
  });
});
