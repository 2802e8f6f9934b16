import { exportSPKI, generateKeyPair, importJWK, type JWTPayload, SignJWT } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';
import { OpenIdProvider } from '../../../server/auth/openid-provider.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { makeProvider, type TestProvider } from '../../support/openid-provider.ts';

let clock: ManualClock;
let idp: TestProvider;
let provider: OpenIdProvider;
const minutes = 60_000;

beforeEach(async () => {
  clock = new ManualClock();
  idp = await makeProvider(() => clock.now());
  provider = open();
});

const open = (claim = 'email') =>
  new OpenIdProvider({ issuer: idp.issuer, audience: 'satchel', claim, clock, fetchText: (url) => idp.fetchText(url) });
const seconds = () => Math.floor(clock.now() / 1000);
const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a token of the provider', () => {
  test('names the account by its claim', async () => {
    expect(await provider.verify(await idp.sign())).toEqual({ login: 'ann@example.com', until: expect.any(Number) });
    const other = await idp.sign({ preferred_username: 'ann', email: undefined });
    expect(await open('preferred_username').verify(other)).toEqual({ login: 'ann', until: expect.any(Number) });
  });

  test('may be for several audiences, and may have no type', async () => {
    expect(await provider.verify(await idp.sign({ aud: ['other', 'satchel'] }, { typ: undefined }))).toEqual({
      login: 'ann@example.com',
      until: expect.any(Number),
    });
  });

  test.each<[claim: string, claims: () => JWTPayload, header: object, refusal: RegExp]>([
    ['that has expired', () => ({ exp: seconds() - 60 }), {}, /expired/],
    ['that never expires', () => ({ exp: undefined }), {}, /claim exp/],
    ['that is not valid yet', () => ({ nbf: seconds() + 60 }), {}, /claim nbf/],
    ['for another service', () => ({ aud: 'calendar' }), {}, /claim aud/],
    ['for nobody', () => ({ aud: undefined }), {}, /claim aud/],
    ['that another issuer gave', () => ({ iss: 'https://evil.example' }), {}, /claim iss/],
    ['without an address', () => ({ email: undefined }), {}, /no claim email/],
    ['whose address is a list', () => ({ email: ['ann@example.com'] }), {}, /no claim email/],
    ['whose address is not verified', () => ({ email_verified: false }), {}, /not verified/],
    ['of another kind', () => ({}), { typ: 'logout+jwt' }, /not an access token/],
  ])('%s is refused', async (_claim, claims, header, refusal) => {
    expect(await provider.verify(await idp.sign(claims(), header))).toEqual({ refusal: expect.stringMatching(refusal) });
  });

  test('within half a minute of its end is taken: clocks differ', async () => {
    expect(await provider.verify(await idp.sign({ exp: seconds() - 20 }))).toEqual({ login: 'ann@example.com', until: expect.any(Number) });
  });
});

describe('a forged token', () => {
  const claims = () => ({ iss: idp.issuer, aud: 'satchel', email: 'ann@example.com', exp: seconds() + 600 });

  test('signed by another key under a known name is refused', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    const forged = await new SignJWT(claims()).setProtectedHeader({ alg: 'ES256', kid: 'key1' }).sign(privateKey);
    expect(await provider.verify(forged)).toEqual({ refusal: "The token's signature is wrong." });
  });

  test('whose claims were changed is refused', async () => {
    const [header, , signature] = (await idp.sign()).split('.');
    expect(await provider.verify(`${header}.${base64(claims())}.${signature}`)).toEqual({ refusal: "The token's signature is wrong." });
  });

  test.each(['none', 'None', 'NONE'])('without a signature, alg %s, is refused', async (alg) => {
    for (const signature of ['', 'AAAA']) {
      const verified = await provider.verify(`${base64({ alg, typ: 'JWT' })}.${base64(claims())}.${signature}`);
      expect(verified).toEqual({ refusal: expect.any(String) });
    }
  });

  test('whose HMAC is keyed with the public key is refused', async () => {
    const pem = await exportSPKI((await importJWK(idp.publicKey(), 'ES256')) as Parameters<typeof exportSPKI>[0]);
    for (const secret of [pem, JSON.stringify(idp.publicKey()), idp.publicKey().x!]) {
      const forged = await new SignJWT(claims())
        .setProtectedHeader({ alg: 'HS256', kid: 'key1' })
        .sign(Buffer.from(secret.padEnd(32, ' ')));
      expect(await provider.verify(forged)).toEqual({ refusal: 'The token is signed in a way that is not taken.' });
    }
  });

  test('that brings its own key is refused', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    const header = { alg: 'ES256', jwk: idp.publicKey(), jku: 'https://evil.example/keys' };
    const forged = await new SignJWT(claims()).setProtectedHeader(header).sign(privateKey);
    expect(await provider.verify(forged)).toEqual({ refusal: "The token's signature is wrong." });
    expect(idp.fetched.filter((url) => url.includes('evil'))).toEqual([]);
  });

  test.each(['', 'x', 'a.b.c', '..', `${'A'.repeat(5000)}.e30.x`])('that is no JWT is refused: %j', async (token) => {
    expect(await provider.verify(token)).toEqual({ refusal: expect.any(String) });
  });
});

describe("the provider's keys", () => {
  test('are fetched once for many logins, and again after ten minutes', async () => {
    const token = await idp.sign({ exp: seconds() + 3600 });
    await Promise.all([provider.verify(token), provider.verify(token)]);
    await provider.verify(token);
    expect(idp.fetched).toHaveLength(2);
    clock.advance(11 * minutes);
    await provider.verify(token);
    expect(idp.fetched).toHaveLength(4);
  });

  test('are looked for when a token names a new one, but not for each such token', async () => {
    await provider.verify(await idp.sign());
    await idp.rotate();
    clock.advance(minutes);
    expect(await provider.verify(await idp.sign())).toEqual({ login: 'ann@example.com', until: expect.any(Number) });
    const fetches = idp.fetched.length;
    for (let attempt = 0; attempt < 5; attempt += 1) {
      expect(await provider.verify(await idp.sign({}, { kid: `made-up-${attempt}` }))).toEqual({
        refusal: expect.stringMatching(/key that/),
      });
    }
    expect(idp.fetched).toHaveLength(fetches);
  });

  test('that were fetched go on working while the provider does not answer, for a day', async () => {
    await provider.verify(await idp.sign());
    idp.failWith = new Error('down');
    clock.advance(60 * minutes);
    expect(await provider.verify(await idp.sign())).toEqual({ login: 'ann@example.com', until: expect.any(Number) });
    clock.advance(24 * 60 * minutes);
    await expect(provider.verify(await idp.sign())).rejects.toMatchObject({ code: 'unavailable' });
  });

  test.each<[claim: string, configuration: Record<string, unknown>]>([
    ['calls itself something else', { issuer: 'https://evil.example' }],
    ['has no keys', { jwks_uri: undefined }],
    ['gives keys that are not there', { jwks_uri: 'https://id.example.com/nothing' }],
  ])('of a provider that %s are not used', async (_claim, configuration) => {
    Object.assign(idp.configuration, configuration);
    await expect(provider.verify(await idp.sign())).rejects.toMatchObject({ code: 'unavailable' });
  });
});
