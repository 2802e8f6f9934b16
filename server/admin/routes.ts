/**
 * /admin/v1: every verb as an HTTP call, on dataDir/admin.sock for whoever may open that file, and on the HTTP listeners with a bearer token.
 * Answers are JSON; a refusal is `{ "error": { "code", "message" } }` with a sentence for people.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { MailError, type MailErrorCode, StorageError, type StorageErrorCode } from '../../protocol/mail/errors.ts';
import type { Logger } from '../logger.ts';
import type { AdminServices } from './services.ts';
import type { Verb } from './verb.ts';

export interface AdminRoutesOptions {
  readonly verbs: readonly Verb[];
  readonly services: AdminServices;
  readonly logger: Logger;
  /** What the caller must show; undefined where the transport has checked the caller already. */
  readonly token: string | undefined;
}

export const adminPrefix = '/admin/v1';

/** Adds the routes to `server`, within their own error handling. */
export async function addAdminRoutes(server: FastifyInstance, options: AdminRoutesOptions): Promise<void> {
  await server.register(
    async (scope) => {
      const { token } = options;
      if (token !== undefined) {
        scope.addHook('onRequest', async (request, reply) => {
          if (!showsToken(request, token)) return refuse(reply, 401, 'authenticationFailed', 'Send the admin token as a bearer token.');
        });
      }
      scope.setErrorHandler(async (error, _request, reply) => answerError(reply, error, options.logger));
      for (const verb of options.verbs) {
        const handler = (request: FastifyRequest) => runVerb(verb, request, options);
        scope.route({
          method: verb.method,
          url: verb.path,
          handler,
          ...(verb.bodyBytesMax === undefined ? {} : { bodyLimit: verb.bodyBytesMax }),
        });
      }
    },
    { prefix: adminPrefix },
  );
}

/** Whether the request's bearer token is `token`, in time that tells nothing of it. */
export function showsToken(request: Pick<FastifyRequest, 'headers'>, token: string): boolean {
  const [, shown = ''] = /^Bearer +(.+)$/i.exec(request.headers.authorization ?? '') ?? [];
  return timingSafeEqual(hash('sha256', shown, 'buffer'), hash('sha256', token, 'buffer'));
}

async function runVerb(verb: Verb, request: FastifyRequest, { services, logger }: AdminRoutesOptions): Promise<unknown> {
  const inBody = verb.method === 'POST' || verb.method === 'PUT';
  const given = { ...((inBody ? request.body : request.query) as object | null), ...(request.params as object) };
  const parameters = inBody ? given : fromQuery(verb, given);
  const result = await verb.run(services, parameters);
  if (verb.method !== 'GET' && !verb.isInternal) logger.info('An administrative verb was run.', { verb: verb.name });
  return result;
}

/** A query has strings only: lists may be given once, booleans as words. */
function fromQuery(verb: Verb, query: object): unknown {
  const properties = verb.parameters.properties as Record<string, { type?: string }>;
  return Object.fromEntries(
    Object.entries(query).map(([name, value]) => {
      const type = properties[name]?.type;
      if (type === 'array' && !Array.isArray(value)) return [name, [value]];
      if (type === 'boolean') return [name, value === 'true' || value === '1' || value === ''];
      return [name, value];
    }),
  );
}

const statusOfMailError: Readonly<Record<MailErrorCode, number>> = {
  authenticationFailed: 401,
  forbidden: 403,
  notFound: 404,
  mailboxNotFound: 404,
  alreadyExists: 409,
  invalidName: 400,
  mailboxHasChild: 409,
  mailboxNotEmpty: 409,
  invalidArguments: 400,
  stateMismatch: 409,
  cannotCalculateChanges: 409,
  tooLarge: 413,
  overQuota: 409,
  limit: 429,
  unsupported: 400,
  accountClosed: 410,
};

const statusOfStorageError: Readonly<Record<StorageErrorCode, number>> = {
  unavailable: 503,
  conflict: 503,
  corrupt: 500,
  missing: 500,
  refused: 500,
};

function answerError(reply: FastifyReply, error: unknown, logger: Logger): FastifyReply {
  if (error instanceof MailError) return refuse(reply, statusOfMailError[error.code], error.code, error.message);
  if (error instanceof StorageError) {
    logger.warn('The store failed an administrative call.', { error });
    return refuse(reply, statusOfStorageError[error.code], error.code, error.message);
  }
  const { statusCode, message } = error as { statusCode?: number; message: string };
  if (statusCode !== undefined && statusCode < 500) return refuse(reply, statusCode, 'invalidArguments', message);
  logger.error('An administrative call failed.', { error });
  return refuse(reply, 500, 'internal', 'The server failed; its log says why.');
}

function refuse(reply: FastifyReply, status: number, code: string, message: string): FastifyReply {
  return reply.code(status).send({ error: { code, message } });
}
