/** A small OpenID provider: says where its keys are, gives them, and signs what a test wants. As a function, or listening on a port. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose';

export interface TestProvider extends AsyncDisposable {
  readonly issuer: string;
  /** Documents that were asked for. */
  readonly fetched: string[];
  /** What the next requests get instead of documents. */
  failWith: Error | undefined;
  /** What discovery says besides, or instead. */
  readonly configuration: Record<string, unknown>;
  fetchText(url: string): Promise<string>;
  publicKey(): JWK;
  /** New keys; the old ones are gone. */
  rotate(): Promise<void>;
  /** Issued by it for `satchel`, to ann@example.com, for ten minutes from `now`, but for what `claims` and `header` say. */
  sign(claims?: JWTPayload, header?: Partial<JWTHeaderParameters>): Promise<string>;
  /** Listens; `issuer` is its address from then on. */
  listen(): Promise<void>;
}

export async function makeProvider(now: () => number): Promise<TestProvider> {
  let issuer = 'https://id.example.com';
  let serial = 0;
  let keys = await newKeys();
  const server = createServer((request, response) => {
    provider
      .fetchText(`${issuer}${request.url}`)
      .then((text) => response.setHeader('content-type', 'application/json').end(text))
      .catch(() => response.writeHead(500).end());
  });

  async function newKeys() {
    serial += 1;
    const pair = await generateKeyPair('ES256');
    return { kid: `key${serial}`, pair, jwk: { ...(await exportJWK(pair.publicKey)), kid: `key${serial}`, alg: 'ES256', use: 'sig' } };
  }

  const provider: TestProvider = {
    get issuer() {
      return issuer;
    },
    fetched: [],
    failWith: undefined,
    configuration: {},
    async fetchText(url) {
      provider.fetched.push(url);
      if (provider.failWith !== undefined) throw provider.failWith;
      if (url === `${issuer}/.well-known/openid-configuration`) {
        return JSON.stringify({ issuer, jwks_uri: `${issuer}/keys`, ...provider.configuration });
      }
      if (url === `${issuer}/keys`) return JSON.stringify({ keys: [keys.jwk] });
      throw new Error(`there is no ${url}`);
    },
    publicKey: () => keys.jwk,
    async rotate() {
      keys = await newKeys();
    },
    sign(claims = {}, header = {}) {
      const seconds = Math.floor(now() / 1000);
      const standard = { iss: issuer, aud: 'satchel', sub: '17', email: 'ann@example.com', iat: seconds, exp: seconds + 600 };
      const payload = Object.fromEntries(Object.entries({ ...standard, ...claims }).filter(([, value]) => value !== undefined));
      return new SignJWT(payload).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: keys.kid, ...header }).sign(keys.pair.privateKey);
    },
    async listen() {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return provider;
}
