/**
 * The OpenID provider whose tokens open accounts here: JWTs (RFC 7519, RFC 9068) signed by one of its keys, issued by it, for us. Its keys come by
 * OpenID Connect Discovery 1.0 and a JWK Set (RFC 7517); they are kept for some minutes, and looked for again when a token names a key that is not
 * among them. While the provider does not answer, keys that were fetched within a day go on working.
 *
 * A refusal is a value with a sentence that may be shown: who holds the token has it anyway.
 */
import { createLocalJWKSet, decodeProtectedHeader, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose';
import { StorageError } from '../../protocol/mail/errors.ts';
import type { Clock } from '../../storage/clock.ts';
import { providerKeysFreshMs, providerKeysMax, providerKeysPauseMs, providerKeysStaleMsMax, tokenToleranceSeconds } from './limits.ts';

export interface OpenIdOptions {
  /** As its tokens spell it. */
  readonly issuer: string;
  /** What `aud` must hold. */
  readonly audience: string;
  /** The claim that holds the account's address. */
  readonly claim: string;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  /** Fetches a document of the provider; bounded in size and time by whoever gives it. */
  readonly fetchText: (url: string) => Promise<string>;
}

/** `until`: milliseconds since the epoch at which the token expires. */
export type VerifiedToken = { readonly login: string; readonly until: number } | { readonly refusal: string };

/** Signatures that only the provider can make. `none` and keyed hashes, whose key could be taken for the public one, are not among them (RFC 8725 §3.1). */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];

/** RFC 8725 §3.11, RFC 9068 §2.1: a token of another kind, such as a logout token, opens nothing. */
const tokenTypes: readonly (string | undefined)[] = [undefined, 'jwt', 'at+jwt', 'application/at+jwt'];

type KeySet = ReturnType<typeof createLocalJWKSet>;

export class OpenIdProvider {
  readonly #options: OpenIdOptions;
  #keys: { readonly set: KeySet; readonly fetchedAt: number } | undefined;
  #triedAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<KeySet> | undefined;

  constructor(options: OpenIdOptions) {
    this.#options = options;
  }

  /** OpenID Connect Discovery 1.0 §4. */
  get configurationUrl(): string {
    return `${this.#options.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  }

  /** Rejects with StorageError 'unavailable' when the provider's keys cannot be had. */
  async verify(token: string): Promise<VerifiedToken> {
    if (token === '') return { refusal: 'There is no bearer token.' };
    const first = await this.#verifyWith(token, await this.#currentKeys());
    // The provider may have changed its keys since.
    if (first !== 'unknownKey') return first;
    const second = this.#mayFetch() ? await this.#verifyWith(token, await this.#fetchKeys()) : first;
    return second === 'unknownKey' ? { refusal: 'The token is signed by a key that the provider does not have.' } : second;
  }

  async #verifyWith(token: string, keys: KeySet): Promise<VerifiedToken | 'unknownKey'> {
    const { issuer, audience, claim, clock } = this.#options;
    try {
      const { typ } = decodeProtectedHeader(token);
      if (!tokenTypes.includes(typ?.toLowerCase())) return { refusal: 'The token is not an access token.' };
      const { payload } = await jwtVerify(token, keys, {
        algorithms,
        issuer,
        audience,
        requiredClaims: ['exp'],
        clockTolerance: tokenToleranceSeconds,
        currentDate: new Date(clock.now()),
      });
      return readLogin(payload, claim);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return 'unknownKey';
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      return { refusal };
    }
  }

  async #currentKeys(): Promise<KeySet> {
    const kept = this.#keys;
    const age = kept === undefined ? Number.POSITIVE_INFINITY : this.#options.clock.monotonic() - kept.fetchedAt;
    if (kept !== undefined && (age < providerKeysFreshMs || (age < providerKeysStaleMsMax && !this.#mayFetch()))) return kept.set;
    try {
      return await this.#fetchKeys();
    } catch (error) {
      if (kept !== undefined && age < providerKeysStaleMsMax) return kept.set;
      throw error;
    }
  }

  #mayFetch(): boolean {
    return this.#fetching !== undefined || this.#options.clock.monotonic() - this.#triedAt >= providerKeysPauseMs;
  }

  /** Logins that need the keys at the same time wait for one fetch. */
  #fetchKeys(): Promise<KeySet> {
    this.#triedAt = this.#options.clock.monotonic();
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetch(): Promise<KeySet> {
    const { issuer, fetchText, clock } = this.#options;
    try {
      const configuration = JSON.parse(await fetchText(this.configurationUrl)) as { issuer?: unknown; jwks_uri?: unknown };
      // Discovery §4.3: otherwise one provider could speak for another.
      if (configuration.issuer !== issuer) throw new Error(`the provider calls itself ${JSON.stringify(configuration.issuer)}`);
      if (typeof configuration.jwks_uri !== 'string') throw new Error('the provider does not say where its keys are');
      const jwks = JSON.parse(await fetchText(configuration.jwks_uri)) as JSONWebKeySet;
      if (!Array.isArray(jwks?.keys) || jwks.keys.length > providerKeysMax) throw new Error('the provider has no usable list of keys');
      const set = createLocalJWKSet(jwks);
      this.#keys = { set, fetchedAt: clock.monotonic() };
      return set;
    } catch (error) {
      throw new StorageError('unavailable', "The OpenID provider's keys cannot be fetched.", { cause: error });
    }
  }
}

function readLogin(payload: JWTPayload, claim: string): VerifiedToken {
  const login = payload[claim];
  if (typeof login !== 'string' || login === '') return { refusal: `The token has no claim ${claim}.` };
  // OpenID Connect Core §5.1: an address that its user only claims to have is not the account's.
  if (claim === 'email' && payload.email_verified === false) return { refusal: 'The address in the token is not verified.' };
  return { login, until: (payload.exp ?? 0) * 1000 };
}

function refusalOf(error: unknown): string | undefined {
  if (error instanceof errors.JWTExpired) return 'The token has expired.';
  if (error instanceof errors.JWTClaimValidationFailed) return `The token's claim ${error.claim} is not right here.`;
  if (error instanceof errors.JOSEAlgNotAllowed) return 'The token is signed in a way that is not taken.';
  if (error instanceof errors.JWSSignatureVerificationFailed) return "The token's signature is wrong.";
  if (error instanceof errors.JOSEError || error instanceof TypeError) return 'The token is not a JWT that can be read.';
  return undefined;
}
