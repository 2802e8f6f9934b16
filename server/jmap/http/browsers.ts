/** What web clients that are served from elsewhere need: CORS for the configured origins, and where tokens come from (RFC 9728). Neither asks for a login. */
import cors from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** Seconds that a browser may remember what is allowed: the longest that browsers do. */
const preflightSeconds = 7200;

/** Credentials are in the Authorization header, which scripts set themselves: cookies are not taken, so none are allowed. */
export async function allowOrigins(scope: FastifyInstance, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return;
  await scope.register(cors, {
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST'],
    allowedHeaders: ['Authorization', 'Content-Type', 'Range', 'Last-Event-ID'],
    exposedHeaders: ['Accept-Ranges', 'Content-Disposition', 'Content-Range', 'WWW-Authenticate'],
    maxAge: preflightSeconds,
    strictPreflight: false,
  });
}

export const resourceMetadataPath = '/.well-known/oauth-protected-resource';

/** How the client reaches us, to be told to it. The host is its own word, or that of a proxy that is trusted. */
export function originOf({ protocol, host }: FastifyRequest, publicUrl: string | undefined): string {
  return publicUrl ?? `${protocol}://${host}`;
}

/**
 * Whether a page of this origin may open a WebSocket (RFC 6455 §10.2). Browsers let any page do that, and send along the Basic login that they remember;
 * CORS does not hold there. `*` names nobody: it is for requests that bring their own credentials. Who is no browser's page has no origin.
 */
export function mayOpenWebSocket(
  { headers: { origin }, protocol, host }: FastifyRequest,
  { corsOrigins, publicUrl }: { readonly corsOrigins: readonly string[]; readonly publicUrl: string | undefined },
): boolean {
  if (origin === undefined || origin === `${protocol}://${host}` || corsOrigins.includes(origin)) return true;
  return publicUrl !== undefined && origin === new URL(publicUrl).origin;
}

/** RFC 9728 §3: we take tokens, and give none. */
export function addResourceMetadata(scope: FastifyInstance, issuers: readonly string[], publicUrl: string | undefined): void {
  if (issuers.length === 0) return;
  scope.get(resourceMetadataPath, async (request) => ({
    resource: originOf(request, publicUrl),
    authorization_servers: issuers,
    bearer_methods_supported: ['header'],
    resource_name: 'Satchel',
  }));
}
