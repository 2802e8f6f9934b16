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
import type { ImplicitCall, Method, MethodContext } from './method.ts';
import { methods } from './methods/index.ts';
import type { ReachableAccount } from './reachable.ts';
import { methodErrorOf } from './refusal.ts';
import type { JmapServices } from './services.ts';
import { capabilities, isSupportedOn, sessionStateOf } from './session.ts';

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
  const contexts = new Contexts(services, identity, new Set(request.using), createdIds, account);
  const methodResponses: Invocation[] = [];
  const answer = async (name: string, callId: string, work: () => Promise<object>): Promise<void> => {
    try {
      methodResponses.push([name, (await work()) as Record<string, unknown>, callId]);
    } catch (error) {
      methodResponses.push(['error', methodErrorOf(error, services.logger, name) as Record<string, unknown>, callId]);
    }
  };
  for (const [name, args, callId] of request.methodCalls) {
    await answer(name, callId, async () => {
      const method = methods.get(name);
      if (method === undefined || !request.using.includes(method.capability)) {
        throw new MethodError(
          'unknownMethod',
          `There is no method ${JSON.stringify(name.slice(0, 200))} in the capabilities that are used.`,
        );
      }
      return await runCall(method, contexts, resolveReferences(args, methodResponses));
    });
    for (const implicit of contexts.implicitCalls.splice(0)) {
      await answer(implicit.name, callId, () => runCall(methods.get(implicit.name)!, contexts, implicit.args));
    }
  }
  return {
    methodResponses,
    ...(request.createdIds === undefined ? {} : { createdIds: Object.fromEntries(createdIds) }),
    sessionState: await sessionStateOf(services, identity),
  };
}

async function runCall(method: Method, contexts: Contexts, args: Readonly<Record<string, unknown>>): Promise<object> {
  let context = contexts.own;
  if (method.isOnAccount) {
    const { accountId } = args;
    if (typeof accountId !== 'string') throw new MethodError('invalidArguments', 'accountId is missing.');
    const reached = await contexts.reach(accountId);
    // One answer for accounts that are not there and for those of others.
    if (reached === undefined) throw new MethodError('accountNotFound', 'There is no such account.');
    context = reached.context;
    if (reached.account !== undefined) requireSupport(method, reached.account);
  }
  const fault = method.fault(args);
  if (fault !== undefined) throw new MethodError('invalidArguments', fault.description, { arguments: fault.arguments });
  return await method.run(context, { ...args });
}

/** Who may only read what others share may still say which of it he wants to see: isSubscribed is his own. */
const ofReaders: ReadonlySet<string> = new Set(['Mailbox/set']);

function requireSupport(method: Method, account: ReachableAccount): void {
  const isHis = account.isShared && ofReaders.has(method.name);
  if (method.access === 'write' && account.isReadOnly && !isHis) throw new MethodError('accountReadOnly', 'The account can only be read.');
  if (!isSupportedOn(account, method.capability))
    throw new MethodError('accountNotSupportedByMethod', 'The account does not have what the method is for.');
}

/** The contexts of one request, an account each. */
class Contexts {
  readonly own: MethodContext;
  readonly implicitCalls: ImplicitCall[] = [];
  readonly #services: JmapServices;
  readonly #identity: Identity;
  readonly #using: ReadonlySet<string>;
  readonly #createdIds: Map<string, string>;

  constructor(services: JmapServices, identity: Identity, using: ReadonlySet<string>, createdIds: Map<string, string>, account: Account) {
    this.#using = using;
    this.#services = services;
    this.#identity = identity;
    this.#createdIds = createdIds;
    this.own = this.#contextOf(account);
  }

  /** `account`: undefined for its own, which every method is for. */
  async reach(accountId: string): Promise<{ context: MethodContext; account?: ReachableAccount } | undefined> {
    if (accountId === this.own.account.id) return { context: this.own };
    const account = await reachableAccount(this.#services, this.#identity, accountId);
    return account === undefined ? undefined : { account, context: this.#contextOf(await account.open(), account) };
  }

  /** What a method shows for a capability that the account does not have, it does not show. */
  #contextOf(account: Account, reachable?: ReachableAccount): MethodContext {
    const createdIds = this.#createdIds;
    const using = this.#using;
    const isWhole = reachable === undefined || !reachable.isShared;
    return {
      services: this.#services,
      identity: this.#identity,
      account,
      cache: cacheOf(account),
      using: isWhole ? using : new Set([...using].filter((capability) => isSupportedOn(reachable, capability))),
      createdIds,
      resolveId: (id) => (id.startsWith('#') ? (createdIds.get(id.slice(1)) ?? id) : id),
      on: async (accountId) => (await this.reach(accountId))?.context,
      implicitCalls: this.implicitCalls,
    };
  }
}

/** The account of this id, where the login reaches it. */
export async function reachableAccount(
  services: JmapServices,
  identity: Identity,
  accountId: string,
): Promise<ReachableAccount | undefined> {
  return (await services.reachableAccounts(identity)).find(({ id }) => id === accountId);
}
