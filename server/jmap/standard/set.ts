/** What all /set methods share (RFC 8620 §5.3). */
import { MethodError, type SetError } from '../../../protocol/jmap/errors.ts';
import { maxObjectsInSet } from '../../../protocol/jmap/limits.ts';
import { setErrorOf } from '../refusal.ts';

export interface SetArguments {
  readonly accountId: string;
  readonly ifInState?: string | null;
  readonly create?: Readonly<Record<string, Record<string, unknown>>> | null;
  readonly update?: Readonly<Record<string, Record<string, unknown>>> | null;
  readonly destroy?: readonly string[] | null;
}

/** The outcome of a /set, filled object by object. */
export class SetOutcome {
  readonly created: Record<string, object> = {};
  readonly updated: Record<string, object | null> = {};
  readonly destroyed: string[] = [];
  readonly notCreated: Record<string, SetError> = {};
  readonly notUpdated: Record<string, SetError> = {};
  readonly notDestroyed: Record<string, SetError> = {};

  /** Runs the work on one object; what it refuses is noted under its id, anything else is thrown on. */
  async attempt(where: 'notCreated' | 'notUpdated' | 'notDestroyed', id: string, work: () => unknown): Promise<void> {
    try {
      await work();
    } catch (error) {
      this[where][id] = setErrorOf(error);
    }
  }

  attemptNow(where: 'notCreated' | 'notUpdated' | 'notDestroyed', id: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this[where][id] = setErrorOf(error);
    }
  }

  response(accountId: string, oldState: string, newState: string): object {
    const orNull = <T extends object>(value: T) => (Object.keys(value).length === 0 ? null : value);
    return {
      accountId,
      oldState,
      newState,
      created: orNull(this.created),
      updated: orNull(this.updated),
      destroyed: this.destroyed.length === 0 ? null : this.destroyed,
      notCreated: orNull(this.notCreated),
      notUpdated: orNull(this.notUpdated),
      notDestroyed: orNull(this.notDestroyed),
    };
  }
}

export function requireSetSize({ create, update, destroy }: SetArguments): void {
  const count = Object.keys(create ?? {}).length + Object.keys(update ?? {}).length + (destroy?.length ?? 0);
  if (count > maxObjectsInSet) throw new MethodError('requestTooLarge', `At most ${maxObjectsInSet} objects are changed at once.`);
}

/** Ids to update or destroy, creation ids resolved. */
export const willBeDestroyed = { type: 'willDestroy', description: 'The object is destroyed by the same call.' } as const;
export const notFoundError = { type: 'notFound', description: 'There is no such object.' } as const;
