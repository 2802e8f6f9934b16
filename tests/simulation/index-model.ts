/** The account's index, as it runs in the process but on a map in memory, under the simulation. */
import { mailboxAclId, mailboxAclType } from '../../protocol/mail/acl.ts';
import type { AccountId, EmailNumber, MailboxNumber, Uid } from '../../protocol/mail/ids.ts';
import { deriveFacts } from '../../protocol/mime/facts.ts';
import type { AccountTransactor, Effect } from '../../storage/account/api.ts';
import { AccountIndex } from '../../storage/index/account-index.ts';
import { MemoryKv } from '../../storage/index/memory-kv.ts';
import type { Attempt, Position, RestoredPart, StateView } from '../../storage/log/machine.ts';
import type { BlobRef, Commit } from '../../storage/log/record.ts';
import type { MachineOptions, Model, SimulatedMachine } from './model.ts';

type Entries = readonly (readonly [key: string, value: Buffer])[];

class IndexMachine implements SimulatedMachine<AccountTransactor> {
  readonly #kv: MemoryKv;
  readonly #index: AccountIndex;
  readonly #fails: () => boolean;

  constructor(kv: MemoryKv, index: AccountIndex, fails: () => boolean) {
    this.#kv = kv;
    this.#index = index;
    this.#fails = fails;
  }

  get position(): Position {
    return this.#index.position;
  }

  begin(at: number): Attempt<AccountTransactor> {
    return this.#index.begin(at);
  }

  settle(attempt: Attempt<AccountTransactor>, commit: Commit, hash: string): readonly Effect[] {
    if (this.#fails()) throw new Error('the index failed');
    return this.#index.settle(attempt, commit, hash);
  }

  apply(commit: Commit, hash: string): readonly Effect[] {
    return this.#index.apply(commit, hash);
  }

  reset(): Promise<void> {
    return this.#index.reset();
  }

  view(): StateView {
    return this.#index.view();
  }

  restore(position: Position, parts: AsyncIterable<RestoredPart>): Promise<void> {
    return this.#index.restore(position, parts);
  }

  dump(): Entries {
    return Array.from(this.#kv.range('', '\u{ff}\u{ff}'), ({ key, value }) => [key, value] as const);
  }

  *living(): Iterable<BlobRef> {
    const reader = this.#index.reader();
    for (const email of reader.emails()) yield reader.blob(email)!;
  }

  /** The records of a snapshot: what of the index is state, and not derived. */
  contents(): string {
    const view = this.#index.view();
    const parts = Array.from(view.parts(), ({ kind, range, lines }) => ({ name: `${kind} ${range}`, lines: lines() }));
    view.release();
    const filled = parts.filter(({ lines }) => lines.length > 0).sort((a, b) => (a.name < b.name ? -1 : 1));
    return JSON.stringify([view.position, filled]);
  }
}

export const indexModel: Model<AccountTransactor> = {
  async open({ disk, fails = () => false }: MachineOptions = {}) {
    const kv = new MemoryKv();
    kv.write((disk as Entries | undefined) ?? []);
    return new IndexMachine(kv, await AccountIndex.open(kv), fails);
  },

  add(tx, token, blob) {
    const email = blob === undefined ? 0 : addEmail(tx, token, blob);
    tx.putObject('token', token, email);
    return email;
  },

  copy(tx, token, pick) {
    const place = chosen(tx, pick);
    if (place !== undefined) tx.copy(place.mailbox, [[place.uid, place.uid]], place.mailbox);
    return put(tx, token);
  },

  touch(tx, token, pick) {
    const place = chosen(tx, pick);
    if (place !== undefined && pick % 3 === 0) share(tx, place, pick);
    else if (place !== undefined)
      tx.changeFlags(place.mailbox, [[place.uid, place.uid]], pick % 2 === 0 ? { add: ['$seen'] } : { remove: ['$seen'] });
    return put(tx, token);
  },

  remove(tx, token, pick) {
    const place = chosen(tx, pick);
    if (place !== undefined) tx.expunge(place.mailbox, [[place.uid, place.uid]]);
    return put(tx, token);
  },

  put,
};

function addEmail(tx: AccountTransactor, token: string, blob: BlobRef): EmailNumber {
  const mailbox = tx.mailboxByRole('inbox') ?? tx.createMailbox({ name: 'Inbox', parent: null, role: 'inbox' });
  const raw = Buffer.from(`From: a@example.org\r\nSubject: ${token}\r\nMessage-ID: <${token}@example.org>\r\n\r\n${token}\r\n`);
  const mailboxes = [mailbox.id];
  return tx.addEmail({ blob, receivedAt: tx.at, keywords: [], mailboxes, facts: deriveFacts(raw), text: token, preview: token }).id;
}

/** Somebody with whom the mailbox is shared marks a message, as seen or not. */
function share(tx: AccountTransactor, { mailbox, uid }: { mailbox: MailboxNumber; uid: Uid }, pick: number): void {
  tx.putObject(mailboxAclType, mailboxAclId(mailbox), { rights: { viewer: 'lrs' } });
  const { email } = tx.membership(mailbox, uid)!;
  tx.changeSeen('viewer' as AccountId, [[email, email]], pick % 2 === 0);
}

function put(tx: AccountTransactor, token: string): number {
  tx.putObject('token', token, 0);
  return 0;
}

function chosen(tx: AccountTransactor, pick: number) {
  const inbox = tx.mailboxByRole('inbox');
  const uids = inbox === undefined ? [] : tx.uids(inbox.id);
  return inbox === undefined || uids.length === 0 ? undefined : { mailbox: inbox.id, uid: uids[pick % uids.length] as Uid };
}
