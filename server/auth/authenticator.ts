/**
 * Decides who may log in: by password (LOGIN, PLAIN, HTTP Basic) or by proof (SCRAM), against the directory's credentials; or by a token of the
 * configured OpenID provider.
 *
 * Before any answer the directory looks at the store once more, so that a password changed on another node holds here at once; when that fails, so
 * does the login, with StorageError 'unavailable'. A verified password is remembered for some minutes as an HMAC under a key of this process, tied to
 * the very credential record it was verified against: any change of the record forgets it. Unknown logins cost what known ones cost.
 * Refusals are MailErrors: 'authenticationFailed', 'forbidden' (an app password's scope, another's identity) and 'limit' (too many failures).
 */
import { createHmac, hash, randomBytes } from 'node:crypto';
import { invariant, MailError } from '../../protocol/mail/errors.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Clock } from '../../storage/clock.ts';
import { canonicalAddress } from '../../storage/directory/address.ts';
import type { Directory, DirectoryAccount } from '../../storage/directory/directory.ts';
import type { CredentialRecord, ScramKeys } from '../../storage/directory/records.ts';
import type { Logger } from '../logger.ts';
import { argon2SaltBytes, hashArgon2, verifyArgon2 } from './argon2.ts';
import { Gate } from './gate.ts';
import { hashesParallelMax, hashesWaitingMax, passwordBytesMax, rememberedMax, rememberedMs } from './limits.ts';
import type { OpenIdProvider } from './openid-provider.ts';
import { hashAppPassword } from './password.ts';
import { type Proof, proofOfPassword } from './proof.ts';
import { addressKey } from './remote-address.ts';
import { saslPrep } from './saslprep.ts';
import { scramIterations, scramSaltBytes } from './scram-keys.ts';
import { LoginThrottle, touch } from './throttle.ts';

/** What an app password may be for. */
export const services = ['imap', 'jmap', 'submission', 'managesieve'] as const;
export type Service = (typeof services)[number];

/** Where a login comes from. `remote`: the client's IP address; behind a trusted proxy the one that the proxy names. */
export interface LoginClient {
  readonly remote: string;
  readonly service: Service;
}

/** Who logged in. */
export interface Identity {
  readonly accountId: AccountId;
  /** The account's primary address. */
  readonly address: string;
  readonly name: string;
  readonly by: 'password' | 'appPassword' | 'scram' | 'token';
  /** What may be looked at later; absent where nothing is known of it. */
  readonly proof?: Proof;
}

/** SCRAM between the client's two messages: the keys to check its proof with, and where to say what came of it. */
export interface ScramAttempt {
  /** Of the account, or decoys that no proof fits. */
  readonly keys: ScramKeys;
  /** Resolves to who has proved it; otherwise rejects like verify(), after a delay. */
  finish(isProved: boolean): Promise<Identity>;
}

/** What the faces need. */
export interface Authenticator {
  /** `login`: a primary address or an alias; the default domain completes one without a domain. */
  verify(login: string, password: string, client: LoginClient): Promise<Identity>;
  beginScram(login: string, client: LoginClient): Promise<ScramAttempt>;
  /** RFC 4616 §2: nobody acts for another, so an authorization identity must name the account itself. '' names nobody. */
  authorize(identity: Identity, authorizationId: string): Identity;
  /** Absent where no OpenID provider is configured: bearer tokens are not taken. */
  readonly bearer?: BearerLogin | undefined;
}

export interface BearerLogin {
  /** Where clients learn how to get a token. */
  readonly configurationUrl: string;
  /** Rejects like Authenticator's verify(); StorageError 'unavailable' when the provider does not answer. */
  verify(token: string, client: LoginClient): Promise<Identity>;
}

export interface AuthenticatorPorts {
  readonly directory: Pick<Directory, 'refresh' | 'accountByAddress' | 'credential' | 'decoyKey'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly defaultDomain: string;
  /** Milliseconds that knowledge of the directory may be old; 0 asks the store at every login. */
  readonly directoryAgeMsMax?: number;
  /** Whose tokens are taken. */
  readonly openId?: Pick<OpenIdProvider, 'configurationUrl' | 'verify'> | undefined;
}

/** What is known of a login before its password is looked at. */
interface Subject {
  readonly login: string;
  readonly account: DirectoryAccount | undefined;
  readonly credential: CredentialRecord | undefined;
}

export class PasswordAuthenticator implements Authenticator {
  readonly bearer: BearerLogin | undefined;
  readonly #ports: AuthenticatorPorts;
  readonly #throttle: LoginThrottle;
  readonly #gate = new Gate(hashesParallelMax, hashesWaitingMax);
  readonly #processKey = randomBytes(32).toString('base64');
  readonly #remembered = new Map<string, { readonly credential: CredentialRecord; readonly until: number }>();
  #dummyHash: Promise<string> | undefined;

  constructor(ports: AuthenticatorPorts) {
    this.#ports = ports;
    this.#throttle = new LoginThrottle(ports.clock);
    const { openId } = ports;
    if (openId !== undefined) {
      this.bearer = {
        configurationUrl: openId.configurationUrl,
        verify: (token, client) => this.#verifyToken(openId, token, client),
      };
    }
  }

  async verify(login: string, password: string, client: LoginClient): Promise<Identity> {
    const subject = await this.#subject(login, client);
    const { account, credential } = subject;
    const prepared = Buffer.byteLength(password) <= passwordBytesMax ? saslPrep(password) : undefined;
    if (prepared === undefined || prepared === '') return this.#fail(subject, client);

    const fingerprint = this.#fingerprint(`${account?.id ?? ''}\0${subject.login}\0${prepared}`);
    if (account && credential && this.#isRemembered(fingerprint, credential)) return this.#succeed(subject, account, client, 'password');

    const appPassword = appPasswordFor(credential, prepared);
    if (account && appPassword) {
      if (appPassword.scopes.length > 0 && !appPassword.scopes.includes(client.service)) {
        throw new MailError('forbidden', `This app password is not for ${client.service}.`);
      }
      return { ...this.#succeed(subject, account, client, 'appPassword'), proof: { appPassword: appPassword.id } };
    }

    const guess = { fingerprint, credential };
    if (this.#throttle.isKnownWrong(subject.login, fingerprint, credential)) return this.#fail(subject, client, guess);
    const delayMs = await this.#gate.run(async () => {
      // Those who waited here may have seen others fail, and failures count before the next is let in: a burst gets no further than a sequence.
      this.#throttle.admit(subject.login, client.remote);
      const isRight = await this.#matches(credential, prepared);
      return isRight ? undefined : this.#throttle.failed(subject.login, client.remote, guess);
    });
    if (delayMs !== undefined) return this.#refuse(subject, client, delayMs);
    invariant(account && credential, 'a password matches only where there is one');
    touch(this.#remembered, fingerprint, { credential, until: this.#ports.clock.monotonic() + rememberedMs }, rememberedMax);
    return this.#succeed(subject, account, client, 'password');
  }

  async #verifyToken(openId: Pick<OpenIdProvider, 'verify'>, token: string, client: LoginClient): Promise<Identity> {
    // Whom a token is for is known once it is verified: until then failures count for where it comes from.
    const stranger = { login: `token from ${addressKey(client.remote)}` };
    this.#throttle.admit(stranger.login, client.remote);
    const verified = await openId.verify(token);
    if ('refusal' in verified) {
      const delayMs = this.#throttle.failed(stranger.login, client.remote, {
        fingerprint: this.#fingerprint(token),
        credential: undefined,
      });
      return this.#refuse(stranger, client, delayMs, verified.refusal);
    }
    const login = this.#complete(verified.login);
    await this.#ports.directory.refresh({ maxAgeMs: this.#ports.directoryAgeMsMax ?? 0 });
    const account = this.#ports.directory.accountByAddress(login);
    if (account === undefined) return this.#refuse({ login }, client, 0, 'The token is for somebody who has no account here.');
    this.#throttle.succeeded(login, client.remote);
    return { accountId: account.id, address: account.address, name: account.name, by: 'token', proof: { tokenUntil: verified.until } };
  }

  async beginScram(login: string, client: LoginClient): Promise<ScramAttempt> {
    const subject = await this.#subject(login, client);
    const { account, credential } = subject;
    const keys = credential?.password?.scramSha256;
    return {
      keys: keys ?? this.#decoyKeys(subject.login),
      finish: async (isProved) => {
        this.#throttle.admit(subject.login, client.remote);
        const isCurrent = account !== undefined && this.#ports.directory.credential(account.id) === credential;
        if (!isProved || !keys || !isCurrent) return this.#fail(subject, client);
        return this.#succeed(subject, account, client, 'scram');
      },
    };
  }

  authorize(identity: Identity, authorizationId: string): Identity {
    if (authorizationId === '') return identity;
    if (this.#ports.directory.accountByAddress(this.#complete(authorizationId))?.id === identity.accountId) return identity;
    throw new MailError('forbidden', `${identity.address} may not act for another account.`);
  }

  async #subject(login: string, client: LoginClient): Promise<Subject> {
    const completed = this.#complete(login);
    this.#throttle.admit(completed, client.remote);
    await this.#ports.directory.refresh({ maxAgeMs: this.#ports.directoryAgeMsMax ?? 0 });
    const account = this.#ports.directory.accountByAddress(completed);
    return { login: completed, account, credential: account && this.#ports.directory.credential(account.id) };
  }

  #complete(login: string): string {
    const trimmed = login.trim();
    const address = trimmed.includes('@') ? trimmed : `${trimmed}@${this.#ports.defaultDomain}`;
    return canonicalAddress(address) ?? address.slice(0, 320);
  }

  #isRemembered(fingerprint: string, credential: CredentialRecord): boolean {
    const entry = this.#remembered.get(fingerprint);
    if (entry?.credential === credential && this.#ports.clock.monotonic() < entry.until) return true;
    this.#remembered.delete(fingerprint);
    return false;
  }

  /** Always as much work as a known login takes. */
  async #matches(credential: CredentialRecord | undefined, prepared: string): Promise<boolean> {
    const known = credential?.password?.argon2;
    this.#dummyHash ??= hashArgon2(randomBytes(16).toString('hex'), randomBytes(argon2SaltBytes));
    const isRight = await verifyArgon2(known ?? (await this.#dummyHash), prepared);
    return known !== undefined && isRight;
  }

  /** The same salt for a login at every attempt, on every node: an unknown login must not differ from a known one. */
  #decoyKeys(login: string): ScramKeys {
    const key = this.#ports.directory.decoyKey() ?? this.#processKey;
    const salt = createHmac('sha256', key).update(login).digest().subarray(0, scramSaltBytes);
    const random = () => randomBytes(32).toString('base64');
    return { salt: salt.toString('base64'), iterations: scramIterations, storedKey: random(), serverKey: random() };
  }

  #fingerprint(text: string): string {
    return hash('sha256', `${this.#processKey}${text}`, 'base64');
  }

  #succeed(subject: Subject, account: DirectoryAccount, client: LoginClient, by: Identity['by']): Identity {
    this.#throttle.succeeded(subject.login, client.remote);
    const keys = subject.credential?.password ?? null;
    const proof = keys === null ? {} : { proof: proofOfPassword(keys) };
    return { accountId: account.id, address: account.address, name: account.name, by, ...proof };
  }

  #fail(subject: Subject, client: LoginClient, guess?: { fingerprint: string; credential: unknown }): Promise<never> {
    return this.#refuse(subject, client, this.#throttle.failed(subject.login, client.remote, guess));
  }

  async #refuse({ login }: Pick<Subject, 'login'>, client: LoginClient, delayMs: number, why = wrongPassword): Promise<never> {
    this.#ports.logger.info('login failed', {
      login,
      remote: client.remote,
      service: client.service,
      delayMs,
      ...(why === wrongPassword ? {} : { why }),
    });
    if (delayMs > 0) await this.#ports.clock.sleep(delayMs);
    throw new MailError('authenticationFailed', why);
  }
}

const wrongPassword = 'The login name or the password is wrong.';

function appPasswordFor(credential: CredentialRecord | undefined, prepared: string) {
  if (credential === undefined || credential.appPasswords.length === 0) return undefined;
  // Equal hashes of 100 random bits: how far a comparison went tells nothing that leads to another password.
  const sha256 = hashAppPassword(prepared);
  return credential.appPasswords.find((password) => password.sha256 === sha256);
}
