/** What MDN/send puts into the outbox is a disposition notification that MDN/parse reads back. */
import { describe, expect, it } from 'vitest';
import { parseMdn } from '../../../protocol/jmap/mdn-message.ts';
import { submissions } from '../../../storage/outbox/outbox.ts';
import { core, mail, startJmapApp } from '../../support/jmap/app.ts';
import { deliver, rawMessage } from '../../support/open-accounts.ts';

describe('a sent MDN', () => {
  it('comes from nobody, and says what was asked for', async () => {
    await using app = await startJmapApp();
    const inbox = app.account.read((reader) => reader.mailboxByRole('inbox'))!;
    const asking = rawMessage({ 'Disposition-Notification-To': 'grace@example.org', 'Message-ID': '<1@example.org>', Subject: 'Plans' });
    const { id } = await deliver(app.account, inbox.id, asking);
    const using = [core, mail, 'urn:ietf:params:jmap:submission', 'urn:ietf:params:jmap:mdn'];
    const identities = await app.call([['Identity/get', { accountId: app.account.id }, 'i']], { using });
    const [identity] = identities.methodResponses[0]![1]['list'] as { id: string; email: string }[];
    const disposition = { actionMode: 'manual-action', sendingMode: 'mdn-sent-manually', type: 'displayed' } as const;
    const send = { k: { forEmailId: `e${id.toString(36)}`, disposition, textBody: 'Gelesen.\nWirklich.', includeOriginalMessage: true } };
    const onSuccessUpdateEmail = { '#k': { 'keywords/$mdnsent': true } };
    const args = { accountId: app.account.id, identityId: identity!.id, send, onSuccessUpdateEmail };
    await app.call([['MDN/send', args, 'm']], { using });
    const [sent] = app.account.read((reader) => [...submissions(reader)]);
    const { value } = sent!;
    const raw = await app.account.blobBytes(value.blob);
    expect(value).toMatchObject({ origin: 'mdn', envelope: { mailFrom: { email: '' }, rcptTo: [{ email: 'grace@example.org' }] } });
    expect(parseMdn(raw)).toEqual({
      subject: 'Disposition: Plans',
      textBody: 'Gelesen.\nWirklich.',
      includeOriginalMessage: true,
      reportingUA: null,
      disposition,
      mdnGateway: null,
      originalRecipient: null,
      finalRecipient: `rfc822; ${identity!.email}`,
      originalMessageId: '<1@example.org>',
      error: null,
      extensionFields: null,
    });
    expect(raw.includes(asking)).toBe(true);
    expect(raw.toString('latin1')).toMatch(/^Auto-Submitted: auto-replied\r$/m);
  });
});
