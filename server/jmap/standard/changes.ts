/**
 * What all /changes methods share (RFC 8620 §5.2): walks the effects after a state, each object once, up to maxChanges; what does not fit any more is
 * for the next call, whose state says how far the last effect was told.
 */
import { MethodError } from '../../../protocol/jmap/errors.ts';
import { formatState } from '../../../protocol/jmap/state.ts';
import type { ModSeq } from '../../../protocol/mail/ids.ts';
import type { AccountReader, Effect } from '../../../storage/account/api.ts';
import { effectsAfter } from '../states.ts';

export type How = 'added' | 'changed' | 'removed';

/** The running number of what has one, otherwise an id. */
export type Key = number | string;

/** An object that an effect touched. */
export interface Touched<K extends Key = number> {
  readonly number: K;
  readonly how: How;
}

export interface ChangesSpec<K extends Key> {
  /** The type's state now. */
  readonly newState: string;
  /** What an effect did to objects of the type. */
  readonly touched: (effect: Effect) => Iterable<Touched<K>>;
  /** How an object is to be told now: one that is there but not visible is gone. undefined: not at all. */
  readonly tell: (number: K, how: How) => How | undefined;
  readonly format: (number: K) => string;
}

export interface Changes {
  readonly oldState: string;
  readonly newState: string;
  readonly hasMoreChanges: boolean;
  readonly created: string[];
  readonly updated: string[];
  readonly destroyed: string[];
}

export function standardChanges<K extends Key>(
  reader: Pick<AccountReader, 'effectsSince'>,
  args: { sinceState: string; maxChanges?: number | null },
  spec: ChangesSpec<K>,
): Changes {
  const max = args.maxChanges ?? Number.POSITIVE_INFINITY;
  if (max < 1) throw new MethodError('invalidArguments', 'maxChanges is at least 1.');
  const { since, effects } = effectsAfter(reader, args.sinceState);
  const seen = new Map<K, How>();
  let before = since.modSeq as number;
  let cutAt: string | undefined;
  // The first of what comes after the state is the one that was cut.
  let isSplit = since.upTo > 0;
  walk: for (const effect of effects) {
    let upTo = isSplit ? since.upTo : 0;
    for (const [index, { number, how }] of [...spec.touched(effect)].sort(byKey).entries()) {
      // What has no number counts by its place in the effect, which stays as it is.
      const place = typeof number === 'number' ? number : index + 1;
      if (isSplit && place <= since.upTo) continue;
      if (!seen.has(number) && seen.size >= max) {
        cutAt = formatState({ modSeq: before as ModSeq, upTo });
        break walk;
      }
      note(seen, number, how);
      upTo = place;
    }
    before = effect.modSeq;
    isSplit = false;
  }
  const lists: Record<How, string[]> = { added: [], changed: [], removed: [] };
  for (const [number, how] of seen) {
    const told = spec.tell(number, how);
    if (told !== undefined) lists[told].push(spec.format(number));
  }
  return {
    oldState: args.sinceState,
    newState: cutAt ?? spec.newState,
    hasMoreChanges: cutAt !== undefined,
    created: lists.added,
    updated: lists.changed,
    destroyed: lists.removed,
  };
}

const byKey = (a: { number: Key }, b: { number: Key }) => (a.number < b.number ? -1 : a.number > b.number ? 1 : 0);

/** What was created and then changed is created; what was created and then removed never was. */
function note<K extends Key>(seen: Map<K, How>, number: K, how: How): void {
  const known = seen.get(number);
  if (known === undefined) seen.set(number, how);
  else if (how === 'removed') {
    if (known === 'added') seen.delete(number);
    else seen.set(number, 'removed');
  } else if (known === 'removed') seen.set(number, 'changed');
}
