/** Who a request comes from: HTTP Basic (RFC 7617) or a bearer token (RFC 6750), over TLS, from this machine, or by a proxy that is trusted. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MailError, StorageError } from '../../../protocol/mail/errors.ts';
import type { Authenticator, Identity } from '../../auth/authenticator.ts';
import { isLoopback } from '../../auth/remote-address.ts';
import { originOf, resourceMetadataPath } from './browsers.ts';

const basicChallenge = 'Basic realm="Satchel", charset="UTF-8"';

/** RFC 6750 §3. */
const challenges = (origin: string, takesTokens: boolean, why = ''): string[] => {
  // RFC 9728 §5.1: where a client finds out who gives tokens.
  const metadata = `resource_metadata="${origin}${resourceMetadataPath}"`;
  return takesTokens ? [`Bearer realm="Satchel", ${metadata}${why}`, basicChallenge] : [basicChallenge];
};

/** The identity, or undefined when the refusal has been sent. */
export async function authenticate(
  { authenticator, publicUrl }: { readonly authenticator: Authenticator; readonly publicUrl: string | undefined },
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Identity | undefined> {
  if (!isProtected(request)) {
    await problem(reply, 403, 'Passwords are taken over TLS only: use https.');
    return undefined;
  }
  const origin = originOf(request, publicUrl);
  const { bearer } = authenticator;
  const client = { remote: request.ip, service: 'jmap' } as const;
  const token = readBearer(request.headers.authorization);
  const given = readBasic(request.headers.authorization);
  try {
    if (token !== undefined && bearer !== undefined) return await bearer.verify(token, client);
    if (given !== undefined) return await authenticator.verify(given.login, given.password, client);
  } catch (error) {
    await refuseLogin(reply, error, challenges(origin, bearer !== undefined, token === undefined ? '' : ', error="invalid_token"'));
    return undefined;
  }
  const how = bearer === undefined ? 'Log in with HTTP Basic authentication.' : 'Log in with HTTP Basic authentication or a bearer token.';
  await problem(reply.header('www-authenticate', challenges(origin, bearer !== undefined)), 401, how);
  return undefined;
}

/** RFC 7807. */
export function problem(reply: FastifyReply, status: number, detail: string, more: object = {}): FastifyReply {
  return reply
    .code(status)
    .type('application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', status, detail, ...more }));
}

/** A proxy that is trusted has named another address as the client's. */
function isProtected({ protocol, socket, ip }: FastifyRequest): boolean {
  const direct = socket.remoteAddress ?? '';
  return protocol === 'https' || isLoopback(direct) || ip !== direct;
}

function readBasic(header: string | undefined): { login: string; password: string } | undefined {
  const [, token] = /^Basic +([A-Za-z0-9+/=]+) *$/i.exec(header ?? '') ?? [];
  if (token === undefined) return undefined;
  const text = Buffer.from(token, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { login: text.slice(0, colon), password: text.slice(colon + 1) };
}

function readBearer(header: string | undefined): string | undefined {
  return /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(header ?? '')?.[1];
}

function refuseLogin(reply: FastifyReply, error: unknown, challenge: readonly string[]): FastifyReply {
  if (error instanceof StorageError) return problem(reply, 503, 'The store cannot be reached, try again.');
  if (!(error instanceof MailError)) throw error;
  if (error.code === 'limit') return problem(reply, 429, error.message);
  if (error.code === 'forbidden') return problem(reply, 403, error.message);
  return problem(reply.header('www-authenticate', challenge), 401, error.message);
}
