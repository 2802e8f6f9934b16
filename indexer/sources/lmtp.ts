/**
 * LMTP (RFC 2033): an MTA hands mail over, and hears 250 for a recipient when the message is in his account's log in the store, not before.
 *
 * Recipients are checked against the directory at RCPT. As the MDA that makes final delivery we put Return-Path and Received on top (RFC 5321 §4.4).
 * Of the header only what the MTA itself wrote decides about Junk. A message is not remembered: each transaction is a message of its own, and an
 * MTA that did not hear our 250 sends again, as RFC 1047 describes.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { MailTransaction, ReceivedMessage, SmtpHandler, SmtpPort } from '../../protocol/smtp/handler.ts';
import { type Reply, reply } from '../../protocol/smtp/reply.ts';
import { SmtpSession } from '../../protocol/smtp/session.ts';
import type { Clock } from '../../storage/clock.ts';
import type { Random } from '../../storage/random.ts';
import type { DeliveryResult } from '../delivery.ts';
import type { Pipeline } from '../pipeline.ts';
import type { RecipientDirectory } from '../routing.ts';
import type { ScanResults } from '../ses/header-block.ts';
import { fieldsAboveReceived, type MailVerdictFields } from '../trusted-fields.ts';

export interface LmtpOptions {
  readonly pipeline: Pick<Pipeline, 'deliver'>;
  readonly directory: RecipientDirectory;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Pick<Random, 'hex'>;
  /** In the greeting and in Received. */
  readonly hostName: string;
  /** Completes `postmaster`. */
  readonly defaultDomain: string;
  readonly messageBytesMax: number;
  /** SPF, DKIM and DMARC of what the MTA handed over. Default: nothing is known of them. */
  readonly authenticate?: (message: Buffer, sender: string) => Promise<ScanResults>;
  readonly onError?: (error: unknown) => void;
}

/** Whom one RCPT stands for: one account, or a group's many. */
type Accounts = readonly AccountId[];

const delivered = reply(250, '2.1.5', 'delivered');
const unavailable = reply(451, '4.3.0', 'the store is not available, try again later');
const nobody = reply(550, '5.1.1', 'there is nobody here with this address');
const notOurs = reply(550, '5.1.2', 'not a domain of this server');

export class LmtpService {
  readonly #options: LmtpOptions;

  constructor(options: LmtpOptions) {
    this.#options = options;
  }

  /** A session for a connection. The caller calls start(), gives it what arrives, and does as the port is told. */
  open(port: SmtpPort, peer: { readonly address: string; readonly isSecure?: boolean }): SmtpSession<Accounts> {
    const { hostName, messageBytesMax } = this.#options;
    const handler: SmtpHandler<Accounts> = {
      recipient: (address) => this.#recipient(address),
      message: (transaction, message) => this.#deliver(transaction, message, peer.address),
      onError: this.#options.onError,
    };
    return new SmtpSession({ mode: 'lmtp', hostName, messageBytesMax, bareLineEnds: 'keep', handler }, port, peer.isSecure);
  }

  async #recipient(address: string): Promise<{ readonly accept: Accounts } | { readonly refuse: Reply }> {
    const { directory, defaultDomain } = this.#options;
    try {
      const resolution = await directory.resolveRecipient(address.includes('@') ? address : `${address}@${defaultDomain}`);
      if (resolution.kind === 'account') return { accept: resolution.accounts };
      return { refuse: resolution.reason === 'domain' ? notOurs : nobody };
    } catch (error) {
      if (error instanceof StorageError) return { refuse: unavailable };
      throw error;
    }
  }

  async #deliver(transaction: MailTransaction<Accounts>, message: ReceivedMessage, peer: string): Promise<readonly Reply[]> {
    const id = this.#options.random.hex(8);
    const targets = new Map<AccountId, string>();
    for (const { address, value } of transaction.recipients) {
      for (const account of value) if (!targets.has(account)) targets.set(account, address);
    }
    const trace = this.#trace(transaction, id, peer);
    // Memory of its own: the message is kept in the cache of blobs for a while.
    const bytes = Buffer.allocUnsafeSlow(trace.length + message.octets);
    let at = trace.copy(bytes);
    for (const chunk of message.chunks) at += chunk.copy(bytes, at);
    // Read without the lines that we put on top.
    const handed = bytes.subarray(trace.length);
    let fields: MailVerdictFields | undefined;
    const results = await this.#options.pipeline.deliver({
      bytes,
      targets,
      envelopeFrom: transaction.sender,
      evidence: {
        results: (await this.#options.authenticate?.(handed, transaction.sender)) ?? {},
        // Read when a rule asks: most installations have none that does.
        get fields() {
          return (fields ??= fieldsAboveReceived(handed));
        },
        isProven: true,
      },
      source: 'lmtp',
      name: `lmtp-${id}`,
    });
    return transaction.recipients.map(({ value }) => answerTo(value.map((account) => results.get(account))));
  }

  /** RFC 5321 §4.4. `for` names a recipient only where there is one: others must not learn of him. */
  #trace({ sender, recipients, clientName, isSmtpUtf8, isSecure }: MailTransaction<Accounts>, id: string, peer: string): Buffer {
    const { hostName, clock } = this.#options;
    const protocol = `${isSmtpUtf8 ? 'UTF8' : ''}LMTP${isSecure ? 'S' : ''}`;
    const recipient = recipients.length === 1 ? `\r\n\tfor <${recipients[0]!.address}>` : '';
    const date = new Date(clock.now()).toUTCString().replace('GMT', '+0000');
    return Buffer.from(
      `Return-Path: <${sender}>\r\nReceived: from ${clientName} ([${peer}])\r\n\tby ${hostName} with ${protocol} id ${id}${recipient};\r\n\t${date}\r\n`,
    );
  }
}

/**
 * A group's recipient is answered for all: an MTA that tries again gives those who have it a second one, rather than somebody none. Members whose
 * account was removed meanwhile are members no more.
 */
function answerTo(results: readonly (DeliveryResult | undefined)[]): Reply {
  if (results.some((result) => result === undefined || result.kind === 'unavailable')) return unavailable;
  const full = results.find((result) => result?.kind === 'full');
  if (full?.kind === 'full') return reply(452, '4.2.2', oneLine(full.reason));
  if (!results.every((result) => result?.kind === 'refused')) return delivered;
  const byRule = results.find((result) => result?.kind === 'refused' && result.isByRule);
  return byRule?.kind === 'refused' ? reply(550, '5.7.1', oneLine(byRule.reason)) : nobody;
}

/** RFC 5321 §4.5.3.1.5: a reply line has at most 512 octets, of printable ASCII. */
const oneLine = (text: string) => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 400);
