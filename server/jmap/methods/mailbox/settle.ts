/**
 * In which order one Mailbox/set does what it is asked. RFC 8620 §5.3: only the state after the call must be valid. What the state of the moment refuses
 * is tried again when others have changed it; where all that is left waits for each other, as in an exchange of names, the mailboxes concerned are set
 * aside under names of nobody until their turn. All of it is one mutation, so that no other client sees what is between.
 */
import type { SetError } from '../../../../protocol/jmap/errors.ts';
import { mailboxSetPassesMax } from '../../limits.ts';
import { setErrorOf } from '../../refusal.ts';

export interface Operation {
  /** Does it, or throws what setErrorOf() knows and has changed nothing. */
  readonly run: () => void;
  /** Puts its mailbox out of the way of the others, and tells whether it could. */
  readonly setAside?: () => boolean;
}

/** Something that was set aside found no place any more: the mutation must not be kept. */
export class NotSettled extends Error {}

/** Those that were refused, each with its error. Throws NotSettled, never without `maySetAside`. */
export function settle<O extends Operation>(operations: readonly O[], maySetAside: boolean): ReadonlyMap<O, SetError> {
  let refused = attemptAll(operations);
  let aside: O[] | undefined;
  for (let pass = 1; pass < mailboxSetPassesMax && refused.size > 0; pass += 1) {
    const before = refused.size;
    refused = attemptAll([...refused.keys()]);
    if (refused.size < before) continue;
    if (!maySetAside || aside !== undefined) break;
    aside = Array.from(refused).flatMap(([operation, error]) => (isInTheWay(error) && operation.setAside?.() === true ? [operation] : []));
    if (aside.length === 0) break;
  }
  if (aside?.some((operation) => refused.has(operation)) === true) throw new NotSettled();
  return refused;
}

function attemptAll<O extends Operation>(operations: readonly O[]): Map<O, SetError> {
  const refused = new Map<O, SetError>();
  for (const operation of operations) {
    try {
      operation.run();
    } catch (error) {
      refused.set(operation, setErrorOf(error));
    }
  }
  return refused;
}

/** Whether another mailbox, as it is now, is the reason. */
function isInTheWay({ type, properties = [] }: SetError): boolean {
  return type === 'alreadyExists' || type === 'mailboxHasChild' || properties.includes('role') || properties.includes('parentId');
}
