/** Who a request comes from: HTTP Basic (RFC 7617), over TLS, from this machine, or by a proxy that is trusted. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MailError, StorageError } from '../../../protocol/mail/errors.ts';
import type { Authenticator, Identity } from '../../auth/authenticator.ts';
import { isLoopback } from '../../auth/remote-address.ts';

const challenge = 'Basic realm="Satchel", charset="UTF-8"';

/** The identity, or undefined when the refusal has been sent. */
export async function authenticate(
  authenticator: Authenticator,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Identity | undefined> {
  if (!isProtected(request)) {
    await problem(reply, 403, 'Passwords are taken over TLS only: use https.');
    return undefined;
  }
  const given = readBasic(request.headers.authorization);
  if (given === undefined) {
    await problem(reply.header('www-authenticate', challenge), 401, 'Log in with HTTP Basic authentication.');
    return undefined;
  }
  try {
    return await authenticator.verify(given.login, given.password, { remote: request.ip, service: 'jmap' });
  } catch (error) {
    await refuseLogin(reply, error);
    return undefined;
  }
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

function refuseLogin(reply: FastifyReply, error: unknown): FastifyReply {
  if (error instanceof StorageError) return problem(reply, 503, 'The store cannot be reached, try again.');
  if (!(error instanceof MailError)) throw error;
  if (error.code === 'limit') return problem(reply, 429, error.message);
  if (error.code === 'forbidden') return problem(reply, 403, error.message);
  return problem(reply.header('www-authenticate', challenge), 401, error.message);
}
