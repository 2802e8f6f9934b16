/** Principal/get, /changes and /set (RFC 9670 §2.1 to §2.3). */
import { MethodError, SetFailure } from '../../../../protocol/jmap/errors.ts';
import { changesArguments, getArguments, setArguments } from '../../../../protocol/jmap/schema/common.ts';
import { Principal } from '../../../../protocol/jmap/schema/principal.ts';
import { defineMethod, principalsCapability } from '../../method.ts';
import { isPrincipal, principalsNow, principalsState, touchedPrincipals } from '../../principals.ts';
import { standardChanges } from '../../standard/changes.ts';
import { standardGet } from '../../standard/get.ts';
import { notFoundError, requireSetSize, SetOutcome } from '../../standard/set.ts';

export const principalGet = defineMethod({
  name: 'Principal/get',
  capability: principalsCapability,
  access: 'read',
  arguments: getArguments({}),
  async run(context, args) {
    const principals = await principalsNow(context.services, context.identity);
    return standardGet<Principal>(context, args, {
      defaults: Object.keys(Principal.properties),
      isProperty: (name) => Object.hasOwn(Principal.properties, name),
      state: principalsState(context.services),
      all: () => principals.all().map(({ id }) => id),
      rowOf: (id) => principals.of(id),
      valueOf: (row, property) => row[property as keyof Principal],
    });
  },
});

export const principalChanges = defineMethod({
  name: 'Principal/changes',
  capability: principalsCapability,
  access: 'read',
  arguments: changesArguments,
  run: ({ services, identity }, args) =>
    services.directory.history((reader) => ({
      accountId: args.accountId,
      ...standardChanges<string>(reader, args, {
        newState: principalsState(services),
        touched: (effect) => touchedPrincipals(services, identity, effect),
        tell(id, how) {
          if (how === 'removed' || isPrincipal(services, identity.accountId, id)) return how;
          return how === 'added' ? undefined : 'removed';
        },
        format: (id) => id,
      }),
    })),
});

/** §2.3: the directory is the administrator's; a name that its bearer chose could be another's (§5.1). */
export const principalSet = defineMethod({
  name: 'Principal/set',
  capability: principalsCapability,
  access: 'write',
  arguments: setArguments({}),
  run({ services, identity, resolveId }, args) {
    requireSetSize(args);
    const state = principalsState(services);
    if (args.ifInState !== undefined && args.ifInState !== null && args.ifInState !== state)
      throw new MethodError('stateMismatch', `The state of Principal is ${state}.`);
    const outcome = new SetOutcome();
    const refuse = (given: string) => {
      const isThere = isPrincipal(services, identity.accountId, resolveId(given));
      throw new SetFailure(isThere ? administrators : notFoundError);
    };
    for (const key of Object.keys(args.create ?? {})) outcome.notCreated[key] = administrators;
    for (const id of Object.keys(args.update ?? {})) outcome.attemptNow('notUpdated', id, () => refuse(id));
    for (const id of new Set(args.destroy ?? [])) outcome.attemptNow('notDestroyed', id, () => refuse(id));
    return outcome.response(args.accountId, state, state);
  },
});

const administrators = { type: 'forbidden', description: 'Principals are managed by the administrator.' } as const;
