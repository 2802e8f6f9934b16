/**
 * The mutations of one call, and the states around them. newState moves on only while nobody else's change came between: one that included it would hide
 * it from the client.
 */
import type { AccountTransactor, Upload } from '../../../storage/account/api.ts';
import type { MethodContext } from '../method.ts';
import { type StateType, stateAfter, stateString } from '../states.ts';

export class Steps {
  oldState: string;
  newState: string;
  readonly #context: MethodContext;
  readonly #type: StateType;
  #isFirst = true;

  constructor(context: MethodContext, type: StateType) {
    this.#context = context;
    this.#type = type;
    this.oldState = context.account.read((reader) => stateString(context.cache.states(reader), type));
    this.newState = this.oldState;
  }

  /** A mutation, and whether it changed something of the type. */
  async transact<T>(
    mutation: (tx: AccountTransactor) => { readonly value: T; readonly isChanged: boolean },
    uploads: readonly Upload[] = [],
  ): Promise<T> {
    const { account, cache } = this.#context;
    const { made, isChanged, before, modSeq } = await account.transact(
      (tx) => {
        const state = stateString(cache.statesInside(tx), this.#type);
        // A mutation's change gets the account's next modSeq.
        const next = tx.modSeq + 1;
        const { value, isChanged: is } = mutation(tx);
        return { made: value, isChanged: is, before: state, modSeq: next };
      },
      { uploads },
    );
    const after = isChanged ? stateAfter(account, this.#type, { before, modSeq }) : before;
    if (this.#isFirst) this.oldState = before;
    if (this.#isFirst || before === this.newState) this.newState = after;
    this.#isFirst = false;
    return made;
  }
}
