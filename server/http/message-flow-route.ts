/**
 * The message flow interface: GetRawMessageContent and PutRawMessageContent as WorkMail's functions call them (REST, SigV4 with keys of `satchel hook-key`),
 * and the raw message by a signed address. Below `/message-flow`: that is what AWS_ENDPOINT_URL_WORKMAILMESSAGEFLOW names.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isFlowToken, type MessageFlow, type ReplaceResult } from '../../indexer/hooks/message-flow.ts';
import { signatureFault } from '../../indexer/hooks/signature.ts';

export const messageFlowPath = '/message-flow';

export interface S3Reference {
  readonly bucket: string;
  readonly key: string;
  readonly objectVersion?: string;
}

export interface MessageFlowRoute {
  readonly flow: MessageFlow;
  readonly secretOf: (accessKeyId: string) => string | undefined;
  readonly now: () => number;
  /** Reads what a function has put into a bucket, the newest version if none is named; undefined where we may not, or there is nothing. */
  readonly readObject: (reference: S3Reference) => Promise<Buffer | undefined>;
  readonly messageBytesMax: number;
}

/** AWS's answers: the error's name in a header, the sentence in the body. */
function refuse(reply: FastifyReply, status: number, type: string, message: string): FastifyReply {
  return reply.code(status).header('x-amzn-errortype', type).send({ message });
}

const replaceRefusals: Readonly<Record<Exclude<ReplaceResult, 'replaced'>, readonly [number, string, string]>> = {
  missing: [404, 'ResourceNotFoundException', 'There is no such message in transit.'],
  frozen: [400, 'MessageFrozen', 'The message has been delivered, and cannot be changed any more.'],
  rejected: [400, 'MessageRejected', 'That is no message, or it is too large.'],
};

export async function addMessageFlowRoute(server: FastifyInstance, route: MessageFlowRoute): Promise<void> {
  const { flow, messageBytesMax } = route;
  await server.register(
    async (scope) => {
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: messageBytesMax }, (_request, body, done) => done(null, body));

      // By signature, or by the token in the endpoint's address.
      for (const path of ['/messages/:id', '/key/:token/messages/:id']) {
        scope.get(path, async (request, reply) => {
          const refusal = await checkCaller(route, request, reply);
          return refusal ?? sendRaw(reply, flow.read(idOf(request)));
        });
        scope.post(path, async (request, reply) => {
          const refusal = await checkCaller(route, request, reply);
          if (refusal !== undefined) return refusal;
          // Asked before anything is fetched for it.
          const refused = flow.refusalOf(idOf(request));
          if (refused !== undefined) return answerReplace(reply, refused);
          const reference = s3ReferenceOf(bodyOf(request));
          const bytes = reference && (await route.readObject(reference));
          if (bytes === undefined) {
            const message = 'Name an object that is there, and small enough, in a bucket that messageFlow.buckets lists.';
            return refuse(reply, 400, 'InvalidContentLocation', message);
          }
          return answerReplace(reply, flow.replace(idOf(request), bytes));
        });
      }

      scope.get('/raw/:id', async (request, reply) => {
        if (!mayUse(flow, request)) return refuse(reply, 403, 'AccessDeniedException', 'This address is not good, or not any more.');
        return sendRaw(reply, flow.read(idOf(request)));
      });
      scope.put('/raw/:id', async (request, reply) => {
        if (!mayUse(flow, request)) return refuse(reply, 403, 'AccessDeniedException', 'This address is not good, or not any more.');
        return answerReplace(reply, flow.replace(idOf(request), bodyOf(request)));
      });
    },
    { prefix: messageFlowPath },
  );
}

async function checkCaller(route: MessageFlowRoute, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  const { token } = request.params as { readonly token?: string };
  if (token !== undefined && isFlowToken(token, route.secretOf)) return undefined;
  const { method, url, headers } = request.raw;
  const signed = { method: method!, url: url!, headers, body: bodyOf(request) };
  const fault = await signatureFault(signed, { service: 'workmailmessageflow', secretOf: route.secretOf, now: route.now() });
  if (fault === undefined) return undefined;
  return refuse(reply, 403, fault, 'The call is not signed by a key of this server. `satchel hook-key add` makes one.');
}

function sendRaw(reply: FastifyReply, bytes: Buffer | undefined): FastifyReply {
  if (bytes === undefined) return refuse(reply, ...replaceRefusals.missing);
  return reply.type('message/rfc822').header('cache-control', 'no-store').send(bytes);
}

function answerReplace(reply: FastifyReply, result: ReplaceResult): FastifyReply {
  return result === 'replaced' ? reply.code(200).send({}) : refuse(reply, ...replaceRefusals[result]);
}

function mayUse(flow: MessageFlow, request: FastifyRequest): boolean {
  const { expires, signature } = request.query as Record<string, unknown>;
  return typeof expires === 'string' && typeof signature === 'string' && flow.mayUse(idOf(request), expires, signature);
}

function s3ReferenceOf(body: Buffer): S3Reference | undefined {
  try {
    const { bucket, key, objectVersion } = JSON.parse(body.toString('utf8')).content.s3Reference;
    if (typeof bucket !== 'string' || typeof key !== 'string' || key === '') return undefined;
    if (objectVersion === undefined || objectVersion === null) return { bucket, key };
    return typeof objectVersion === 'string' ? { bucket, key, objectVersion } : undefined;
  } catch {
    return undefined;
  }
}

const idOf = (request: FastifyRequest) => (request.params as { readonly id: string }).id;
const bodyOf = (request: FastifyRequest) => (Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0));
