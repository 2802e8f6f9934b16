/** What the /query methods of types with few objects share (RFC 8620 §5.5): how a condition is read, and what is answered of the ids that were found. */
import type { Static, TObject } from 'typebox';
import { Value } from 'typebox/value';
import { MethodError } from '../../../protocol/jmap/errors.ts';
import { type QueryWindowArguments, queryWindow } from '../../../protocol/jmap/query-window.ts';

/**
 * A condition by its schema. `noun`: the objects in a sentence, `Quotas`. `isHidden`: properties that are not there for this request. Throws MethodError.
 */
export function readCondition<F extends TObject>(
  condition: Record<string, unknown>,
  filter: F,
  noun: string,
  isHidden: (name: string) => boolean = () => false,
): Static<F> {
  const unknown = Object.keys(condition).find((name) => !Object.hasOwn(filter.properties, name) || isHidden(name));
  if (unknown !== undefined)
    throw new MethodError('unsupportedFilter', `${noun} are not filtered by ${JSON.stringify(unknown.slice(0, 100))}.`);
  // null stands for a property that is not given, as some clients send it, but where it says something by itself.
  const isGiven = ([name, value]: [string, unknown]) => value !== null || Value.Check(filter.properties[name]!, null);
  const given = Object.fromEntries(Object.entries(condition).filter(isGiven));
  const [fault] = Value.Errors(filter, given);
  if (fault !== undefined) throw new MethodError('invalidArguments', `The filter's ${fault.instancePath.slice(1)} ${fault.message}.`);
  return given as Static<F>;
}

interface QueryArguments extends QueryWindowArguments {
  readonly accountId: string;
  readonly calculateTotal?: boolean;
}

/** The response about `ids`, all that were found in their order. Throws MethodError 'anchorNotFound'. */
export function queryAnswer(args: QueryArguments, ids: readonly string[], queryState: string, canCalculateChanges = true): object {
  const { position, end, ...limit } = queryWindow(args, ids.length, (id) => ids.indexOf(id));
  return {
    accountId: args.accountId,
    queryState,
    canCalculateChanges,
    position,
    ids: ids.slice(position, end),
    ...limit,
    ...(args.calculateTotal === true ? { total: ids.length } : {}),
  };
}
