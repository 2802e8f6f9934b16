/** LOGIN and AUTHENTICATE (RFC 9051 §6.2.2, §6.2.3, RFC 4959). The authenticator delays failures; the session ends after a few of them. */
import { type AuthenticateArguments, decodeAuthenticate, decodeBase64 } from '../../../protocol/imap/commands/authenticate.ts';
import { decodeLogin } from '../../../protocol/imap/commands/login.ts';
import { MailError } from '../../../protocol/mail/errors.ts';
import type { Identity } from '../../auth/authenticator.ts';
import { SaslExchange, saslMechanismNames } from '../../auth/sasl/exchange.ts';
import { defineCommand } from '../command.ts';
import { loginFailuresMax } from '../limits.ts';
import { type Reply, refusalOf } from '../refusal.ts';
import type { Session } from '../session.ts';

const useTls: Reply = { status: 'NO', code: 'PRIVACYREQUIRED', text: 'Use TLS before you log in.' };

export const login = defineCommand({
  names: ['LOGIN'],
  states: ['notAuthenticated'],
  capability: ({ isProtected, isLoggedIn }) => (isProtected || isLoggedIn ? [] : ['LOGINDISABLED']),
  sequences: 'free',
  decode: decodeLogin,
  async run({ session }, { user, password }) {
    if (!session.connection.isProtected) return useTls;
    return logIn(session, () => session.services.authenticator.verify(user, password, clientOf(session)));
  },
});

export const authenticate = defineCommand<AuthenticateArguments>({
  names: ['AUTHENTICATE'],
  states: ['notAuthenticated'],
  capability: ({ isLoggedIn, isProtected, canBind, takesTokens }) => {
    const names = isLoggedIn ? [] : saslMechanismNames({ mayUsePlaintext: isProtected, canBind, takesTokens });
    return ['SASL-IR', ...names.map((name) => `AUTH=${name}`)];
  },
  sequences: 'free',
  isConversation: true,
  decode: decodeAuthenticate,
  run: ({ session }, args) => logIn(session, () => exchange(session, args)),
});

const clientOf = ({ connection }: Session) => ({ remote: connection.remote, service: 'imap' as const });

/** RFC 9051 §6.2.2: `*` or what is no base64 ends the exchange with BAD. */
async function exchange(session: Session, { mechanism, initialResponse }: AuthenticateArguments): Promise<Identity | Reply> {
  const { authenticator } = session.services;
  const { isProtected, canBind, exportBinding } = session.connection;
  const offer = { mayUsePlaintext: isProtected, canBind, takesTokens: authenticator.bearer !== undefined };
  const isIn = (names: readonly string[]) => names.includes(mechanism.toUpperCase());
  if (!isIn(saslMechanismNames(offer)) && isIn(saslMechanismNames({ ...offer, mayUsePlaintext: true }))) return useTls;
  const sasl = new SaslExchange(mechanism, authenticator, { client: clientOf(session), mayUsePlaintext: isProtected, exportBinding });
  let step = await sasl.start(initialResponse);
  while (step.kind === 'challenge') {
    session.output.continuation(Buffer.from(step.data).toString('base64'));
    const line = await session.input.nextLine();
    if (line === undefined) return { status: 'BAD', text: 'The connection has ended.' };
    if (line?.toString('latin1') === '*') return { status: 'BAD', text: 'AUTHENTICATE cancelled.' };
    const message = line === null || line.length === 0 ? line : decodeBase64(line);
    if (message === null || message === undefined) return { status: 'BAD', text: 'This is not base64.' };
    step = await sasl.step(message);
  }
  return step.identity;
}

async function logIn(session: Session, prove: () => Promise<Identity | Reply>): Promise<Reply> {
  const { services } = session;
  try {
    const outcome = await prove();
    if ('status' in outcome) return outcome;
    const account = await services.accounts.open(outcome.accountId);
    session.logIn(outcome, account);
    session.logger.debug('logged in', { by: outcome.by });
    return { status: 'OK', code: `CAPABILITY ${session.capabilities().join(' ')}`, text: `Welcome, ${printable(outcome.address)}` };
  } catch (error) {
    if (!(error instanceof MailError)) throw error;
    session.loginFailures += 1;
    if (session.loginFailures >= loginFailuresMax) {
      session.output.untagged('BYE Too many failed logins.');
      session.end();
    }
    const refusal = refusalOf(error);
    // RFC 5530 §3: who has proved to be somebody may not be whom he names, or not come in by this door.
    return error.code === 'forbidden' ? { ...refusal, code: 'AUTHORIZATIONFAILED' } : refusal;
  }
}

const printable = (text: string) => text.replace(/[^\x21-\x7e]/g, '?');
