/**
 * The relay driver `smtp`: any smarthost, or SES's SMTP endpoint, through a pool of connections. Messages are signed with the keys of their author's domain.
 * Where the relay offers DSN (RFC 3461) and REQUIRETLS (RFC 8689), what the sender asked for by them is handed on.
 * A connection that dies after the message was sent and before the answer came counts as "not now": the relay may then get the message twice.
 */
import { createTransport } from 'nodemailer';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { relayMsMax } from '../../../indexer/outbox/limits.ts';
import type { HandoverResult, Relay, RelayExtension, RelayMessage } from '../../../indexer/outbox/relay.ts';
import type { Clock } from '../../../storage/clock.ts';
import type { EnvelopeAddress } from '../../../storage/outbox/record.ts';
import { type DkimKey, dkimSignatures } from '../dkim-signer.ts';
import { authorDomain } from './author-domain.ts';
import { Turns } from './turns.ts';

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
  readonly clock: Clock;
  /** For tests: a relay whose certificate nobody has signed. */
  readonly trustsAnyCertificate?: boolean;
}

export interface SmtpRelay extends Relay, Disposable {
  readonly extensions: ReadonlySet<RelayExtension>;
  lookForExtensions(signal?: AbortSignal): Promise<void>;
}

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
  const connection = {
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    name: hostName,
    connectionTimeout: 30_000,
    greetingTimeout: 30_000,
    ...(options.trustsAnyCertificate === true ? { tls: { rejectUnauthorized: false } } : {}),
  };
  const transport = createTransport({
    ...connection,
    pool: true,
    maxConnections: connectionsMax,
    socketTimeout: relayMsMax,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(user === undefined ? {} : { auth: { user, pass: password ?? '' } }),
  });
  const turns = new Turns(connectionsMax, options.clock);
  let extensions: ReadonlySet<RelayExtension> | undefined;

  const lookForExtensions = async (signal?: AbortSignal) => {
    extensions = await extensionsOffered(new SMTPConnection({ ...connection, socketTimeout: 30_000 }), signal);
  };

  return {
    recipientsMax: 100,
    get extensions() {
      return extensions ?? new Set();
    },
    lookForExtensions,
    // nodemailer has one NOTIFY and one ORCPT for all recipients of a message.
    callKey: ({ parameters }) => (extensions?.has('DSN') ? JSON.stringify([parameters?.['NOTIFY'], parameters?.['ORCPT']]) : ''),
    async send({ mailFrom, rcptTo, bytes }: RelayMessage): Promise<readonly HandoverResult[]> {
      using turn = await turns.take();
      if (turn === undefined) return rcptTo.map(() => ({ kind: 'deferred', smtpReply: '451 4.4.5 Too much waits for the relay' }));
      const domain = authorDomain(bytes);
      const keys = domain === undefined ? [] : options.keysOf(domain);
      const raw =
        keys.length === 0 ? bytes : Buffer.concat([Buffer.from(dkimSignatures(bytes, keys, options.clock.now()), 'latin1'), bytes]);
      const to = rcptTo.map(({ email }) => email);
      const isDsnHandedOn = extensions?.has('DSN') === true;
      const isTlsRequired = mailFrom.parameters?.['REQUIRETLS'] !== undefined;
      // nodemailer hands further members on to its connection, which its types do not say.
      const envelope = { from: mailFrom.email, to, use8BitMime: true };
      try {
        const info = await transport.sendMail({
          envelope,
          raw,
          ...(isDsnHandedOn ? { dsn: dsnOf(mailFrom, rcptTo[0]!) } : {}),
          ...(isTlsRequired ? { requireTLSExtensionEnabled: true } : {}),
        });
        const told = isDsnHandedOn && rcptTo[0]!.parameters?.['NOTIFY'] !== undefined ? ({ tellsSender: true } as const) : {};
        return to.map((address) => {
          const fault = (info.rejectedErrors as SmtpFault['rejectedErrors'])?.find(({ recipient }) => recipient === address);
          return fault === undefined
            ? { kind: 'relayed', smtpReply: info.response, ...relayIdOf(info.response), ...told }
            : resultOf(fault);
        });
      } catch (error) {
        const fault = error as SmtpFault;
        return to.map((address) => resultOf(fault.rejectedErrors?.find(({ recipient }) => recipient === address) ?? fault));
      }
    },
    [Symbol.dispose]: () => transport.close(),
  };
}

/** RFC 3461 §5.2.1: handed on as they were given. nodemailer makes xtext of them. */
function dsnOf({ parameters }: EnvelopeAddress, recipient: EnvelopeAddress) {
  const { RET: ret, ENVID: envid } = parameters ?? {};
  const { NOTIFY: notify, ORCPT: orcpt } = recipient.parameters ?? {};
  return { ...(ret && { ret }), ...(envid && { envid }), ...(notify && { notify: notify.split(',') }), ...(orcpt && { orcpt }) };
}

/** What stands in the answer to EHLO, within TLS where there is TLS. */
async function extensionsOffered(connection: SMTPConnection, signal?: AbortSignal): Promise<ReadonlySet<RelayExtension>> {
  const close = () => connection.close();
  signal?.addEventListener('abort', close, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      connection.on('error', reject);
      connection.once('end', () => reject(new Error('The relay closed the connection')));
      connection.connect((error) => (error ? reject(error) : resolve()));
    });
    const answer = String(connection.lastServerResponse);
    const isOffered = (name: RelayExtension) => new RegExp(`^250[ -]${name} *\r?$`, 'im').test(answer);
    // RFC 8689 §2: of no use outside TLS.
    return new Set((['DSN', 'REQUIRETLS'] as const).filter((name) => isOffered(name) && (name === 'DSN' || connection.secure)));
  } finally {
    signal?.removeEventListener('abort', close);
    connection.close();
  }
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
  // RFC 8689 §4.2.1. The relay offered it when the message was taken, and does not any more.
  if (code === 'EREQUIRETLS') return { kind: 'failed', smtpReply: '550 5.7.30 REQUIRETLS support required' };
  const said = response ?? message;
  if (responseCode !== undefined && responseCode >= 500 && !isAboutUs) return { kind: 'failed', smtpReply: said };
  return { kind: 'deferred', smtpReply: /^\d{3}/.test(said) ? said : `451 4.4.1 ${said}` };
}
