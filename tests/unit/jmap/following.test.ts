/** A client that follows /changes and /queryChanges only holds, after any history, what a client that reads everything anew holds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RightSet } from '../../../protocol/mail/acl.ts';
import { type EmailNumber, formatEmailId, type MailboxNumber } from '../../../protocol/mail/ids.ts';
import { submissionCapability } from '../../../server/jmap/method.ts';
import { core, type JmapApp, mail, startJmapApp } from '../../support/jmap/app.ts';
import { Follower, type Following } from '../../support/jmap/follower.ts';
import { deliver, rawMessage } from '../../support/open-accounts.ts';

const accountId = 'account1';

type Op =
  | { readonly do: 'deliver'; readonly reply: number; readonly to: number }
  | { readonly do: 'seen' | 'flag' | 'move' | 'destroy' | 'hide' | 'show'; readonly email: number; readonly to: number }
  | { readonly do: 'submit' | 'cancel' | 'removeSubmission'; readonly email: number; readonly to: number }
  | {
      readonly do: 'mailbox' | 'removeMailbox' | 'renameMailbox' | 'share' | 'identity' | 'renameIdentity' | 'removeIdentity';
      readonly to: number;
    }
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
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('submit', 'submit', 'cancel', 'removeSubmission'),
      email: pick,
      to: pick,
    }) as fc.Arbitrary<Op>,
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('mailbox', 'removeMailbox', 'renameMailbox', 'share', 'identity', 'renameIdentity', 'removeIdentity'),
      to: pick,
    }) as fc.Arbitrary<Op>,
  },
  { weight: 3, arbitrary: fc.constant({ do: 'sync' as const }) },
);

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

const submissionQueries = [
  {},
  { filter: { undoStatus: 'pending' }, sort: [{ property: 'emailId' }, { property: 'sentAt', isAscending: false }] },
  { sort: [{ property: 'threadId' }] },
] as const;

const queries: Following['queries'] = [
  ...emailQueries.map((query) => ['Email', query] as const),
  ...mailboxQueries.map((query) => ['Mailbox', query] as const),
  ...submissionQueries.map((query) => ['EmailSubmission', query] as const),
];

const types = ['Email', 'Thread', 'Mailbox', 'Identity', 'EmailSubmission'] as const;
const following: Following = { accountId, user: 'me@example.com', types, queries };

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
        const raw = rawMessage({
          Subject: 'S',
          From: 'me@example.com',
          To: 'ann@example.net',
          'Message-ID': `<${this.#count}@x>`,
          ...references,
        });
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
      case 'share': {
        const rights = RightSet.of(['', 'lr', 'lrswitea'][op.to % 3]!);
        await this.#app.shares.setRights(
          account,
          mailboxes[op.to % mailboxes.length]!,
          new Map([[this.#app.other.id, () => rights]]),
          null,
        );
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
      case 'submit':
      case 'cancel':
      case 'removeSubmission':
        if (emails.length > 0) await this.#submission(op.do, formatEmailId(emails[op.email % emails.length]!), op.to);
        return;
      case 'sync':
        return;
      default:
        if (emails.length > 0) await this.#change(op.do, emails[op.email % emails.length]!, mailboxes[op.to % mailboxes.length]!);
    }
  }

  async #submission(how: 'submit' | 'cancel' | 'removeSubmission', emailId: string, to: number): Promise<void> {
    const { list } = (await this.#set('EmailSubmission', {})) as { list: { id: string }[] };
    const one = list[to % Math.max(list.length, 1)];
    if (how === 'submit') {
      const { list: identities } = (await this.#set('Identity', {})) as { list: { id: string }[] };
      const identityId = identities[to % identities.length]!.id;
      // What succeeds changes or destroys the email as well.
      const onSuccess =
        to % 3 === 0 ? { onSuccessDestroyEmail: ['#k'] } : { onSuccessUpdateEmail: { '#k': { 'keywords/$answered': true } } };
      await this.#set('EmailSubmission', { create: { k: { identityId, emailId } }, ...onSuccess });
    } else if (one !== undefined) {
      const change = how === 'cancel' ? { update: { [one.id]: { undoStatus: 'canceled' } } } : { destroy: [one.id] };
      await this.#set('EmailSubmission', change);
    }
  }

  #setIdentity(args: object): Promise<unknown> {
    return this.#set('Identity', args);
  }

  /** What there is afterwards. */
  async #set(type: 'Identity' | 'EmailSubmission', args: object): Promise<unknown> {
    const calls = [
      [`${type}/set`, { accountId, ...args }, 's'],
      [`${type}/get`, { accountId }, 'g'],
    ];
    const { methodResponses } = await this.#app.call(calls, { using: [core, mail, submissionCapability] });
    return methodResponses.at(-1)![1];
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
        const follower = new Follower(app, following, portion);
        await follower.begin();
        for (const one of ops) {
          await history.run(one);
          if (one.do === 'sync') await follower.sync();
        }
        await follower.sync();
        const fresh = new Follower(app, following, portion);
        await fresh.begin();
        expect(follower.held()).toEqual(fresh.held());
        expect(follower.lists).toEqual(fresh.lists);
      }),
      { numRuns: 100 },
    );
  }, 60_000);
});
