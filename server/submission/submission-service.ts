/**
 * Mail from users by SMTP (RFC 6409): who has logged in sends as himself, and hears 250 when the message is in his outbox in the store. What becomes of it
 * then is the dispatcher's affair; nobody waits for a relay here.
 */

import { mailDate } from '../../indexer/outbox/delivery-report.ts';
import { withoutPrivateFields } from '../../indexer/outbox/outgoing-message.ts';
import type { ParsedMessage } from '../../indexer/parse-message.ts';
import { type IdentityRecord, identityType } from '../../protocol/jmap/schema/identity.ts';
import { MailError, StorageError } from '../../protocol/mail/errors.ts';
import { decodeXtext, heldUntil } from '../../protocol/smtp/commands/submission-parameters.ts';
import type { AuthStep, MailTransaction, ReceivedMessage, SmtpHandler, SmtpPort } from '../../protocol/smtp/handler.ts';
import { isAsciiOnly } from '../../protocol/smtp/path.ts';
import { type Reply, reply, SmtpRefusal } from '../../protocol/smtp/reply.ts';
import { SmtpSession } from '../../protocol/smtp/session.ts';
import type { Account, AccountReader, Accounts, Upload } from '../../storage/account/api.ts';
import type { Clock } from '../../storage/clock.ts';
import { canonicalAddress, canonicalDomain } from '../../storage/directory/address.ts';
import type { Directory } from '../../storage/directory/directory.ts';
import { admitUserMail, requireMaySend, type SendingLimits } from '../../storage/outbox/history.ts';
import { enqueue } from '../../storage/outbox/outbox.ts';
import type { EnvelopeAddress } from '../../storage/outbox/record.ts';
import type { Random } from '../../storage/random.ts';
import type { Authenticator, Identity } from '../auth/authenticator.ts';
import { SaslExchange, type SaslReply, saslMechanismNames } from '../auth/sasl/exchange.ts';
import type { Logger } from '../logger.ts';
import type { SmtpPeer } from '../net/smtp-server.ts';
import { holdSecondsMax, loginFailuresMax } from './limits.ts';
import { readUserMessage } from './user-message.ts';

export interface SubmissionOptions {
  readonly accounts: Accounts;
  readonly directory: Pick<Directory, 'maySendAs' | 'resolveRecipient' | 'isLocalDomain'>;
  readonly authenticator: Authenticator;
  /** Marks an account before work is enqueued in it. */
  readonly announce: (account: Identity['accountId']) => Promise<void>;
  readonly readMessage: (raw: Uint8Array) => Promise<ParsedMessage>;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Pick<Random, 'hex'>;
  readonly logger: Logger;
  readonly hostName: string;
  readonly messageBytesMax: number;
  readonly recipientsPerMessageMax: number;
  readonly limits: SendingLimits;
  /** A copy of what is sent goes to Sent. */
  readonly keepsSent: boolean;
  /** Whether a relay takes mail for other servers at all, and addresses that are not ASCII; and whether it offers REQUIRETLS now. */
  readonly relay: { readonly isThere: boolean; readonly takesUtf8: boolean; readonly canRequireTls: () => boolean };
}

const unavailable = reply(451, '4.3.0', 'the store is not available, try again later');
const queued = (id: string) => reply(250, '2.0.0', `queued as ${id}`);

export class SubmissionService {
  readonly #options: SubmissionOptions;

  constructor(options: SubmissionOptions) {
    this.#options = options;
  }

  open(port: SmtpPort, peer: SmtpPeer): SmtpSession<EnvelopeAddress> {
    const { hostName, messageBytesMax, recipientsPerMessageMax, clock, logger } = this.#options;
    let identity: Identity | undefined;
    let failures = 0;
    const login = { remote: peer.address, service: 'submission' as const };
    const isProtected = (isSecure: boolean) => isSecure || peer.isProtected;
    const handler: SmtpHandler<EnvelopeAddress> = {
      auth: {
        mechanisms: (isSecure) =>
          saslMechanismNames({
            mayUsePlaintext: isProtected(isSecure),
            // We differ from RFC 5802 §6 for Mutt and NeoMutt with libgsasl: they take -PLUS first, cannot bind on TLS 1.3, and try nothing else.
            canBind: false,
            takesTokens: this.#options.authenticator.bearer !== undefined,
          }),
        begin: async (mechanism, initialResponse, isSecure) => {
          const step = async (run: () => Promise<SaslReply>): Promise<AuthStep> => {
            const outcome = await attempt(run, isProtected(isSecure));
            if (outcome.kind === 'done') identity = outcome.identity;
            if (outcome.kind === 'refused' && outcome.reply.code === 535 && ++failures >= loginFailuresMax)
              queueMicrotask(() => session.close());
            return outcome.kind === 'challenge'
              ? { ...outcome, answer: (message) => step(() => sasl.step(message)) }
              : outcome.kind === 'done'
                ? { kind: 'done' }
                : outcome;
          };
          let sasl: SaslExchange;
          return step(async () => {
            sasl = new SaslExchange(mechanism, this.#options.authenticator, {
              client: login,
              mayUsePlaintext: isProtected(isSecure),
            });
            return sasl.start(initialResponse);
          });
        },
      },
      sender: (transaction) => this.#sender(identity!, transaction),
      recipient: (address, transaction) => this.#recipient(identity!, address, transaction),
      message: (transaction, message) => this.#message(identity!, transaction, message),
      onError: (error) => logger.error('A submission failed.', { error }),
    };
    const session = new SmtpSession<EnvelopeAddress>(
      {
        mode: 'smtp',
        hostName,
        messageBytesMax,
        bareLineEnds: 'refuse',
        handler,
        submission: { holdSecondsMax, now: () => clock.now(), canRequireTls: this.#options.relay.canRequireTls },
        recipientsMax: recipientsPerMessageMax,
      },
      port,
      peer.isSecure,
    );
    return session;
  }

  async #sender(identity: Identity, { sender }: MailTransaction<EnvelopeAddress>): Promise<Reply | undefined> {
    // The null path: notices, such as MDNs (RFC 8098 §3).
    if (sender === '' || (await this.#options.directory.maySendAs(identity.accountId, sender))) return undefined;
    return reply(553, '5.7.1', 'you may not send from this address');
  }

  async #recipient(
    identity: Identity,
    address: string,
    { isSmtpUtf8 }: MailTransaction<EnvelopeAddress>,
  ): Promise<{ readonly accept: EnvelopeAddress } | { readonly refuse: Reply }> {
    const { directory, relay } = this.#options;
    // RFC 5321 §4.5.1: `postmaster` alone is ours, of the domain of who asks.
    const whole = address.includes('@') ? address : `${address}@${domainOf(identity.address)}`;
    const accept = (email: string) => ({ accept: { email, parameters: null } });
    const domain = canonicalDomain(domainOf(whole));
    if (domain === undefined) return { refuse: reply(553, '5.1.3', 'mail goes to names, not to this') };
    try {
      if (!directory.isLocalDomain(whole)) {
        if (!relay.isThere) return { refuse: reply(550, '5.7.1', 'this server sends no mail to other servers') };
        const local = whole.slice(0, whole.lastIndexOf('@'));
        if (isAsciiOnly(local)) return accept(`${local}@${domain}`);
        if (!relay.takesUtf8 || !isSmtpUtf8) return { refuse: reply(553, '5.6.7', 'the relay takes no such address') };
        return accept(whole);
      }
      const resolution = await directory.resolveRecipient(whole);
      return resolution.kind === 'account' ? accept(whole) : { refuse: reply(550, '5.1.1', 'there is nobody here with this address') };
    } catch (error) {
      if (error instanceof StorageError) return { refuse: unavailable };
      throw error;
    }
  }

  async #message(
    identity: Identity,
    transaction: MailTransaction<EnvelopeAddress>,
    { chunks, octets }: ReceivedMessage,
  ): Promise<readonly Reply[]> {
    try {
      return [await this.#take(identity, transaction, Buffer.concat(chunks, octets))];
    } catch (error) {
      if (error instanceof SmtpRefusal) return [error.reply];
      if (error instanceof StorageError) return [unavailable];
      if (error instanceof MailError) return [refusalOf(error)];
      throw error;
    }
  }

  async #take(identity: Identity, transaction: MailTransaction<EnvelopeAddress>, message: Buffer): Promise<Reply> {
    const { accounts, random, clock, announce, limits, keepsSent } = this.#options;
    const token = random.hex(10);
    const { messageId, added, senders } = readUserMessage(message, {
      messageId: `${token}@${domainOf(identity.address)}`,
      date: mailDate(clock.now()),
    });
    for (const sender of senders) {
      if (!(await this.#options.directory.maySendAs(identity.accountId, sender)))
        throw new SmtpRefusal(550, '5.7.1', `you may not send as ${sender}`);
    }
    const id = `s${token}`;
    const account = await accounts.open(identity.accountId);
    const envelope = envelopeOf(transaction);
    const recipients = envelope.rcptTo.length;
    account.read((reader) => requireMaySend(reader, clock.now(), recipients, limits));
    const asSent = Buffer.concat([Buffer.from(added), message]);
    const upload = await account.upload(Buffer.concat([this.#trace(transaction, id), withoutPrivateFields(asSent)]));
    const copy = keepsSent ? await this.#copy(account, asSent) : undefined;
    const sendAt = heldUntil(transaction.parameters, clock.now());
    await announce(identity.accountId);
    await account.transact(
      (tx) => {
        admitUserMail(tx, recipients, limits);
        const kept = copy?.(tx);
        const made = { id, origin: 'smtp', blob: upload.ref, messageId, envelope, ...(sendAt === undefined ? {} : { sendAt }) } as const;
        // With a copy in Sent it has all that JMAP shows of a submission (RFC 8621 §7), and can be taken back there.
        if (kept === undefined) enqueue(tx, made);
        else enqueue(tx, { ...made, email: kept.id, thread: kept.thread, identityId: identityFor(tx, senders[0]!) });
      },
      { uploads: [upload, ...(copy === undefined ? [] : [copy.upload])] },
    );
    return queued(id);
  }

  /** The message as its sender wrote it, Bcc included, for Sent. */
  async #copy(account: Account, bytes: Buffer) {
    const [parsed, upload]: [ParsedMessage, Upload] = await Promise.all([this.#options.readMessage(bytes), account.upload(bytes)]);
    const add = (tx: Parameters<Parameters<Account['transact']>[0]>[0]) => {
      const sent =
        tx.mailboxByRole('sent') ?? tx.createMailbox({ name: freeName(tx, 'Sent'), parent: null, role: 'sent', subscribed: true });
      const delivery = { source: 'submission' } as const;
      return tx.addEmail({ blob: upload.ref, receivedAt: tx.at, keywords: ['$seen'], mailboxes: [sent.id], ...parsed, delivery });
    };
    return Object.assign(add, { upload });
  }

  /** RFC 5321 §4.4, without what it would tell the world of where users sit. */
  #trace({ isSecure, isSmtpUtf8 }: MailTransaction<EnvelopeAddress>, id: string): Buffer {
    const protocol = `${isSmtpUtf8 ? 'UTF8SMTP' : 'ESMTP'}${isSecure ? 'S' : ''}A`;
    return Buffer.from(`Received: by ${this.#options.hostName} with ${protocol} id ${id};\r\n\t${mailDate(this.#options.clock.now())}\r\n`);
  }
}

const domainOf = (address: string) => address.slice(address.lastIndexOf('@') + 1);

type Outcome =
  | Extract<SaslReply, { kind: 'done' }>
  | { readonly kind: 'challenge'; readonly data: Uint8Array }
  | Extract<AuthStep, { kind: 'refused' }>;

/** RFC 4954 §6. */
async function attempt(run: () => Promise<SaslReply>, mayUsePlaintext: boolean): Promise<Outcome> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof StorageError) return { kind: 'refused', reply: reply(454, '4.7.0', 'try again later') };
    if (!(error instanceof MailError)) throw error;
    switch (error.code) {
      case 'unsupported':
        return { kind: 'refused', reply: reply(504, '5.5.4', 'this mechanism is not known here') };
      case 'forbidden':
        // 538 asks for TLS. Where that is not what lacks, the login is good, and not for this.
        return { kind: 'refused', reply: mayUsePlaintext ? reply(535, '5.7.8', error.message) : reply(538, '5.7.11', error.message) };
      case 'invalidArguments':
        return { kind: 'refused', reply: reply(501, '5.5.2', error.message) };
      case 'limit':
        return { kind: 'refused', reply: reply(454, '4.7.0', error.message) };
      default:
        return { kind: 'refused', reply: reply(535, '5.7.8', 'login failed') };
    }
  }
}

function refusalOf(error: MailError): Reply {
  switch (error.code) {
    case 'limit':
      return reply(452, '4.7.1', error.message);
    case 'forbidden':
    case 'accountClosed':
      return reply(550, '5.7.1', error.message);
    case 'overQuota':
      return reply(452, '4.2.2', error.message);
    default:
      return reply(554, '5.0.0', error.message);
  }
}

/** Only what somebody later may act on is kept: NOTIFY and ORCPT, RET and ENVID, REQUIRETLS, and how long it was held. */
function envelopeOf({ sender, parameters, recipients }: MailTransaction<EnvelopeAddress>) {
  const kept = new Set(['RET', 'ENVID', 'HOLDFOR', 'HOLDUNTIL', 'NOTIFY', 'ORCPT', 'BODY', 'SMTPUTF8', 'REQUIRETLS']);
  const named = (given: ReadonlyMap<string, string | null>) => {
    const entries = [...given].filter(([name]) => kept.has(name));
    const decoded = entries.map(([name, value]) => [
      name,
      value === null ? null : name === 'ENVID' || name === 'ORCPT' ? decodeXtext(value) : value,
    ]);
    return entries.length === 0 ? null : (Object.fromEntries(decoded) as Record<string, string | null>);
  };
  return {
    mailFrom: { email: sender, parameters: named(parameters) },
    rcptTo: recipients.map(({ value, parameters: given }) => ({ email: value.email, parameters: named(given) })),
  };
}

/** The identity of the author's address; null where JMAP was never asked for identities. */
function identityFor(tx: AccountReader, author: string): string | null {
  const wanted = canonicalAddress(author);
  for (const { id, value } of tx.objects<IdentityRecord>(identityType)) if (canonicalAddress(value.email) === wanted) return id;
  return null;
}

function freeName(tx: { mailboxByPath(path: readonly string[]): unknown }, name: string): string {
  return tx.mailboxByPath([name]) === undefined ? name : `${name} mail`;
}
