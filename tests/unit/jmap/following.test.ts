/** A client that follows /changes and /queryChanges only holds, after any history, what a client that reads everything anew holds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EmailNumber, MailboxNumber } from '../../../protocol/mail/ids.ts';
import { submissionCapability } from '../../../server/jmap/method.ts';
import { core, type JmapApp, mail, startJmapApp } from '../../support/jmap/app.ts';
import { deliver, rawMessage } from '../../support/open-accounts.ts';

const accountId = 'account1';

type Op =
  | { readonly do: 'deliver'; readonly reply: number; readonly to: number }
  | { readonly do: 'seen' | 'flag' | 'move' | 'destroy' | 'hide' | 'show'; readonly email: number; readonly to: number }
  | { readonly do: 'mailbox' | 'removeMailbox' | 'renameMailbox' | 'identity' | 'renameIdentity' | 'removeIdentity'; readonly to: number }
  | { readonly do: 'sync' };

const pick = fc.nat({ max: 30 });
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('deliver' as const), reply: pick, to: pick }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('seen', 'flag', 'move', 'destroy', 'hide', 'show'),
      email: pick,
      to: pick,
    }) as fc.Arbitrary<Op>,
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('mailbox', 'removeMailbox', 'renameMailbox', 'identity', 'renameIdentity', 'removeIdentity'),
      to: pick,
    }) as fc.Arbitrary<Op>,
  },
  { weight: 3, arbitrary: fc.constant({ do: 'sync' as const }) },
);

const types = ['Email', 'Thread', 'Mailbox', 'Identity'] as const;
type Type = (typeof types)[number];

const mailboxQueries = [
  {},
  { filter: { hasAnyRole: false }, sort: [{ property: 'name', isAscending: false }] },
  { sortAsTree: true },
] as const;
const emailQueries = [
  {},
  { filter: { inMailbox: 'm1' }, collapseThreads: true },
  { filter: { notKeyword: '$seen' }, sort: [{ property: 'receivedAt' }] },
  { filter: { someInThreadHaveKeyword: '$flagged' }, sort: [{ property: 'hasKeyword', keyword: '$seen' }, { property: 'receivedAt' }] },
  {
    filter: { inMailbox: 'm1' },
    sort: [{ property: 'someInThreadHaveKeyword', keyword: '$flagged', isAscending: false }],
    collapseThreads: true,
  },
] as const;

const queries: readonly (readonly [type: 'Email' | 'Mailbox', query: object])[] = [
  ...emailQueries.map((query) => ['Email', query] as const),
  ...mailboxQueries.map((query) => ['Mailbox', query] as const),
];

class Follower {
  readonly objects: Record<Type, Map<string, unknown>> = {
    Email: new Map(),
    Thread: new Map(),
    Mailbox: new Map(),
    Identity: new Map(),
  };
  readonly lists: string[][] = [];
  readonly #states = { Email: '', Thread: '', Mailbox: '', Identity: '' };
  readonly #queryStates: string[] = [];
  readonly #app: JmapApp;
  readonly #portion: number;

  constructor(app: JmapApp, portion: number) {
    this.#app = app;
    this.#portion = portion;
  }

  async #ask<T>(name: string, args: object): Promise<T> {
    const { methodResponses } = await this.#app.call([[name, { accountId, ...args }, 'c']], { using: [core, mail, submissionCapability] });
    const [answered, result] = methodResponses[0]!;
    if (answered === 'error') throw new Error(`${name}: ${JSON.stringify(result)}`);
    return result as T;
  }

  async begin(): Promise<void> {
    for (const type of types) await this.#readAll(type);
    for (const [index, [type, query]] of queries.entries()) {
      const { ids, queryState } = await this.#ask<{ ids: string[]; queryState: string }>(`${type}/query`, query);
      this.lists[index] = ids;
      this.#queryStates[index] = queryState;
    }
  }

  async #readAll(type: Type): Promise<void> {
    const { list, state } = await this.#get(type, null);
    for (const one of list) this.objects[type].set(one.id, one);
    this.#states[type] = state;
  }

  #get(type: string, ids: readonly string[] | null) {
    const properties = type === 'Email' ? { properties: ['keywords', 'mailboxIds', 'threadId'] } : {};
    return this.#ask<{ list: { id: string }[]; notFound: string[]; state: string }>(`${type}/get`, { ids, ...properties });
  }

  async sync(): Promise<void> {
    for (const type of types) await this.#follow(type);
    for (const [index, [type, query]] of queries.entries()) {
      const changes = await this.#ask<{ removed: string[]; added: { id: string; index: number }[]; newQueryState: string }>(
        `${type}/queryChanges`,
        {
          ...query,
          sinceQueryState: this.#queryStates[index],
        },
      );
      const removed = new Set(changes.removed);
      const list = this.lists[index]!.filter((id) => !removed.has(id));
      for (const { id, index: at } of changes.added) list.splice(at, 0, id);
      this.lists[index] = list;
      this.#queryStates[index] = changes.newQueryState;
    }
  }

  async #follow(type: Type): Promise<void> {
    for (let hasMore = true; hasMore; ) {
      const changes = await this.#ask<{
        created: string[];
        updated: string[];
        destroyed: string[];
        newState: string;
        hasMoreChanges: boolean;
      }>(`${type}/changes`, { sinceState: this.#states[type], maxChanges: this.#portion });
      const { created, updated, destroyed } = changes;
      expect(created.length + updated.length + destroyed.length).toBeLessThanOrEqual(this.#portion);
      for (const id of destroyed) this.objects[type].delete(id);
      const { list } = await this.#get(type, [...created, ...updated]);
      for (const one of list) this.objects[type].set(one.id, one);
      this.#states[type] = changes.newState;
      hasMore = changes.hasMoreChanges;
    }
  }
}

class History {
  readonly #app: JmapApp;
  #count = 0;

  constructor(app: JmapApp) {
    this.#app = app;
  }

  async run(op: Op): Promise<void> {
    const { account } = this.#app;
    const emails = account.read((reader) => [...reader.emails()]);
    const mailboxes = account.read((reader) => reader.mailboxes().map(({ id }) => id));
    switch (op.do) {
      case 'deliver': {
        this.#count += 1;
        const references: Record<string, string> =
          emails.length > 0 && op.reply % 2 === 0 ? { References: `<${emails[op.reply % emails.length]}@x>` } : {};
        const raw = rawMessage({ Subject: 'S', 'Message-ID': `<${this.#count}@x>`, ...references });
        await deliver(account, mailboxes[op.to % 2]!, raw, { receivedAt: 1_700_000_000_000 + (op.reply % 5) * 1000 });
        return;
      }
      case 'mailbox':
        await account.transact((tx) => tx.createMailbox({ name: `M${(this.#count += 1)}`, parent: null }));
        return;
      case 'removeMailbox': {
        const last = account.read((reader) => reader.mailboxes().filter(({ role }) => role === null)).at(-1);
        if (last !== undefined) await account.transact((tx) => tx.removeMailbox(last.id));
        return;
      }
      case 'renameMailbox': {
        const last = account.read((reader) => reader.mailboxes().filter(({ role }) => role === null)).at(-1);
        if (last !== undefined) await account.transact((tx) => tx.updateMailbox(last.id, { name: `N${(this.#count += 1)}` }));
        return;
      }
      case 'identity':
        await this.#setIdentity({ create: { k: { name: `I${(this.#count += 1)}`, email: 'me@example.com' } } });
        return;
      case 'renameIdentity':
      case 'removeIdentity': {
        const { list } = (await this.#setIdentity({})) as { list: { id: string; mayDelete: boolean }[] };
        const one = list[op.to % list.length];
        if (one === undefined) return;
        const isRemoved = op.do === 'removeIdentity' && one.mayDelete;
        await this.#setIdentity(isRemoved ? { destroy: [one.id] } : { update: { [one.id]: { name: `J${(this.#count += 1)}` } } });
        return;
      }
      case 'sync':
        return;
      default:
        if (emails.length > 0) await this.#change(op.do, emails[op.email % emails.length]!, mailboxes[op.to % mailboxes.length]!);
    }
  }

  /** What there is afterwards. */
  async #setIdentity(args: object): Promise<unknown> {
    const calls = [
      ['Identity/set', { accountId, ...args }, 's'],
      ['Identity/get', { accountId }, 'g'],
    ];
    const { methodResponses } = await this.#app.call(calls, { using: [core, submissionCapability] });
    return methodResponses[1]![1];
  }

  async #change(how: 'seen' | 'flag' | 'move' | 'destroy' | 'hide' | 'show', id: EmailNumber, mailbox: MailboxNumber): Promise<void> {
    await this.#app.account.transact((tx) => {
      const known = tx.email(id)!;
      const [place] = known.memberships;
      if (how === 'seen' || how === 'flag') {
        const keyword = how === 'seen' ? '$seen' : '$flagged';
        const has = known.keywords.includes(keyword);
        tx.changeKeywords([[id, id]], has ? { remove: [keyword] } : { add: [keyword] });
      } else if (how === 'move') tx.setMailboxes(known.id, [mailbox]);
      else if (how === 'destroy') tx.destroyEmails([[id, id]]);
      else tx.changeFlags(place!.mailbox, [[place!.uid, place!.uid]], { deleted: how === 'hide' });
    });
  }
}

describe('a client that follows', () => {
  it('holds what a client that reads anew holds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(op, { minLength: 1, maxLength: 25 }), fc.integer({ min: 1, max: 9 }), async (ops, portion) => {
        await using app = await startJmapApp();
        const history = new History(app);
        const follower = new Follower(app, portion);
        await follower.begin();
        for (const one of ops) {
          await history.run(one);
          if (one.do === 'sync') await follower.sync();
        }
        await follower.sync();
        const fresh = new Follower(app, portion);
        await fresh.begin();
        const sorted = (of: Follower) =>
          Object.entries(of.objects).map(([type, map]) => [type, [...map].sort(([a], [b]) => (a < b ? -1 : 1))]);
        expect(sorted(follower)).toEqual(sorted(fresh));
        expect(follower.lists).toEqual(fresh.lists);
      }),
      { numRuns: 100 },
    );
  }, 60_000);
});
