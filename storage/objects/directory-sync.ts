/**
 * Makes new names durable: a file's own sync does not cover its entry in the directory.
 *
 * Directories are synced in rounds. A caller waits for a round that began after it called, and everybody who called during one round shares
 * the next, so that many concurrent puts into a directory cost one fsync.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { fsync, mkdir } from './file-system.ts';

interface Rounds {
  running: Promise<void>;
  next: Promise<void> | undefined;
}

/** Directories remembered as durable; past this the memory starts anew, and each is synced once more. */
const knownDirectoriesMax = 100_000;

export class DirectorySync {
  readonly #root: string;
  readonly #rounds = new Map<string, Rounds>();
  /** Directories whose own names are durable up to the root, as promises while that is being made so. */
  readonly #known = new Map<string, Promise<void>>();

  /** `root` exists, and its name is durable. */
  constructor(root: string) {
    this.#root = root;
  }

  /** Resolves when every name that `directory` had at the time of the call is on disk. */
  sync(directory: string): Promise<void> {
    const rounds = this.#rounds.get(directory);
    if (rounds === undefined) return this.#begin(directory);
    rounds.next ??= rounds.running.then(
      () => this.#begin(directory),
      () => this.#begin(directory),
    );
    return rounds.next;
  }

  /** Creates `directory` under the root if needed; its name and its parents' are on disk when this resolves, whoever created them. */
  ensure(directory: string): Promise<void> {
    if (directory === this.#root) return Promise.resolve();
    let ensured = this.#known.get(directory);
    if (ensured === undefined) {
      if (this.#known.size >= knownDirectoriesMax) this.#known.clear();
      ensured = this.#ensure(directory);
      this.#known.set(directory, ensured);
      ensured.catch(() => this.#known.delete(directory));
    }
    return ensured;
  }

  /** `directory` turned out not to be there: somebody removed it, and perhaps its parents. */
  forget(directory: string): void {
    for (let at = directory; at.length > this.#root.length; at = dirname(at)) this.#known.delete(at);
  }

  async #ensure(directory: string): Promise<void> {
    const parent = dirname(directory);
    await this.ensure(parent);
    try {
      await mkdir(directory);
    } catch (error) {
      // Another process may have made it a moment ago and not synced it yet, so the parent is synced all the same.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    await this.sync(parent);
  }

  #begin(directory: string): Promise<void> {
    const running = syncDirectory(directory);
    const rounds: Rounds = { running, next: undefined };
    this.#rounds.set(directory, rounds);
    const end = () => {
      if (this.#rounds.get(directory) === rounds && rounds.next === undefined) this.#rounds.delete(directory);
    };
    running.then(end, end);
    return running;
  }
}

/** fsync of the directory itself. */
export async function syncDirectory(directory: string): Promise<void> {
  // The directory was used a moment ago, so opening it reads nothing: done in this turn, a hop to a thread less.
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await fsync(fd);
  } finally {
    closeSync(fd);
  }
}
