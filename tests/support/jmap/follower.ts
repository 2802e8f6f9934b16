/** A client that reads all once, and from then on follows /changes and /queryChanges only. */
import { expect } from 'vitest';
import { mailSharingCapability, submissionCapability } from '../../../server/jmap/method.ts';
import { core, type JmapApp, mail, type User } from './app.ts';

export type FollowedType = 'Email' | 'Thread' | 'Mailbox' | 'Identity' | 'EmailSubmission';

export interface Following {
  readonly accountId: string;
  readonly user: User;
  readonly types: readonly FollowedType[];
  readonly queries: readonly (readonly [type: 'Email' | 'Mailbox' | 'EmailSubmission', query: object])[];
  /** Told of every id that a change names. */
  readonly onTold?: (type: FollowedType, id: string) => void;
}

export class Follower {
  readonly objects = new Map<FollowedType, Map<string, unknown>>();
  readonly lists: string[][] = [];
  readonly #states = new Map<FollowedType, string>();
  readonly #queryStates: string[] = [];
  readonly #app: JmapApp;
  readonly #following: Following;
  readonly #portion: number;

  constructor(app: JmapApp, following: Following, portion: number) {
    this.#app = app;
    this.#following = following;
    this.#portion = portion;
  }

  async #ask<T>(name: string, args: object): Promise<T> {
    const { accountId, user } = this.#following;
    const using = [core, mail, submissionCapability, mailSharingCapability];
    const { methodResponses } = await this.#app.call([[name, { accountId, ...args }, 'c']], { using, user });
    const [answered, result] = methodResponses[0]!;
    if (answered === 'error') throw new Error(`${name}: ${JSON.stringify(result)}`);
    return result as T;
  }

  async begin(): Promise<void> {
    for (const type of this.#following.types) await this.#readAll(type);
    for (const [index, [type, query]] of this.#following.queries.entries()) {
      const { ids, queryState } = await this.#ask<{ ids: string[]; queryState: string }>(`${type}/query`, query);
      this.lists[index] = ids;
      this.#queryStates[index] = queryState;
    }
  }

  async #readAll(type: FollowedType): Promise<void> {
    const { list, state } = await this.#get(type, null);
    this.objects.set(type, new Map(list.map((one) => [one.id, one])));
    this.#states.set(type, state);
  }

  #get(type: string, ids: readonly string[] | null) {
    const properties = type === 'Email' ? { properties: ['keywords', 'mailboxIds', 'threadId'] } : {};
    return this.#ask<{ list: { id: string }[]; notFound: string[]; state: string }>(`${type}/get`, { ids, ...properties });
  }

  async sync(): Promise<void> {
    for (const type of this.#following.types) await this.#follow(type);
    for (const [index, [type, query]] of this.#following.queries.entries()) {
      const sinceQueryState = this.#queryStates[index];
      const changes = await this.#ask<{ removed: string[]; added: { id: string; index: number }[]; newQueryState: string }>(
        `${type}/queryChanges`,
        { ...query, sinceQueryState },
      );
      this.#told(type, [...changes.removed, ...changes.added.map(({ id }) => id)]);
      const removed = new Set(changes.removed);
      const list = this.lists[index]!.filter((id) => !removed.has(id));
      for (const { id, index: at } of changes.added) list.splice(at, 0, id);
      this.lists[index] = list;
      this.#queryStates[index] = changes.newQueryState;
    }
  }

  async #follow(type: FollowedType): Promise<void> {
    const objects = this.objects.get(type)!;
    for (let hasMore = true; hasMore; ) {
      const changes = await this.#ask<{
        created: string[];
        updated: string[];
        destroyed: string[];
        newState: string;
        hasMoreChanges: boolean;
      }>(`${type}/changes`, { sinceState: this.#states.get(type)!, maxChanges: this.#portion });
      const { created, updated, destroyed } = changes;
      this.#told(type, [...created, ...updated, ...destroyed]);
      expect(created.length + updated.length + destroyed.length).toBeLessThanOrEqual(this.#portion);
      for (const id of destroyed) objects.delete(id);
      const { list } = await this.#get(type, [...created, ...updated]);
      for (const one of list) objects.set(one.id, one);
      this.#states.set(type, changes.newState);
      hasMore = changes.hasMoreChanges;
    }
  }

  #told(type: FollowedType, ids: readonly string[]): void {
    for (const id of ids) this.#following.onTold?.(type, id);
  }

  /** All objects by type and id, to be compared. */
  held(): unknown {
    return Array.from(this.objects, ([type, map]) => [type, [...map].sort(([a], [b]) => (a < b ? -1 : 1))]);
  }
}
