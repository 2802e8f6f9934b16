/**
 * Mail that the organisation's rules send: copies for others, journal reports and bounces, in the outbox of the service account. A submission's id follows
 * from the message and its purpose, so that a message that is worked on again after a crash is not sent again.
 */
import { hash } from 'node:crypto';
import { fieldValue, scanHeader } from '../../protocol/mime/header.ts';
import type { Account, Accounts } from '../../storage/account/api.ts';
import type { Clock } from '../../storage/clock.ts';
import { enqueue, serviceOutboxId, submission } from '../../storage/outbox/outbox.ts';
import type { SubmissionOrigin } from '../../storage/outbox/record.ts';
import { forwardedMessage, isLooping } from '../forwarding.ts';
import { deliveryReport, mailDate } from '../outbox/delivery-report.ts';
import type { ScanResults } from '../ses/header-block.ts';
import { sendersOf } from './conditions.ts';
import type { Journal } from './transport.ts';

export interface ServiceMailPorts {
  readonly accounts: Accounts;
  readonly clock: Pick<Clock, 'now'>;
  readonly hostName: string;
}

export class ServiceMail {
  readonly #ports: ServiceMailPorts;

  constructor(ports: ServiceMailPorts) {
    this.#ports = ports;
  }

  /** Sends `bytes` on to addresses elsewhere in the name of `by`, an address of ours. False: it goes in circles. */
  async forward(key: string, by: string, to: readonly string[], bytes: Buffer, origin: 'redirect' | 'group'): Promise<boolean> {
    if (isLooping(bytes, by)) return false;
    // Nobody is told of a failure: the author did not send it there, and we would only be told by ourselves. `satchel outbox` shows it.
    await this.#send(key, { origin, mailFrom: '', to, bytes: forwardedMessage(bytes, by) });
    return true;
  }

  /** A user's message to somebody whom a rule has named: as it is, since its sender is ours. */
  async passOn(key: string, mailFrom: string, to: string, bytes: Buffer): Promise<void> {
    await this.#send(key, { origin: 'rule', mailFrom, to: [to], bytes });
  }

  /** The message in a report of who sent it to whom, as WorkMail's journaling does. */
  async journal(key: string, { to, recipients, bytes }: Journal, from: string, envelopeFrom: string | undefined): Promise<void> {
    const token = idOf(key, 'journal', to, ...recipients);
    const domain = from.slice(from.lastIndexOf('@') + 1);
    const head = [
      `From: Journal <${from}>`,
      `To: <${to}>`,
      `Date: ${mailDate(this.#ports.clock.now())}`,
      `Message-ID: <${token}.journal@${domain}>`,
      'Subject: Journal report',
      'Auto-Submitted: auto-generated',
      'MIME-Version: 1.0',
      `Content-Type: multipart/mixed; boundary="journal-${token}"`,
      '',
      `--journal-${token}`,
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: 8bit',
      '',
      `Sender: ${printable(envelopeFrom || '<>')}`,
      ...recipients.map((recipient) => `Recipient: ${printable(recipient)}`),
      '',
      `--journal-${token}`,
      'Content-Type: message/rfc822',
      '',
      '',
    ];
    const report = Buffer.concat([Buffer.from(head.join('\r\n')), bytes, Buffer.from(`\r\n--journal-${token}--\r\n`)]);
    // Whoever the message comes for later is a report of his own.
    await this.#send(`${key} journal ${recipients.join(' ')}`, { origin: 'rule', mailFrom: '', to: [to], bytes: report });
  }

  /** Tells the sender that `recipient` did not get the message. The caller has asked mayBounce. */
  async bounce(key: string, envelopeFrom: string, recipient: string, message: string, bytes: Buffer): Promise<void> {
    const now = this.#ports.clock.now();
    const report = deliveryReport(
      { envelope: { mailFrom: { email: envelopeFrom, parameters: null }, rcptTo: [] }, messageId: '', createdAt: now, expiresAt: now },
      [{ rcptTo: { email: recipient, parameters: null }, action: 'failed', smtpReply: `550 5.7.1 ${message}` }],
      bytes,
      {
        hostName: this.#ports.hostName,
        domain: recipient.slice(recipient.lastIndexOf('@') + 1),
        token: idOf(key, 'bounce', recipient),
        now,
      },
    );
    await this.#send(`${key} ${recipient}`, { origin: 'bounce', mailFrom: '', to: [envelopeFrom], bytes: report });
  }

  async #send(key: string, mail: Mail): Promise<void> {
    const { origin, mailFrom, to, bytes } = mail;
    const account: Account = await this.#ports.accounts.open(serviceOutboxId);
    const id = idOf(key, origin, to.join(' '));
    if (account.read((reader) => submission(reader, id)) !== undefined) return;
    const upload = await account.upload(bytes);
    const envelope = {
      mailFrom: { email: mailFrom, parameters: null },
      rcptTo: to.map((email) => ({ email, parameters: null })),
    };
    await account.transact(
      (tx) => {
        if (submission(tx, id) === undefined) enqueue(tx, { id, origin, blob: upload.ref, messageId: '', envelope });
      },
      { uploads: [upload] },
    );
  }
}

interface Mail {
  readonly origin: SubmissionOrigin;
  readonly mailFrom: string;
  readonly to: readonly string[];
  readonly bytes: Buffer;
}

/**
 * Whether the sender may be told by mail: only one that is known and that a receiver we trust has found to be who it says. Whoever forged an address, or
 * sends spam under one, would make us write to somebody who has nothing to do with it. SPF proves the envelope's sender; DMARC the From field, and so the
 * envelope where that names the same domain: a signature alone may be of anybody's domain. Programs and lists are not told.
 */
export function mayBounce(envelopeFrom: string | undefined, results: ScanResults, message: Buffer): envelopeFrom is string {
  const { spam, virus, spf, dmarc } = results;
  if (envelopeFrom === undefined || !envelopeFrom.includes('@')) return false;
  if ([spam, virus, spf, dmarc].includes('FAIL') || isAutomatic(message)) return false;
  return spf === 'PASS' || (dmarc === 'PASS' && isAligned(envelopeFrom, message));
}

/** RFC 7489 §3.1, relaxed: one domain is the other's, or a part of it. */
function isAligned(envelopeFrom: string, message: Buffer): boolean {
  const domainOf = (address: string) => `.${address.slice(address.lastIndexOf('@') + 1).toLowerCase()}`;
  const domain = domainOf(envelopeFrom);
  return sendersOf(message, undefined).some((from) => domain.endsWith(domainOf(from)) || domainOf(from).endsWith(domain));
}

/** RFC 3834 §5 and §2; RFC 2919 §3. */
function isAutomatic(message: Buffer): boolean {
  return scanHeader(message).fields.some((field) => {
    if (field.name === 'list-id') return true;
    const value = fieldValue(message, field).trim().toLowerCase();
    if (field.name === 'precedence') return /^(?:bulk|list|junk)$/.test(value);
    return field.name === 'auto-submitted' && !/^no\b/.test(value);
  });
}

const idOf = (...parts: readonly string[]) => `s${hash('sha256', parts.join('\n')).slice(0, 24)}`;
const printable = (text: string) => text.replace(/[\x00-\x1f\x7f]/g, '?');
