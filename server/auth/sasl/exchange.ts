/** A SASL exchange of one connection: runs a mechanism against the authenticator. Faces carry the bytes and know no mechanism by name. */
import { randomBytes } from 'node:crypto';
import { MailError } from '../../../protocol/mail/errors.ts';
import type { Authenticator, Identity, LoginClient, ScramAttempt } from '../authenticator.ts';
import { saslMessageBytesMax } from '../limits.ts';
import { Login } from './login.ts';
import type { Mechanism, MechanismStep } from './mechanism.ts';
import { OAuthBearer, XOAuth2 } from './oauth-bearer.ts';
import { Plain } from './plain.ts';
import { ScramSha256 } from './scram-sha-256.ts';

interface MechanismRow {
  readonly name: string;
  /** Shows the password or the token to whoever can read the connection: offered on TLS and to loopback only. */
  readonly isPlaintext: boolean;
  /** 'binding': only where there is channel binding. 'tokens': only where bearer tokens are taken. */
  readonly needs?: 'binding' | 'tokens';
  readonly create: (connection: SaslConnection) => Mechanism;
}

const scramNonce = () => randomBytes(24).toString('base64url');

/** Strongest first: some clients take the first they know. */
const mechanisms: readonly MechanismRow[] = [
  {
    name: 'SCRAM-SHA-256-PLUS',
    isPlaintext: false,
    needs: 'binding',
    create: ({ exportBinding }) =>
      new ScramSha256({ nonce: scramNonce(), channelBinding: { name: 'tls-exporter', data: exportBinding!() }, isPlusOffered: true }),
  },
  {
    name: 'SCRAM-SHA-256',
    isPlaintext: false,
    create: ({ exportBinding }) => new ScramSha256({ nonce: scramNonce(), isPlusOffered: exportBinding !== undefined }),
  },
  { name: 'OAUTHBEARER', isPlaintext: true, needs: 'tokens', create: () => new OAuthBearer() },
  { name: 'XOAUTH2', isPlaintext: true, needs: 'tokens', create: () => new XOAuth2() },
  { name: 'PLAIN', isPlaintext: true, create: () => new Plain() },
  { name: 'LOGIN', isPlaintext: true, create: () => new Login() },
];

export type SaslReply = { readonly kind: 'challenge'; readonly data: Uint8Array } | { readonly kind: 'done'; readonly identity: Identity };

export interface SaslConnection {
  readonly client: LoginClient;
  /** Whether passwords may cross this connection in the clear: it has TLS, or comes from loopback or a trusted proxy. */
  readonly mayUsePlaintext: boolean;
  /** The channel binding `tls-exporter` (RFC 9266) of the connection; absent where its TLS has none. */
  readonly exportBinding?: (() => Uint8Array) | undefined;
}

/** What decides about the mechanisms to advertise. */
export interface SaslOffer {
  readonly mayUsePlaintext: boolean;
  /** Whether the connection has channel binding. */
  readonly canBind: boolean;
  /** Whether the authenticator takes bearer tokens. */
  readonly takesTokens: boolean;
}

/** The names to advertise. */
export function saslMechanismNames(offer: SaslOffer): readonly string[] {
  return mechanisms.filter((row) => isThere(row, offer) && (offer.mayUsePlaintext || !row.isPlaintext)).map(({ name }) => name);
}

function isThere({ needs }: MechanismRow, { canBind, takesTokens }: Omit<SaslOffer, 'mayUsePlaintext'>): boolean {
  return needs === undefined || (needs === 'binding' ? canBind : takesTokens);
}

export class SaslExchange {
  readonly #mechanism: Mechanism;
  readonly #authenticator: Authenticator;
  readonly #client: LoginClient;
  #scram: { readonly attempt: ScramAttempt; readonly authorizationId: string } | undefined;
  #identity: Identity | undefined;
  /** Why the token was refused: thrown when the client has heard it. */
  #refusal: MailError | undefined;

  /** Refuses with MailError 'unsupported' a mechanism that is not offered on this connection. Case of the name does not matter. */
  constructor(name: string, authenticator: Authenticator, connection: SaslConnection) {
    const { client, mayUsePlaintext, exportBinding } = connection;
    const row = mechanisms.find((candidate) => candidate.name === name.toUpperCase());
    const there = { canBind: exportBinding !== undefined, takesTokens: authenticator.bearer !== undefined };
    if (row === undefined || !isThere(row, there)) throw new MailError('unsupported', 'This authentication mechanism is not known here.');
    if (row.isPlaintext && !mayUsePlaintext) throw new MailError('forbidden', 'Passwords are not taken in the clear: use TLS first.');
    this.#mechanism = row.create(connection);
    this.#authenticator = authenticator;
    this.#client = client;
  }

  /**
   * Begins, with the client's initial response when it sent one (an empty one is not the same as none). Rejects with MailError: see Authenticator,
   * and 'invalidArguments' for a message that does not follow the mechanism. The exchange is then over.
   */
  start(initialResponse?: Uint8Array): Promise<SaslReply> {
    return initialResponse === undefined ? this.#carryOut(this.#mechanism.start()) : this.step(initialResponse);
  }

  /** The client's answer to the last challenge, decoded from base64. A client that cancels (`*`) just drops the exchange. */
  async step(message: Uint8Array): Promise<SaslReply> {
    if (this.#refusal !== undefined) throw this.#refusal;
    if (message.length > saslMessageBytesMax) throw new MailError('invalidArguments', 'The authentication message is too long.');
    return this.#carryOut(this.#mechanism.step(message));
  }

  async #carryOut(step: MechanismStep): Promise<SaslReply> {
    switch (step.kind) {
      case 'challenge':
        return step;
      case 'password': {
        const identity = await this.#authenticator.verify(step.login, step.password, this.#client);
        return { kind: 'done', identity: this.#authenticator.authorize(identity, step.authorizationId) };
      }
      case 'keys': {
        const attempt = await this.#authenticator.beginScram(step.login, this.#client);
        this.#scram = { attempt, authorizationId: step.authorizationId };
        return this.#carryOut(this.#mechanism.provideKeys!(attempt.keys));
      }
      case 'proof': {
        const { attempt, authorizationId } = this.#scram!;
        const identity = await attempt.finish(step.isProved);
        this.#identity = this.#authenticator.authorize(identity, authorizationId);
        return { kind: 'challenge', data: step.isProved ? step.data : new Uint8Array() };
      }
      case 'token': {
        const bearer = this.#authenticator.bearer!;
        try {
          const identity = await bearer.verify(step.token, this.#client);
          return { kind: 'done', identity: this.#authenticator.authorize(identity, step.authorizationId) };
        } catch (error) {
          if (!(error instanceof MailError) || error.code === 'limit') throw error;
          this.#refusal = error;
          return this.#carryOut(this.#mechanism.refuseToken!(bearer.configurationUrl));
        }
      }
      case 'done':
        return { kind: 'done', identity: this.#identity! };
      case 'failed':
        throw new MailError('invalidArguments', step.reason);
    }
  }
}
