/** What all /get methods share (RFC 8620 §5.1). */
import { MethodError } from '../../../protocol/jmap/errors.ts';
import { maxObjectsInGet } from '../../../protocol/jmap/limits.ts';
import type { MethodContext } from '../method.ts';

export interface GetArguments {
  readonly accountId: string;
  readonly ids?: readonly string[] | null;
  readonly properties?: readonly string[] | null;
}

/** The ids asked for, each once, creation ids resolved. Throws MethodError 'requestTooLarge'. */
export function askedIds(context: MethodContext, ids: readonly string[] | null | undefined, all: () => Iterable<string>): string[] {
  const asked = new Set<string>();
  for (const id of ids ?? all()) {
    asked.add(ids ? context.resolveId(id) : id);
    if (asked.size > maxObjectsInGet) throw new MethodError('requestTooLarge', `At most ${maxObjectsInGet} objects are given at once.`);
  }
  return [...asked];
}

/** The properties to give, `id` always. Throws MethodError 'invalidArguments' for one that there is not. */
export function askedProperties(
  properties: readonly string[] | null | undefined,
  defaults: readonly string[],
  isProperty: (name: string) => boolean,
): readonly string[] {
  if (properties === undefined || properties === null) return defaults;
  const unknown = properties.find((name) => !isProperty(name));
  if (unknown !== undefined) throw new MethodError('invalidArguments', `There is no property ${JSON.stringify(unknown.slice(0, 200))}.`);
  return [...new Set(['id', ...properties])];
}

export interface GetSpec<Row> {
  readonly defaults: readonly string[];
  readonly isProperty: (name: string) => boolean;
  readonly state: string;
  readonly all: () => Iterable<string>;
  readonly rowOf: (id: string) => Row | undefined;
  readonly valueOf: (row: Row, property: string) => unknown;
}

export function standardGet<Row>(context: MethodContext, args: GetArguments, spec: GetSpec<Row>): object {
  const properties = askedProperties(args.properties, spec.defaults, spec.isProperty);
  const list: object[] = [];
  const notFound: string[] = [];
  for (const id of askedIds(context, args.ids, spec.all)) {
    const row = spec.rowOf(id);
    if (row === undefined) notFound.push(id);
    else list.push(Object.fromEntries(properties.map((property) => [property, spec.valueOf(row, property)])));
  }
  return { accountId: args.accountId, state: spec.state, list, notFound };
}
