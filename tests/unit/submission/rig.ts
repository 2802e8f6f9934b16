/** A submission session over no socket: ada logs in with `secret`, and what is acknowledged lies in her outbox. */

import { ParsePool } from '../../../indexer/parse-pool.ts';
import { MailError } from '../../../protocol/mail/errors.ts';
import type { Authenticator } from '../../../server/auth/authenticator.ts';
import { type SubmissionOptions, SubmissionService } from '../../../server/submission/submission-service.ts';
import { submissions } from '../../../storage/outbox/outbox.ts';
import { countingRandom, openProvisioned, openTestBucket } from '../../support/open-accounts.ts';
import { ada, openRig, TestRecipients } from '../indexer/rig.ts';

const identity = { accountId: ada, address: 'ada@example.com', name: 'Ada', by: 'password' } as const;

const authenticator = {
  async verify(login: string, password: string) {
    if (login !== 'ada@example.com' || password !== 'secret') throw new MailError('authenticationFailed', 'no');
    return identity;
  },
  beginScram: () => Promise.reject(new MailError('authenticationFailed', 'no')),
  authorize: (who: unknown) => who,
} as unknown as Authenticator;

export async function openSubmission(options: Partial<SubmissionOptions> = {}) {
  const bucket = openTestBucket();
  const recipients = new TestRecipients();
  const rig = await openRig({ bucket, recipients });
  const account = await openProvisioned(rig.node, ada);
  const announced: string[] = [];
  const silent = { error() {}, warn() {}, info() {}, debug() {}, child: () => silent } as unknown as SubmissionOptions['logger'];
  const service = new SubmissionService({
    accounts: rig.node.accounts,
    directory: {
      maySendAs: async (id: string, address: string) =>
        ['ada@example.com', 'lovelace@example.com', 'team@example.com'].includes(address.toLowerCase().replace(/\+.*@/, '@')) && id === ada,
      isLocalDomain: (address: string) => address.toLowerCase().endsWith('@example.com'),
      async resolveRecipient(address: string) {
        const resolution = await recipients.resolveRecipient(address);
        return resolution.kind === 'account' && address.startsWith('team@') ? { ...resolution, via: 'group' as const } : resolution;
      },
    },
    authenticator,
    announce: async (id) => void announced.push(id),
    readMessage: (raw) => new ParsePool().parse(raw),
    clock: bucket.clock,
    random: countingRandom(5),
    logger: silent,
    hostName: 'mx.example.com',
    messageBytesMax: 100_000,
    recipientsPerMessageMax: 3,
    limits: { messagesPerDayMax: 5, recipientsPerDayMax: 8 },
    keepsSent: false,
    relay: { isThere: true, takesUtf8: false, canRequireTls: () => false },
    ...options,
  });
  const lines: string[] = [];
  let isClosed = false;
  const session = service.open(
    {
      write: (text) => void lines.push(...text.split('\r\n').slice(0, -1)),
      pause() {},
      resume() {},
      close: () => {
        isClosed = true;
      },
      startTls: async () => {},
    },
    { address: '192.0.2.7', isSecure: false, isProtected: false },
  );
  session.start();
  return {
    bucket,
    account,
    announced,
    lines,
    isClosed: () => isClosed,
    async send(bytes: string | Buffer) {
      session.receive(typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes);
      do await new Promise((resolve) => setImmediate(resolve));
      while (session.isBusy);
    },
    queued: () => account.read((reader) => [...submissions(reader)].map(({ value }) => value)),
    /** The messages in the outbox. */
    messages() {
      return Promise.all(
        account.read((reader) => [...submissions(reader)].map(({ value }) => value.blob)).map((blob) => account.blobBytes(blob)),
      );
    },
    async logIn() {
      const plain = Buffer.from('\0ada@example.com\0secret').toString('base64');
      await this.send('EHLO c\r\n');
      await this.send('STARTTLS\r\n');
      await this.send('EHLO c\r\n');
      await this.send(`AUTH PLAIN ${plain}\r\n`);
      lines.length = 0;
    },
  };
}
