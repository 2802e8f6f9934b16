/** A session over no socket at all: what is sent to it, and what it says. */
import type { MailTransaction, SmtpHandler, SmtpOptions } from '../../../protocol/smtp/handler.ts';
import { reply } from '../../../protocol/smtp/reply.ts';
import { SmtpSession } from '../../../protocol/smtp/session.ts';

export interface Taken {
  readonly transaction: MailTransaction<string>;
  readonly text: string;
}

export interface TestSession {
  readonly session: SmtpSession<string>;
  /** Sends text (latin1) and resolves to what was answered once the session is at rest. */
  send(text: string): Promise<string>;
  readonly taken: readonly Taken[];
  readonly writes: readonly string[];
  readonly isClosed: () => boolean;
  readonly isPaused: () => boolean;
}

/** Recipients of example.com are accepted; `slow@` after a while, `broken@` throws. */
export function openSession(options: Partial<SmtpOptions<string>> & { startTls?: () => Promise<void> } = {}): TestSession {
  const taken: Taken[] = [];
  const writes: string[] = [];
  let isClosed = false;
  let isPaused = false;
  const handler: SmtpHandler<string> = {
    recipient(address) {
      if (address.startsWith('broken@')) throw new Error('a bug');
      if (!address.endsWith('@example.com')) return { refuse: reply(550, '5.1.1', 'nobody') };
      return address.startsWith('slow@') ? Promise.resolve({ accept: address }) : { accept: address };
    },
    async message(transaction, { chunks }) {
      taken.push({ transaction, text: Buffer.concat(chunks).toString('latin1') });
      return transaction.recipients.map(({ value }) => reply(250, '2.1.5', `for ${value}`));
    },
    ...options.handler,
  };
  const session = new SmtpSession<string>(
    { mode: 'lmtp', hostName: 'mx.example.com', messageBytesMax: 10_000, bareLineEnds: 'keep', ...options, handler },
    {
      write: (text) => void writes.push(text),
      pause: () => {
        isPaused = true;
      },
      resume: () => {
        isPaused = false;
      },
      close: () => {
        isClosed = true;
      },
      startTls: options.startTls,
    },
  );
  session.start();
  return {
    session,
    taken,
    writes,
    isClosed: () => isClosed,
    isPaused: () => isPaused,
    async send(text) {
      const before = writes.length;
      session.receive(Buffer.from(text, 'latin1'));
      while (session.isBusy) await new Promise((resolve) => setImmediate(resolve));
      return writes.slice(before).join('');
    },
  };
}

export const envelope = 'LHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<ada@example.com>\r\n';
