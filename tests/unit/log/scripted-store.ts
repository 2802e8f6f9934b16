/**
 * A memory store whose requests are recorded, and whose next ones can be made to go wrong: what the tests of the log hold conversations with.
 */
import { StorageError } from '../../../protocol/mail/errors.ts';
import { MemoryStore } from '../../../storage/objects/memory.ts';
import {
  ClockSkewError,
  type ListOptions,
  type ListPage,
  type PutIfAbsentReceipt,
  type StoredObject,
  UnreachedError,
} from '../../../storage/objects/object-store.ts';

export type Reply =
  /** Nothing is done, and the caller does not know. */
  | 'unavailable'
  /** Nothing is done, and the caller knows: there was no connection. */
  | 'unreached'
  /** Done, and the caller does not know. */
  | 'lostReply'
  | 'skew'
  | 'refused'
  /** Waits for `release`. */
  | 'held'
  /** Runs first, then goes on. */
  | (() => void | Promise<void>);

export class ScriptedStore extends MemoryStore {
  /** `PUT 1`, `GET 1`, `LIST`: log objects by number. */
  readonly requests: string[] = [];
  readonly #script: { operation: string; reply: Reply }[] = [];
  #held: (() => void)[] = [];

  /** The next request of that operation (`PUT`, `GET`, `LIST`) gets `reply`. Several for one operation come one after the other. */
  next(operation: string, ...replies: Reply[]): void {
    for (const reply of replies) this.#script.push({ operation, reply });
  }

  release(): void {
    for (const go of this.#held.splice(0)) go();
  }

  override get(key: string): Promise<StoredObject> {
    return this.#run('GET', key, () => super.get(key));
  }

  override putIfAbsent(key: string, body: Uint8Array): Promise<PutIfAbsentReceipt> {
    const bytes = Buffer.from(body);
    return this.#run('PUT', key, () => super.putIfAbsent(key, bytes));
  }

  override listPage(prefix: string, options?: ListOptions): Promise<ListPage> {
    return this.#run('LIST', '', () => super.listPage(prefix, options));
  }

  async #run<T>(operation: string, key: string, effect: () => Promise<T>): Promise<T> {
    const number = /\/(\d+)\./.exec(key)?.[1];
    this.requests.push(number === undefined ? operation : `${operation} ${Number(number)}`);
    const at = this.#script.findIndex((entry) => entry.operation === operation);
    const [scripted] = at < 0 ? [] : this.#script.splice(at, 1);
    switch (scripted?.reply) {
      case undefined:
        return effect();
      case 'unavailable':
        throw new StorageError('unavailable', '503');
      case 'unreached':
        throw new UnreachedError('ECONNREFUSED');
      case 'lostReply':
        await effect();
        throw new StorageError('unavailable', 'no answer');
      case 'skew':
        throw new ClockSkewError('RequestTimeTooSkewed');
      case 'refused':
        throw new StorageError('refused', 'AccessDenied');
      case 'held':
        await new Promise<void>((resolve) => this.#held.push(resolve));
        return effect();
      default:
        await scripted!.reply();
        return effect();
    }
  }
}
