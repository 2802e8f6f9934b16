/**
 * Runs the calls of a request one after the other (RFC 8620 §3.3 to §3.7): looks the method up under the capabilities in `using`, resolves result
 * references, checks account and arguments, and turns what goes wrong into an error response for that call alone.
 */
import { MethodError, RequestProblem } from '../../protocol/jmap/errors.ts';
import { maxCallsInRequest } from '../../protocol/jmap/limits.ts';
import type { Invocation, JmapRequest } from '../../protocol/jmap/request.ts';
import { resolveReferences } from '../../protocol/jmap/result-reference.ts';
import type { Account } from '../../storage/account/api.ts';
import type { Identity } from '../auth/authenticator.ts';
import { cacheOf } from './account-cache.ts';
import type { Method, MethodContext } from './method.ts';
import { methods } from './methods/index.ts';
import { methodErrorOf } from './refusal.ts';
import type { JmapServices } from './services.ts';
import { capabilities, sessionStateOf } from './session.ts';

export interface JmapResponse {
  readonly methodResponses: readonly Invocation[];
  readonly createdIds?: Readonly<Record<string, string>>;
  readonly sessionState: string;
}

/** Throws RequestProblem for a request that is refused as a whole. */
export async function dispatch(services: JmapServices, identity: Identity, account: Account, request: JmapRequest): Promise<JmapResponse> {
  const unknown = request.using.find((capability) => !Object.hasOwn(capabilities, capability));
  if (unknown !== undefined)
    throw new RequestProblem('unknownCapability', `This server has no capability ${JSON.stringify(unknown.slice(0, 200))}.`);
  if (request.methodCalls.length > maxCallsInRequest) {
    throw new RequestProblem('limit', `A request has at most ${maxCallsInRequest} calls.`, 'maxCallsInRequest');
  }
  const createdIds = new Map(Object.entries(request.createdIds ?? {}));
  const context: MethodContext = {
    services,
    identity,
    account,
    cache: cacheOf(account),
    createdIds,
    resolveId: (id) => (id.startsWith('#') ? (createdIds.get(id.slice(1)) ?? id) : id),
  };
  const methodResponses: Invocation[] = [];
  for (const [name, args, callId] of request.methodCalls) {
    const method = methods.get(name);
    try {
      if (method === undefined || !request.using.includes(method.capability)) {
        throw new MethodError(
          'unknownMethod',
          `There is no method ${JSON.stringify(name.slice(0, 200))} in the capabilities that are used.`,
        );
      }
      methodResponses.push([name, (await runCall(method, context, args, methodResponses)) as Record<string, unknown>, callId]);
    } catch (error) {
      methodResponses.push(['error', methodErrorOf(error, services.logger, name) as Record<string, unknown>, callId]);
    }
  }
  return {
    methodResponses,
    ...(request.createdIds === undefined ? {} : { createdIds: Object.fromEntries(createdIds) }),
    sessionState: sessionStateOf(identity),
  };
}

async function runCall(
  method: Method,
  context: MethodContext,
  given: Readonly<Record<string, unknown>>,
  answers: readonly Invocation[],
): Promise<object> {
  const args = resolveReferences(given, answers);
  if (method.isOnAccount) {
    const { accountId } = args;
    if (typeof accountId !== 'string') throw new MethodError('invalidArguments', 'accountId is missing.');
    // One answer for accounts that are not there and for those of others.
    if (accountId !== context.account.id) throw new MethodError('accountNotFound', 'There is no such account.');
  }
  const fault = method.fault(args);
  if (fault !== undefined) throw new MethodError('invalidArguments', fault);
  return await method.run(context, args);
}
