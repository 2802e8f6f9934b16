/** Filters (RFC 8620 §5.5): trees of operators over conditions. */
import { MethodError } from './errors.ts';
import { filterConditionsMax, filterDepthMax } from './limits.ts';
import { isRecord } from './request.ts';

export type Filter<C> =
  | { readonly operator: 'AND' | 'OR' | 'NOT'; readonly conditions: readonly Filter<C>[] }
  | { readonly operator?: undefined; readonly condition: C };

/** Reads a filter; `readCondition` checks each condition and throws MethodError for one that is none. null and absent: no filter. */
export function readFilter<C>(value: unknown, readCondition: (condition: Record<string, unknown>) => C): Filter<C> | undefined {
  if (value === undefined || value === null) return undefined;
  let count = 0;
  const read = (node: unknown, depth: number): Filter<C> => {
    if (!isRecord(node)) throw new MethodError('invalidArguments', 'A filter is an object.');
    if (depth > filterDepthMax || ++count > filterConditionsMax) {
      throw new MethodError('unsupportedFilter', `A filter has at most ${filterConditionsMax} conditions, ${filterDepthMax} deep.`);
    }
    if (!('operator' in node)) return { condition: readCondition(node) };
    const { operator, conditions, ...others } = node;
    if ((operator !== 'AND' && operator !== 'OR' && operator !== 'NOT') || !Array.isArray(conditions) || Object.keys(others).length > 0) {
      throw new MethodError('invalidArguments', 'A filter operator is AND, OR or NOT, with conditions.');
    }
    return { operator, conditions: conditions.map((inner) => read(inner, depth + 1)) };
  };
  return read(value, 1);
}

/** Whether an item passes; `test` judges one condition. Of no conditions, AND and NOT hold, OR does not. */
export function passes<C>(filter: Filter<C>, test: (condition: C) => boolean): boolean {
  switch (filter.operator) {
    case undefined:
      return test(filter.condition);
    case 'AND':
      return filter.conditions.every((inner) => passes(inner, test));
    case 'OR':
      return filter.conditions.some((inner) => passes(inner, test));
    case 'NOT':
      return !filter.conditions.some((inner) => passes(inner, test));
  }
}

export function* conditionsOf<C>(filter: Filter<C> | undefined): Generator<C> {
  if (filter === undefined) return;
  if (filter.operator === undefined) yield filter.condition;
  else for (const inner of filter.conditions) yield* conditionsOf(inner);
}

/** The conditions that a match may hold for: those under an odd number of NOTs say what it is not. */
export function* heldConditionsOf<C>(filter: Filter<C> | undefined, isNegated = false): Generator<C> {
  if (filter === undefined) return;
  if (filter.operator !== undefined) {
    for (const inner of filter.conditions) yield* heldConditionsOf(inner, isNegated !== (filter.operator === 'NOT'));
  } else if (!isNegated) yield filter.condition;
}
