/**
 * Mail from users by jmap-jam: inside, and outside through an SMTP sink, where DKIM is verified by another library, and through a service that speaks SES's
 * API and checks its signatures. Sent later, and taken back.
 */
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { afterEach, describe, expect, it } from 'vitest';
import { verbs } from '../../server/admin/verbs.ts';
import { JamSender } from '../support/jmap/jam-sender.ts';
import { makeServerFolder, type RunningServer, type ServerFolder } from '../support/running-server.ts';
import { SesServer, sesCredentials } from '../support/ses-server.ts';
import { makeSigningKeys } from '../support/signing-keys.ts';
import { SmtpSink } from '../support/smtp-sink.ts';

const any = '127.0.0.1:0';
const listen = { http: any, https: null, imap: null, imaps: any, lmtp: null, submission: null, submissions: null, managesieve: null };
let folder: ServerFolder;
let server: RunningServer;

async function start(relay: object): Promise<JamSender> {
  folder = makeServerFolder({ listen, relay });
  server = await folder.start();
  return JamSender.connect(server);
}
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

async function subjectsIn(mailbox: string): Promise<string[]> {
  const imap = await server.imap();
  const { exists } = await imap.mailboxOpen(mailbox);
  const found = exists === 0 ? [] : await imap.fetchAll('1:*', { envelope: true });
  await imap.logout();
  return found.map(({ envelope }) => envelope!.subject!);
}

const verb = (name: string, parameters: object) => verbs.find((row) => row.name === name)!.run(server.app.services, parameters);

describe('jmap-jam sends', () => {
  it('inside, and outside through an SMTP relay, signed by rsa and ed25519', async () => {
    await using sink = await SmtpSink.open();
    const sender = await start({ driver: 'smtp', host: '127.0.0.1', port: sink.port, tls: 'none' });
    await verb('domain add', { name: 'boats.example' });
    await verb('alias add', { alias: 'me@boats.example', address: 'me@localhost' });
    const records = await makeSigningKeys(verb, 'boats.example');
    const { submissionId } = await sender.send({
      subject: 'Grüße',
      from: 'me@boats.example',
      to: ['me@localhost', 'zoe@elsewhere.example'],
    });
    const [message] = await sink.received(1);
    expect(message).toMatchObject({ from: 'me@boats.example', to: ['zoe@elsewhere.example'] });
    const { results } = await dkimVerify(message!.bytes, { resolver: async (name: string) => [[records.get(name) ?? '']] });
    expect(results.map(({ status, algo, signingDomain }) => `${algo} ${signingDomain} ${status.result}`).sort()).toEqual([
      'ed25519-sha256 boats.example pass',
      'rsa-sha256 boats.example pass',
    ]);
    await expect
      .poll(async () => (await sender.look(submissionId)).deliveryStatus)
      .toMatchObject({ 'me@localhost': { delivered: 'yes' }, 'zoe@elsewhere.example': { delivered: 'unknown' } });
    expect(await subjectsIn('INBOX')).toEqual(['Grüße']);
    expect(await subjectsIn('Sent')).toEqual(['Grüße']);
    expect(await subjectsIn('Drafts')).toEqual([]);
  });

  it('inside, and outside through the API of SES', async () => {
    await using ses = await SesServer.open();
    const sender = await start({ driver: 'ses', region: 'us-east-1', endpoint: ses.endpoint, configurationSet: 'mail', ...sesCredentials });
    const { submissionId } = await sender.send({ subject: 'Boats', to: ['me@localhost', 'zoe@elsewhere.example'] });
    await expect.poll(() => ses.messages.length).toBe(1);
    expect(ses.messages[0]).toMatchObject({
      to: ['zoe@elsewhere.example'],
      configurationSet: 'mail',
      tags: { submission: submissionId },
    });
    await expect
      .poll(async () => (await sender.look(submissionId)).deliveryStatus)
      .toMatchObject({
        'me@localhost': { delivered: 'yes' },
        'zoe@elsewhere.example': { delivered: 'unknown', smtpReply: `250 2.0.0 Ok ${ses.messages[0]!.messageId}` },
      });
    expect(await subjectsIn('INBOX')).toEqual(['Boats']);
    expect(await subjectsIn('Sent')).toEqual(['Boats']);
  });

  it('nothing before its time, and nothing that was taken back', async () => {
    await using sink = await SmtpSink.open();
    const sender = await start({ driver: 'smtp', host: '127.0.0.1', port: sink.port, tls: 'none' });
    const held = (seconds: number) => ({
      envelope: {
        mailFrom: { email: 'me@localhost', parameters: { HOLDFOR: String(seconds) } },
        rcptTo: [{ email: 'zoe@elsewhere.example', parameters: null }],
      },
    });
    const undone = await sender.send({ subject: 'Taken back', to: ['zoe@elsewhere.example'] }, held(1));
    expect(await sender.undo(undone.submissionId)).toMatchObject({ updated: { [undone.submissionId]: null } });
    const submittedAt = performance.now();
    const later = await sender.send({ subject: 'Later', to: ['zoe@elsewhere.example'] }, held(2));
    expect(await sender.look(later.submissionId)).toMatchObject({ undoStatus: 'pending' });
    const [message] = await sink.received(1);
    // Times are in whole seconds.
    expect(performance.now() - submittedAt).toBeGreaterThan(900);
    expect(message!.bytes.toString()).toContain('Subject: Later');
    expect(sink.messages).toHaveLength(1);
    expect(await sender.look(undone.submissionId)).toMatchObject({ undoStatus: 'canceled' });
    expect(await sender.undo(later.submissionId)).toMatchObject({ notUpdated: { [later.submissionId]: { type: 'cannotUnsend' } } });
  });
});
