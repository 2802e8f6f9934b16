/** Removes processed objects: while one request is under way the next names gather, so that a spike needs few requests. */
import type { ObjectStore } from '../storage/objects/object-store.ts';

export class Remover {
  readonly #store: Pick<ObjectStore, 'deleteMany'>;
  #gathering: { readonly keys: string[]; readonly done: Promise<void> } | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(store: Pick<ObjectStore, 'deleteMany'>) {
    this.#store = store;
  }

  /** Resolves when the object is gone. */
  remove(key: string): Promise<void> {
    if (this.#gathering === undefined) {
      const keys: string[] = [];
      const done = this.#last.then(() => {
        this.#gathering = undefined;
        return this.#store.deleteMany(keys);
      });
      this.#gathering = { keys, done };
      this.#last = done.catch(() => {});
    }
    this.#gathering.keys.push(key);
    return this.#gathering.done;
  }
}
