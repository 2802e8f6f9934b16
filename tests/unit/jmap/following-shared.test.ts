/**
 * A client that follows an account of which mailboxes are shared with it holds, after any history of mail and of rights, what a client that reads it anew
 * holds; and no change names to it what it has never been able to see.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AclIdentifier, anyone, RightSet } from '../../../protocol/mail/acl.ts';
import {
  type AccountId,
  type EmailNumber,
  formatEmailId,
  formatMailboxId,
  formatThreadId,
  type MailboxNumber,
} from '../../../protocol/mail/ids.ts';
import { mailSharingCapability } from '../../../server/jmap/method.ts';
import { sharedAccount } from '../../../storage/sharing/shared-account.ts';
import { core, type JmapApp, mail, startJmapApp } from '../../support/jmap/app.ts';
import { Follower, type Following } from '../../support/jmap/follower.ts';
import { deliver, rawMessage } from '../../support/open-accounts.ts';

const owner = 'account1' as AccountId;
const viewer = 'account2' as AccountId;
const letters = ['', 'l', 'lr', 'lrs', 'lrsw', 'lrswikxtea'] as const;

const pick = fc.nat({ max: 30 });
const named = <T extends string>(...names: T[]) => fc.record({ do: fc.constantFrom(...names), email: pick, to: pick, more: pick });
const op = fc.oneof(
  { weight: 5, arbitrary: named('deliver') },
  { weight: 9, arbitrary: named('seen', 'flag', 'move', 'join', 'destroy', 'hide', 'show', 'leave') },
  { weight: 3, arbitrary: named('viewerSeen', 'viewerMoves', 'viewerDestroys', 'viewerMailbox') },
  { weight: 3, arbitrary: named('mailbox', 'removeMailbox', 'renameMailbox', 'moveMailbox', 'subscribe') },
  { weight: 7, arbitrary: named('rights', 'rightsOfAnyone') },
  { weight: 4, arbitrary: named('sync') },
);
type Op = typeof op extends fc.Arbitrary<infer T> ? T : never;

/** An email of which the viewer sees a `\Deleted` place only, and then another one. */
const hiddenThenShared: Op[] = [
  { do: 'deliver', email: 26, to: 25, more: 0 },
  { do: 'deliver', email: 30, to: 24, more: 13 },
  { do: 'destroy', email: 12, to: 20, more: 28 },
  { do: 'join', email: 12, to: 25, more: 16 },
  { do: 'deliver', email: 2, to: 27, more: 6 },
  { do: 'hide', email: 0, to: 8, more: 17 },
  { do: 'sync', email: 13, to: 30, more: 0 },
  { do: 'rightsOfAnyone', email: 26, to: 24, more: 10 },
];

const queries: Following['queries'] = [
  ['Email', {}],
  ['Email', { filter: { inMailbox: 'm1' }, collapseThreads: true }],
  ['Email', { filter: { notKeyword: '$seen' }, sort: [{ property: 'receivedAt' }] }],
  [
    'Email',
    { filter: { someInThreadHaveKeyword: '$flagged' }, sort: [{ property: 'hasKeyword', keyword: '$seen' }, { property: 'receivedAt' }] },
  ],
  ['Mailbox', {}],
  ['Mailbox', { filter: { hasAnyRole: false }, sort: [{ property: 'name', isAscending: false }] }],
  ['Mailbox', { sortAsTree: true }],
];

class History {
  /** Ids that the viewer could see at some time. */
  readonly seen: Readonly<Record<'Email' | 'Thread' | 'Mailbox', Set<string>>> = {
    Email: new Set(),
    Thread: new Set(),
    Mailbox: new Set(),
  };
  readonly #app: JmapApp;
  #count = 0;

  constructor(app: JmapApp) {
    this.#app = app;
  }

  get #account() {
    return this.#app.account;
  }

  get #viewed() {
    return sharedAccount(this.#account, viewer);
  }

  /** One mailbox is shared all the time: with nothing, there is no account to follow. */
  async begin(): Promise<void> {
    const drafts = this.#account.read((reader) => reader.mailboxByRole('drafts')!.id);
    await this.#give(drafts, viewer, 'lrste');
    this.#look();
  }

  async run(op: Op): Promise<void> {
    await this.#run(op);
    this.#look();
  }

  #look(): void {
    this.#viewed.read((reader) => {
      for (const { id } of reader.mailboxes()) this.seen.Mailbox.add(formatMailboxId(id));
      for (const id of reader.emails()) {
        this.seen.Email.add(formatEmailId(id));
        this.seen.Thread.add(formatThreadId(reader.email(id)!.thread));
      }
    });
  }

  async #give(mailbox: MailboxNumber, identifier: AclIdentifier, rights: string): Promise<void> {
    await this.#app.shares.setRights(this.#account, mailbox, new Map([[identifier, () => RightSet.of(rights)]]), null);
  }

  async #run({ do: what, email, to, more }: Op): Promise<void> {
    const account = this.#account;
    const emails = account.read((reader) => [...reader.emails()]);
    const mailboxes = account.read((reader) => reader.mailboxes().map(({ id, role }) => ({ id, role })));
    const own = mailboxes.filter(({ role }) => role === null);
    const mailbox = mailboxes[to % mailboxes.length]!.id;
    const made = own[email % Math.max(1, own.length)]?.id;
    switch (what) {
      case 'deliver': {
        this.#count += 1;
        const references: Record<string, string> =
          email % 2 === 0 && this.#count > 1 ? { References: `<${1 + (email % (this.#count - 1))}@x>` } : {};
        const raw = rawMessage({ Subject: 'S', 'Message-ID': `<${this.#count}@x>`, ...references });
        await deliver(account, mailbox, raw, { receivedAt: 1_700_000_000_000 + (email % 5) * 1000 });
        return;
      }
      case 'mailbox': {
        const parent = more % 3 === 0 ? null : mailbox;
        await account.transact((tx) => tx.createMailbox({ name: `M${(this.#count += 1)}`, parent }));
        return;
      }
      case 'removeMailbox':
        if (made !== undefined) await account.transact((tx) => tx.removeMailbox(made)).catch(() => undefined);
        return;
      case 'renameMailbox':
        if (made !== undefined) await account.transact((tx) => tx.updateMailbox(made, { name: `N${(this.#count += 1)}` }));
        return;
      case 'moveMailbox': {
        const parent = more % 3 === 0 ? null : mailbox;
        if (made !== undefined) await account.transact((tx) => tx.updateMailbox(made, { parent })).catch(() => undefined);
        return;
      }
      case 'subscribe':
        await this.#viewed.transact((tx) => tx.updateMailbox(mailbox, { subscribed: more % 2 === 0 })).catch(() => undefined);
        return;
      case 'rights':
      case 'rightsOfAnyone': {
        const isKept = account.read((reader) => reader.mailbox(mailbox)!.role) === 'drafts';
        if (!isKept) await this.#give(mailbox, what === 'rights' ? viewer : anyone, letters[more % letters.length]!);
        return;
      }
      case 'viewerMailbox':
        await this.#setAsViewer('Mailbox', this.#changeOfMailbox(formatMailboxId(mailbox), email));
        return;
      case 'viewerSeen':
      case 'viewerMoves':
      case 'viewerDestroys': {
        const one = emails[email % Math.max(1, emails.length)];
        if (one !== undefined) await this.#changeAsViewer(what, one, mailbox);
        return;
      }
      case 'sync':
        return;
      default:
        if (emails.length > 0) await this.#change(what, emails[email % emails.length]!, mailbox, more);
    }
  }

  /** What he may not do he does not. */
  async #changeAsViewer(what: 'viewerSeen' | 'viewerMoves' | 'viewerDestroys', id: EmailNumber, mailbox: MailboxNumber): Promise<void> {
    const email = formatEmailId(id);
    const isSeen = this.#viewed.read((reader) => reader.email(id)?.keywords.includes('$seen')) === true;
    const update =
      what === 'viewerSeen' ? { 'keywords/$seen': isSeen ? null : true } : { mailboxIds: { [formatMailboxId(mailbox)]: true } };
    const args = what === 'viewerDestroys' ? { destroy: [email] } : { update: { [email]: update } };
    await this.#setAsViewer('Email', args);
  }

  #changeOfMailbox(id: string, how: number): object {
    const name = `V${(this.#count += 1)}`;
    const changes = [
      { create: { k: { name, parentId: id } } },
      { create: { k: { name, parentId: id, shareWith: { account3: { mayReadItems: true } } } } },
      { update: { [id]: { name } } },
      { update: { [id]: { 'shareWith/account3': { mayReadItems: true } } } },
      { update: { [id]: { 'shareWith/account3': null } } },
      { update: { [id]: { isSubscribed: how % 2 === 0 } } },
      { destroy: [id], onDestroyRemoveEmails: true },
    ];
    return changes[how % changes.length]!;
  }

  /** The state that he is told is that of what he reads then. */
  async #setAsViewer(type: 'Email' | 'Mailbox', args: object): Promise<void> {
    const { methodResponses } = await this.#app.call(
      [
        [`${type}/set`, { accountId: owner, ...args }, 's'],
        [`${type}/get`, { accountId: owner, ids: [] }, 'g'],
      ],
      { user: 'other@example.com', using: [core, mail, mailSharingCapability] },
    );
    expect(methodResponses.map(([name]) => name)).toEqual([`${type}/set`, `${type}/get`]);
    expect(methodResponses[0]![1]['newState']).toBe(methodResponses[1]![1]['state']);
  }

  async #change(
    how: 'seen' | 'flag' | 'move' | 'join' | 'destroy' | 'hide' | 'show' | 'leave',
    id: EmailNumber,
    mailbox: MailboxNumber,
    more: number,
  ): Promise<void> {
    await this.#account.transact((tx) => {
      const known = tx.email(id)!;
      const place = known.memberships[more % known.memberships.length]!;
      if (how === 'seen' || how === 'flag') {
        const keyword = how === 'seen' ? '$seen' : '$flagged';
        const has = known.keywords.includes(keyword);
        tx.changeKeywords([[id, id]], has ? { remove: [keyword] } : { add: [keyword] });
      } else if (how === 'move') tx.setMailboxes(known.id, [mailbox]);
      else if (how === 'join') tx.setMailboxes(known.id, [...known.memberships.map((one) => one.mailbox), mailbox]);
      else if (how === 'leave') tx.expunge(place.mailbox, [[place.uid, place.uid]]);
      else if (how === 'destroy') tx.destroyEmails([[id, id]]);
      else tx.changeFlags(place.mailbox, [[place.uid, place.uid]], { deleted: how === 'hide' });
    });
  }
}

describe('a client that follows a shared account', () => {
  it('holds what a client that reads it anew holds, and hears of nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(op, { minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 9 }), async (ops, portion) => {
        await using app = await startJmapApp();
        const history = new History(app);
        await history.begin();
        const following: Following = {
          ...{ accountId: owner, user: 'other@example.com', types: ['Email', 'Thread', 'Mailbox'], queries },
          onTold(type, id) {
            if (!history.seen[type as 'Email'].has(id)) throw new Error(`${type} ${id} was told and could never be seen`);
          },
        };
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
      { numRuns: 100, endOnFailure: true, examples: [[hiddenThenShared, 3]] },
    );
  }, 120_000);
});
