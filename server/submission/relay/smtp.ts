/**
 * The relay driver `smtp`: any smarthost, or SES's SMTP endpoint, through a pool of connections. Messages are signed with the keys of their author's domain.
 * A connection that dies after the message was sent and before the answer came counts as "not now": the relay may then get the message twice.
 */
import { createTransport } from 'nodemailer';
import { relayMsMax } from '../../../indexer/outbox/limits.ts';
import type { HandoverResult, Relay, RelayMessage } from '../../../indexer/outbox/relay.ts';
import { type DkimKey, dkimSignatures } from '../dkim-signer.ts';
import { authorDomain } from './author-domain.ts';

export interface SmtpRelayOptions {
  readonly host: string;
  readonly port: number;
  /** `implicit`: TLS at once. `starttls`: TLS or nothing. `none`: only for a relay on this machine or network. */
  readonly tls: 'implicit' | 'starttls' | 'none';
  readonly user?: string;
  readonly password?: string;
  readonly connectionsMax: number;
  readonly hostName: string;
  /** Keys that sign for a domain now. */
  readonly keysOf: (domain: string) => readonly DkimKey[];
  readonly now: () => number;
  /** For tests: a relay whose certificate nobody has signed. */
  readonly trustsAnyCertificate?: boolean;
}

export interface SmtpRelay extends Relay, Disposable {}

/** What nodemailer throws. */
interface SmtpFault extends Error {
  readonly code?: string;
  readonly command?: string;
  readonly response?: string;
  readonly responseCode?: number;
  readonly rejectedErrors?: readonly (SmtpFault & { readonly recipient?: string })[];
}

export function openSmtpRelay(options: SmtpRelayOptions): SmtpRelay {
  const { host, port, tls, user, password, connectionsMax, hostName } = options;
  const transport = createTransport({
    pool: true,
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    name: hostName,
    maxConnections: connectionsMax,
    connectionTimeout: 30_000,
    greetingTimeout: 30_000,
    socketTimeout: relayMsMax,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(user === undefined ? {} : { auth: { user, pass: password ?? '' } }),
    ...(options.trustsAnyCertificate === true ? { tls: { rejectUnauthorized: false } } : {}),
  });
  return {
    recipientsMax: 100,
    async send({ mailFrom, rcptTo, bytes }: RelayMessage): Promise<readonly HandoverResult[]> {
      const domain = authorDomain(bytes);
      const keys = domain === undefined ? [] : options.keysOf(domain);
      const raw = keys.length === 0 ? bytes : Buffer.concat([Buffer.from(dkimSignatures(bytes, keys, options.now()), 'latin1'), bytes]);
      const to = rcptTo.map(({ email }) => email);
      // nodemailer hands further members on to its connection, which its types do not say.
      const envelope = { from: mailFrom.email, to, use8BitMime: true };
      try {
        const info = await transport.sendMail({ envelope, raw });
        return to.map((address) => {
          const fault = (info.rejectedErrors as SmtpFault['rejectedErrors'])?.find(({ recipient }) => recipient === address);
          return fault === undefined ? { kind: 'relayed', smtpReply: info.response, ...relayIdOf(info.response) } : resultOf(fault);
        });
      } catch (error) {
        const fault = error as SmtpFault;
        return to.map((address) => resultOf(fault.rejectedErrors?.find(({ recipient }) => recipient === address) ?? fault));
      }
    },
    [Symbol.dispose]: () => transport.close(),
  };
}

/** SES's endpoint says `250 Ok <MessageId>`. */
function relayIdOf(response: string): { readonly relayId?: string } {
  const [, id] = /^250 Ok ([0-9a-f]{16}-[0-9a-f-]{20,60})\s*$/i.exec(response) ?? [];
  return id === undefined ? {} : { relayId: id };
}

/** A refusal to our login, or to TLS, is the administrator's to mend: the mail waits. */
function resultOf({ responseCode, response, command, code, message }: SmtpFault): HandoverResult {
  const isAboutUs =
    code === 'EAUTH' || code === 'ETLS' || command?.startsWith('AUTH') === true || responseCode === 530 || responseCode === 535;
  const said = response ?? message;
  if (responseCode !== undefined && responseCode >= 500 && !isAboutUs) return { kind: 'failed', smtpReply: said };
  return { kind: 'deferred', smtpReply: /^\d{3}/.test(said) ? said : `451 4.4.1 ${said}` };
}
