/** /get and /changes of types that are objects of the account's log, whole. */
import type { AccountReader, Effect } from '../../../storage/account/api.ts';
import type { MethodContext } from '../method.ts';
import { type ObjectStateType, stateString } from '../states.ts';
import { standardChanges, type Touched } from './changes.ts';
import { type GetArguments, standardGet } from './get.ts';

export interface ObjectType<Kept> {
  readonly type: ObjectStateType;
  /** Every property, by name. */
  readonly properties: Readonly<Record<string, (row: { readonly id: string; readonly value: Kept }) => unknown>>;
  /** Whether JMAP shows the object; all when not given. */
  readonly isShown?: (value: Kept) => boolean;
}

/** The object as JMAP shows it. */
export function showObject<Kept>(type: ObjectType<Kept>, id: string, value: Kept): Record<string, unknown> {
  return Object.fromEntries(Object.entries(type.properties).map(([name, valueFrom]) => [name, valueFrom({ id, value })]));
}

export function shownObject<Kept>(reader: AccountReader, { type, isShown }: ObjectType<Kept>, id: string): Kept | undefined {
  const value = reader.object<Kept>(type, id);
  return value === undefined || isShown?.(value) === false ? undefined : value;
}

export function* shownObjects<Kept>(reader: AccountReader, type: ObjectType<Kept>): Generator<{ id: string; value: Kept }> {
  for (const { id, value } of reader.objects<Kept>(type.type)) if (type.isShown?.(value) !== false) yield { id, value };
}

export function getObjects<Kept>(context: MethodContext, args: GetArguments, type: ObjectType<Kept>): object {
  return context.account.read((reader) =>
    standardGet<{ id: string; value: Kept }>(context, args, {
      defaults: Object.keys(type.properties),
      isProperty: (name) => Object.hasOwn(type.properties, name),
      state: stateString(context.cache.states(reader), type.type),
      all: () => Array.from(shownObjects(reader, type), ({ id }) => id),
      rowOf(id) {
        const value = shownObject(reader, type, id);
        return value === undefined ? undefined : { id, value };
      },
      valueOf: (row, property) => type.properties[property]!(row),
    }),
  );
}

export function changesOfObjects<Kept>(
  { account, cache }: MethodContext,
  args: { accountId: string; sinceState: string; maxChanges?: number | null },
  type: ObjectType<Kept>,
): object {
  return account.read((reader) => ({
    accountId: args.accountId,
    ...standardChanges<string>(reader, args, {
      newState: stateString(cache.states(reader), type.type),
      touched: ({ objects }) =>
        objects.filter((touched) => touched.type === type.type).map(({ id, how }): Touched<string> => ({ number: id, how })),
      tell(id, how) {
        if (how === 'removed' || shownObject(reader, type, id) !== undefined) return how;
        return how === 'added' ? undefined : 'removed';
      },
      format: (id) => id,
    }),
  }));
}

/** Objects of a type that effects changed, and those of them that they made. */
export function touchedObjects(effects: Iterable<Effect>, wanted: ObjectStateType): { touched: Set<string>; isNew: Set<string> } {
  const touched = new Set<string>();
  const isNew = new Set<string>();
  for (const { objects } of effects) {
    for (const { type, id, how } of objects) {
      if (type !== wanted) continue;
      touched.add(id);
      if (how === 'added') isNew.add(id);
    }
  }
  return { touched, isNew };
}
