/**
 * State of each type: the modSeq of its last change (RFC 8620 §1.6.2), from the journal of effects. What is known is carried on from there, so a
 * request reads only what came since. A client's state holds when nothing of the type changed after it, whatever node gave it.
 */
import { MethodError } from '../../protocol/jmap/errors.ts';
import { formatState, parseState, type State } from '../../protocol/jmap/state.ts';
import { mailboxAclType } from '../../protocol/mail/acl.ts';
import type { ModSeq } from '../../protocol/mail/ids.ts';
import type { Account, AccountReader, Effect } from '../../storage/account/api.ts';
import { SharedAccount } from '../../storage/sharing/shared-account.ts';

/** Types that are objects of the account's log of the same name. */
const objectStateTypes = ['Identity', 'EmailSubmission', 'VacationResponse', 'SieveScript', 'ShareNotification'] as const;
export type ObjectStateType = (typeof objectStateTypes)[number];
const mailStateTypes = ['Mailbox', 'Thread', 'Email', 'EmailDelivery'] as const;
export type StateType = (typeof mailStateTypes)[number] | ObjectStateType;
export const stateTypes: readonly StateType[] = [...mailStateTypes, ...objectStateTypes];

export interface TypeStates extends Readonly<Record<StateType, number>> {
  /** The account's modSeq that this is true for. */
  readonly upTo: number;
}

/** Effects looked at first when nothing is known yet; doubled until every type of mail is found. */
const firstWindow = 256;

export function statesOf(reader: AccountReader, known?: TypeStates): TypeStates {
  const { modSeq } = reader;
  if (known?.upTo === modSeq) return known;
  if (known !== undefined && known.upTo < modSeq) {
    const effects = reader.effectsSince(known.upTo as ModSeq);
    if (effects !== undefined) return carryOn(known, effects, modSeq);
  }
  let floor = modSeq as number;
  for (let window = firstWindow; ; window *= 2) {
    const since = Math.max(0, modSeq - window);
    const effects = reader.effectsSince(since as ModSeq);
    if (effects === undefined) return carryOn(all(floor), [], modSeq);
    floor = since;
    const states = carryOn(all(0), effects, modSeq);
    // A type that did not change within what was looked at, or is kept, did not change since its beginning either.
    const isEnough = mailStateTypes.every((type) => states[type] > 0);
    if (since === 0 || isEnough || reader.effectsSince(Math.max(0, modSeq - window * 2) as ModSeq) === undefined) {
      return { ...states, ...Object.fromEntries(stateTypes.map((type) => [type, Math.max(states[type], floor)])) };
    }
  }
}

const all = (modSeq: number): TypeStates =>
  ({ ...Object.fromEntries(stateTypes.map((type) => [type, modSeq])), upTo: modSeq }) as Record<StateType | 'upTo', number>;

function carryOn(known: TypeStates, effects: Iterable<Effect>, upTo: number): TypeStates {
  const states: Record<StateType, number> = { ...known };
  for (const effect of effects) for (const type of typesOf(effect)) states[type] = effect.modSeq;
  return { ...states, upTo };
}

/** The types that an effect gives a new state. */
function* typesOf({ mailboxes, threads, emails, objects }: Effect): Generator<StateType> {
  if (mailboxes.length > 0) yield 'Mailbox';
  if (isAny(threads)) yield 'Thread';
  if (isAny(emails)) yield 'Email';
  if (emails.added.length > 0) yield 'EmailDelivery';
  for (const { type } of objects) {
    if (isObjectState(type)) yield type;
    // Whom a mailbox is shared with is a property of it.
    else if (type === mailboxAclType) yield 'Mailbox';
  }
}

const isObjectState = (type: string): type is ObjectStateType => (objectStateTypes as readonly string[]).includes(type);

const isAny = ({ added, changed, removed }: Effect['emails']) => added.length > 0 || changed.length > 0 || removed.length > 0;

export function stateString(states: TypeStates, type: StateType): string {
  return formatState({ modSeq: states[type] as ModSeq, upTo: 0 });
}

/** The state that a change of one's own led to, `modSeq` being the change's: that of `before` where a sharee has changed what he does not see. */
export function stateAfter(account: Account, type: StateType, { before, modSeq }: { before: string; modSeq: number }): string {
  if (!(account instanceof SharedAccount)) return String(modSeq);
  const effects = account.read((reader) => [...(reader.effectsSince((modSeq - 1) as ModSeq) ?? [])]);
  const isSeen = effects.some((effect) => effect.modSeq === modSeq && [...typesOf(effect)].includes(type));
  return isSeen ? String(modSeq) : before;
}

/** Throws MethodError 'stateMismatch' where a client names a state after which the type has changed (RFC 8620 §5.3). */
export function requireState(reader: AccountReader, states: TypeStates, type: StateType, ifInState: string | null | undefined): void {
  if (ifInState === undefined || ifInState === null) return;
  const given = parseState(ifInState);
  const isWhole = given !== undefined && given.upTo === 0 && given.modSeq <= states.upTo;
  if (!isWhole || !(given.modSeq >= states[type] || isUnchangedSince(reader, given.modSeq, type)))
    throw new MethodError('stateMismatch', `The state of ${type} is ${stateString(states, type)}.`);
}

/** A state may be given as of a later change than the type's last one, where that was long ago: what counts is that nothing came since. */
function isUnchangedSince(reader: AccountReader, modSeq: ModSeq, type: StateType): boolean {
  const effects = reader.effectsSince(modSeq);
  if (effects === undefined) return false;
  for (const effect of effects) for (const changed of typesOf(effect)) if (changed === type) return false;
  return true;
}

/** The effects that a client at this state has not seen. Throws MethodError 'cannotCalculateChanges' where they are not kept. */
export function effectsAfter(
  reader: Pick<AccountReader, 'effectsSince'>,
  sinceState: string,
): { readonly since: State; readonly effects: Iterable<Effect> } {
  const since = parseState(sinceState);
  const effects = since === undefined ? undefined : reader.effectsSince(since.modSeq);
  if (since === undefined || effects === undefined) {
    throw new MethodError('cannotCalculateChanges', 'This state is not known, or older than what is kept.');
  }
  return { since, effects };
}
