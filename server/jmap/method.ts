/** What a JMAP method is: one row, checked and called by the dispatcher. */
import type { Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { ArgumentsSchema } from '../../protocol/jmap/schema/common.ts';
import type { Account } from '../../storage/account/api.ts';
import type { Identity } from '../auth/authenticator.ts';
import type { AccountCache } from './account-cache.ts';
import type { JmapServices } from './services.ts';

export const coreCapability = 'urn:ietf:params:jmap:core';
export const mailCapability = 'urn:ietf:params:jmap:mail';
export const submissionCapability = 'urn:ietf:params:jmap:submission';
export const blobCapability = 'urn:ietf:params:jmap:blob';
export const mdnCapability = 'urn:ietf:params:jmap:mdn';
export const webSocketCapability = 'urn:ietf:params:jmap:websocket';
export const quotaCapability = 'urn:ietf:params:jmap:quota';
export const smimeCapability = 'urn:ietf:params:jmap:smimeverify';
export const sieveCapability = 'urn:ietf:params:jmap:sieve';
/** RFC 9749. */
export const webPushCapability = 'urn:ietf:params:jmap:webpush-vapid';
/** Our own. */
export const deliveryCapability = 'urn:satchel:params:jmap:delivery';
/** Our own: draft-ietf-jmap-mail-sharing as it stands. */
export const mailSharingCapability = 'urn:satchel:params:jmap:mail:share';
export const principalsCapability = 'urn:ietf:params:jmap:principals';
/** Of accounts only (RFC 9670 §1.5.2). */
export const ownerCapability = 'urn:ietf:params:jmap:principals:owner';
export const vacationCapability = 'urn:ietf:params:jmap:vacationresponse';

export interface MethodContext {
  readonly services: JmapServices;
  readonly identity: Identity;
  readonly account: Account;
  readonly cache: AccountCache;
  /** The capabilities that the request uses. */
  readonly using: ReadonlySet<string>;
  /** Ids of what this request has created, by creation id (RFC 8620 §3.3). */
  readonly createdIds: Map<string, string>;
  /** `#k1` as the id that was created under k1; what is none stays as it is, and will not be found. */
  resolveId(id: string): string;
  /** The same request on another account that the login reaches; undefined where it reaches none of that id. */
  on(accountId: string): Promise<MethodContext | undefined>;
  /** Calls that the server makes after this one; their answers come after its own, under its id (RFC 8620 §5.4, RFC 8621 §7.5). */
  readonly implicitCalls: ImplicitCall[];
}

export interface ImplicitCall {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface MethodRow<A extends ArgumentsSchema> {
  readonly name: string;
  readonly capability: string;
  /** Whether the account is changed. */
  readonly access: 'read' | 'write';
  readonly arguments: A;
  /** The response's arguments. */
  readonly run: (context: MethodContext, args: Static<A>) => object | Promise<object>;
}

export interface Method {
  readonly name: string;
  readonly capability: string;
  readonly access: 'read' | 'write';
  readonly isOnAccount: boolean;
  /** Why arguments do not fit, or undefined. */
  readonly fault: (args: unknown) => ArgumentsFault | undefined;
  readonly run: (context: MethodContext, args: Record<string, unknown>) => object | Promise<object>;
}

export interface ArgumentsFault {
  /** A sentence. */
  readonly description: string;
  /** Names of those that do not fit. */
  readonly arguments: readonly string[];
}

export function defineMethod<A extends ArgumentsSchema>(row: MethodRow<A>): Method {
  const validator = Compile(row.arguments);
  return {
    name: row.name,
    capability: row.capability,
    access: row.access,
    isOnAccount: 'accountId' in row.arguments.properties,
    fault(args) {
      if (validator.Check(args)) return undefined;
      const errors = validator.Errors(args);
      const [error] = errors;
      const names = errors.flatMap(({ instancePath, params }) => (instancePath === '' ? namedIn(params) : [instancePath.split('/')[1]!]));
      return {
        description: error === undefined ? 'The arguments do not fit.' : `${error.instancePath.slice(1) || 'The call'} ${error.message}.`,
        arguments: [...new Set(names)],
      };
    },
    run: (context, args) => row.run(context, args as Static<A>),
  };
}

/** Names that an error about the whole object is about: what is missing, or should not be there. */
function namedIn(params: object): readonly string[] {
  const { requiredProperties = [], additionalProperties = [] } = params as {
    requiredProperties?: string[];
    additionalProperties?: string[];
  };
  return [...requiredProperties, ...additionalProperties];
}
