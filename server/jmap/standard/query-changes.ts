/**
 * What all /queryChanges share (RFC 8620 §5.6). What the old results were is not kept: every object that may have been in them and may have moved is
 * told as removed, and as added where it is now. `touched` must hold all that could differ; naming more is allowed and costs only bytes.
 */
import { MethodError } from '../../../protocol/jmap/errors.ts';
import type { Key } from './changes.ts';

export interface QueryChangesSpec<K extends Key> {
  readonly accountId: string;
  readonly oldQueryState: string;
  readonly newQueryState: string;
  readonly maxChanges: number | null | undefined;
  readonly calculateTotal: boolean | undefined;
  /** The results now. */
  readonly results: ArrayLike<K>;
  readonly touched: ReadonlySet<K>;
  /** Of the touched ones, those that were there at the old state. */
  readonly existed: (number: K) => boolean;
  readonly format: (number: K) => string;
}

export function standardQueryChanges<K extends Key>(spec: QueryChangesSpec<K>): object {
  const { results, touched, format } = spec;
  const removed = Array.from(touched).filter(spec.existed).map(format);
  const added: { id: string; index: number }[] = [];
  for (let index = 0; index < results.length; index += 1) {
    const number = results[index]!;
    if (touched.has(number)) added.push({ id: format(number), index });
  }
  const { maxChanges } = spec;
  if (maxChanges !== undefined && maxChanges !== null && removed.length + added.length > maxChanges) {
    throw new MethodError('tooManyChanges', `There are more than ${maxChanges} changes.`);
  }
  return {
    accountId: spec.accountId,
    oldQueryState: spec.oldQueryState,
    newQueryState: spec.newQueryState,
    ...(spec.calculateTotal === true ? { total: results.length } : {}),
    removed,
    added,
  };
}
