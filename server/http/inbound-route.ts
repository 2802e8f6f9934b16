/** The address that events of new mail are posted to. The body is text whatever its type says: SNS sends JSON as text/plain. */
import type { FastifyError, FastifyInstance } from 'fastify';
import type { HttpSource } from '../../indexer/sources/http.ts';
import { eventBodyBytesMax } from './limits.ts';

export interface InboundRoute {
  /** `/inbound`. */
  readonly path: string;
  readonly source: Pick<HttpSource, 'receive' | 'refuse'>;
}

export async function addInboundRoute(server: FastifyInstance, { path, source }: InboundRoute): Promise<void> {
  await server.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'string', bodyLimit: eventBodyBytesMax }, (_request, body, done) => done(null, body));
    scope.setErrorHandler(async (error: FastifyError, _request, reply) => {
      const { statusCode = 500 } = error;
      if (statusCode >= 500) throw error;
      const { status, message } =
        statusCode === 413
          ? source.refuse(413, `The event is larger than ${eventBodyBytesMax} bytes.`)
          : source.refuse(400, `The event cannot be read: ${error.message}.`);
      return reply.code(status).send({ message });
    });
    scope.post(path, async (request, reply) => {
      const { authorization } = request.headers;
      const { status, message } = await source.receive({ authorization, body: typeof request.body === 'string' ? request.body : '' });
      return reply.code(status).send({ message });
    });
    // MinIO asks whether somebody is there before it takes the address for its webhook.
    scope.head(path, async (_request, reply) => reply.code(200).send());
  });
}
