/**
 * Makes a state of the newest snapshot that can be read. A manifest or part that is missing or damaged costs no more than the log between that
 * snapshot and the one before it: the scrubber keeps the newest two, and all log after the older. With no snapshot left, the state is empty and
 * the log is to be replayed from its first commit, if it is all there.
 *
 * That the store is away is not damage: StorageError 'unavailable' goes through, and the state is then not to be used.
 */
import { invariant, StorageError } from '../../protocol/mail/errors.ts';
import { fetchAhead } from '../log/fetch-ahead.ts';
import type { Position, RestoredPart, StateMachine } from '../log/machine.ts';
import { logPrefix, parseKey } from '../objects/object-keys.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { fetchesAheadMax } from './limits.ts';
import { isDamage, type ListedManifest, listManifests, type Manifest, readManifest } from './manifest.ts';
import { decodePart, partKeyOf } from './part.ts';

/** Something that a load could not use. */
export interface SnapshotDamage {
  /** Full name in the store. */
  readonly key: string;
  /** Of the manifest. */
  readonly seq: number;
  readonly error: StorageError;
}

export interface LoaderOptions {
  readonly store: ObjectStore;
  readonly accountId: string;
  /** Told of everything that was passed over. Names of parts in it belong in `distrusted` of the next snapshot. */
  readonly onDamage?: (damage: SnapshotDamage) => void;
}

export type Restorable = Pick<StateMachine<never, unknown>, 'position' | 'reset' | 'restore'>;

export class SnapshotLoader {
  readonly #options: LoaderOptions;

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /**
   * Throws away what `machine` holds. Resolves to the position it has then: the log continues after it. `manifests`, oldest first, saves the
   * LIST where they are known. Throws StorageError 'corrupt' when no snapshot can be read and the log does not begin at 1.
   */
  async load(machine: Restorable, manifests?: readonly ListedManifest[]): Promise<Position> {
    const { store, accountId, onDamage } = this.#options;
    manifests ??= (await listManifests(store, accountId)).manifests;
    const damages: SnapshotDamage[] = [];
    for (const listed of manifests.toReversed()) {
      const damage = await this.#restore(machine, listed);
      if (damage === undefined) return machine.position;
      damages.push(damage);
      onDamage?.(damage);
    }
    await machine.reset();
    if (damages.length > 0) await this.#requireWholeLog(damages);
    return machine.position;
  }

  async #restore(machine: Restorable, listed: ListedManifest): Promise<SnapshotDamage | undefined> {
    const { store, accountId } = this.#options;
    const failures: { key: string; error: unknown }[] = [];
    try {
      const manifest = await readManifest(store, accountId, listed);
      await machine.restore(
        manifest.position,
        restoredParts(store, accountId, manifest, (key, error) => failures.push({ key, error })),
      );
      invariant(machine.position.seq === listed.seq, `restored ${listed.key}, and is at ${machine.position.seq}`);
      return undefined;
    } catch (thrown) {
      // What the machine makes of a part's failure does not matter; what the failure was does.
      const { key, error } = failures[0] ?? { key: listed.key, error: thrown };
      if (!isDamage(error)) throw error;
      return { key, seq: listed.seq, error };
    }
  }

  async #requireWholeLog(damages: readonly SnapshotDamage[]): Promise<void> {
    const { store, accountId } = this.#options;
    const newest = damages[0]!.seq;
    let next = 1;
    for await (const { key } of store.list(logPrefix(accountId))) {
      const parsed = parseKey(key);
      if (parsed?.kind === 'log' && parsed.seq === next) next++;
      if (next > newest) return;
    }
    const reasons = damages.map(({ error }) => error.message).join('; ');
    throw new StorageError(
      'corrupt',
      `account ${accountId}: no snapshot can be read, and the log has no commit ${next} to begin without one (${reasons})`,
      { cause: damages[0]!.error },
    );
  }
}

/**
 * The manifest's parts, verified, in its order, each whole where it was cut. Some objects are fetched ahead, one at a time is decoded. `onFailure`
 * hears why it ends early.
 */
export async function* restoredParts(
  store: ObjectStore,
  accountId: string,
  manifest: Manifest,
  onFailure: (key: string, error: unknown) => void = () => {},
): AsyncGenerator<RestoredPart> {
  const fetched = fetchAhead(manifest.parts, fetchesAheadMax, async (part) => {
    const key = partKeyOf(accountId, part);
    try {
      return { key, part, body: (await store.get(key)).body };
    } catch (error) {
      return { key, part, error };
    }
  });
  let whole: RestoredPart | undefined;
  for await (const { key, part, body, error } of fetched) {
    let piece: RestoredPart;
    try {
      if (body === undefined) throw error;
      piece = decodePart(key, body, accountId, part);
    } catch (failure) {
      onFailure(key, failure);
      throw failure;
    }
    if (whole?.kind === piece.kind && whole.range === piece.range) whole = { ...whole, lines: whole.lines.concat(piece.lines) };
    else {
      if (whole !== undefined) yield whole;
      whole = piece;
    }
  }
  if (whole !== undefined) yield whole;
}
