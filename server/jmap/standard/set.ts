/** What all /set methods share (RFC 8620 §5.3). */
import { MethodError, type SetError, SetFailure } from '../../../protocol/jmap/errors.ts';
import { maxObjectsInSet } from '../../../protocol/jmap/limits.ts';
import type { MethodContext } from '../method.ts';
import { setErrorOf } from '../refusal.ts';
import { requireState, type StateType } from '../states.ts';
import { Steps } from './steps.ts';

export interface SetArguments {
  readonly accountId: string;
  readonly ifInState?: string | null;
  readonly create?: Readonly<Record<string, Record<string, unknown>>> | null;
  readonly update?: Readonly<Record<string, Record<string, unknown>>> | null;
  readonly destroy?: readonly string[] | null;
}

/** Takes any key as its own: `__proto__` is an Id (RFC 8620 §1.2). */
const emptyRecord = <T>(): Record<string, T> => Object.create(null) as Record<string, T>;

/** The outcome of a /set, filled object by object. */
export class SetOutcome {
  readonly created = emptyRecord<object>();
  readonly updated = emptyRecord<object | null>();
  readonly destroyed: string[] = [];
  readonly notCreated = emptyRecord<SetError>();
  readonly notUpdated = emptyRecord<SetError>();
  readonly notDestroyed = emptyRecord<SetError>();

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

type Settings = Readonly<Record<string, unknown>>;

/** What a type does for one object. Each is a mutation of its own by `steps`, so that one that is refused leaves nothing behind. */
export interface SetSpec {
  readonly type: StateType;
  /** The new object's id, and what the server has set. */
  readonly create: (steps: Steps, settings: Settings, key: string) => Promise<{ readonly id: string; readonly shown: object }>;
  /** What the server has set beside what the client asked for, or null. */
  readonly update: (steps: Steps, id: string, patch: Settings) => Promise<object | null>;
  readonly destroy: (steps: Steps, id: string) => Promise<void>;
}

export async function standardSet(
  context: MethodContext,
  args: SetArguments,
  spec: SetSpec,
): Promise<{ readonly outcome: SetOutcome; readonly response: object }> {
  requireSetSize(args);
  context.account.read((reader) => requireState(reader, context.cache.states(reader), spec.type, args.ifInState));
  const steps = new Steps(context, spec.type);
  const outcome = new SetOutcome();
  for (const [key, settings] of Object.entries(args.create ?? {})) {
    await outcome.attempt('notCreated', key, async () => {
      const { id, shown } = await spec.create(steps, settings, key);
      context.createdIds.set(key, id);
      outcome.created[key] = shown;
    });
  }
  const destroy = [...new Set((args.destroy ?? []).map((id) => context.resolveId(id)))];
  for (const [given, patch] of Object.entries(args.update ?? {})) {
    const id = context.resolveId(given);
    await outcome.attempt('notUpdated', id, async () => {
      if (destroy.includes(id)) throw new SetFailure(willBeDestroyed);
      outcome.updated[id] = await spec.update(steps, id, patch);
    });
  }
  for (const id of destroy) {
    await outcome.attempt('notDestroyed', id, async () => {
      await spec.destroy(steps, id);
      outcome.destroyed.push(id);
    });
  }
  return { outcome, response: outcome.response(args.accountId, steps.oldState, steps.newState) };
}

export function requireSetSize({ create, update, destroy }: SetArguments): void {
  const count = Object.keys(create ?? {}).length + Object.keys(update ?? {}).length + (destroy?.length ?? 0);
  if (count > maxObjectsInSet) throw new MethodError('requestTooLarge', `At most ${maxObjectsInSet} objects are changed at once.`);
}

export const willBeDestroyed = { type: 'willDestroy', description: 'The object is destroyed by the same call.' } as const;
export const notFoundError = { type: 'notFound', description: 'There is no such object.' } as const;
