/**
 * Tells those whose rights on a mailbox changed (RFC 9670 §3), in their own logs, after the owner's commit and whichever way the change was made. What
 * everybody may is told to nobody, as §3 has it for groups. A crash between the two commits, or an account that cannot be reached, costs the
 * notification, not the right.
 */
import { type AclIdentifier, anyone, RightSet } from '../../protocol/mail/acl.ts';
import { type AccountId, formatMailboxId, type MailboxNumber } from '../../protocol/mail/ids.ts';
import { type ShareNotificationRecord, shareNotificationType } from '../../protocol/mail/share-notification.ts';
import type { Account, AccountReader, Accounts, AccountTransactor } from '../account/api.ts';
import type { Directory } from '../directory/directory.ts';
import type { Random } from '../random.ts';
import { shareNotificationsMax } from './limits.ts';
import type { RightsChanged } from './shares.ts';

export interface ShareNotifierPorts {
  readonly accounts: Accounts;
  readonly directory: Pick<Directory, 'accountById'>;
  readonly random: Random;
  /** A notification that could not be left. */
  readonly onFailure: (sharee: AccountId, error: unknown) => void;
}

export class ShareNotifier {
  readonly #ports: ShareNotifierPorts;

  constructor(ports: ShareNotifierPorts) {
    this.#ports = ports;
  }

  /** Resolves when all have been told. */
  async tell(change: RightsChanged): Promise<void> {
    const { accounts } = this.#ports;
    const owner = await accounts.open(change.owner);
    const name = owner.read((reader) => reader.mailbox(change.mailbox)?.name);
    if (name === undefined) return;
    for (const sharee of new Set([...change.before.keys(), ...change.after.keys()])) {
      if (sharee === anyone) continue;
      const [oldRights, newRights] = [effective(change.before, sharee), effective(change.after, sharee)];
      if (oldRights === newRights) continue;
      await this.#leave(sharee, {
        changedBy: this.#entityOf(change.by),
        ...{ objectType: 'Mailbox', objectAccountId: change.owner, objectId: formatMailboxId(change.mailbox), name },
        ...{ oldRights, newRights },
      });
    }
  }

  async #leave(sharee: AccountId, what: Omit<ShareNotificationRecord, 'created'>): Promise<void> {
    const { accounts, directory, random, onFailure } = this.#ports;
    if (directory.accountById(sharee) === undefined) return;
    const id = `n${random.hex(10)}`;
    try {
      const account = await accounts.open(sharee);
      await account.transact((tx) => {
        makeRoom(tx);
        tx.putObject(shareNotificationType, id, { created: tx.at, ...what } satisfies ShareNotificationRecord);
      });
    } catch (error) {
      onFailure(sharee, error);
    }
  }

  #entityOf(by: AccountId | null): ShareNotificationRecord['changedBy'] {
    const account = by === null ? undefined : this.#ports.directory.accountById(by);
    if (account === undefined) return { name: 'Administrator', email: null, principalId: null };
    return { name: account.name === '' ? account.address : account.name, email: account.address, principalId: account.id };
  }
}

/** RFC 9670 §3.1: who subscribes to something has taken note of it. `own`: his account. */
export async function dismissNotifications(own: Account, owner: AccountId, mailboxes: readonly MailboxNumber[]): Promise<void> {
  const ids = new Set<string>(mailboxes.map((mailbox) => formatMailboxId(mailbox)));
  const about = (reader: AccountReader) =>
    Array.from(reader.objects<ShareNotificationRecord>(shareNotificationType)).filter(
      ({ value }) => value.objectAccountId === owner && ids.has(value.objectId),
    );
  if (own.read(about).length === 0) return;
  await own.transact((tx) => {
    for (const { id } of about(tx)) tx.removeObject(shareNotificationType, id);
  });
}

/** What somebody may by his own name and by that of anyone. */
function effective(list: ReadonlyMap<AclIdentifier, RightSet>, sharee: AccountId): string {
  const of = (identifier: AclIdentifier) => list.get(identifier) ?? RightSet.none;
  return of(sharee).with(of(anyone)).letters;
}

/** RFC 9670 §3.1: the oldest go. */
function makeRoom(tx: AccountTransactor): void {
  const kept = [...tx.objects<ShareNotificationRecord>(shareNotificationType)].sort((a, b) => a.value.created - b.value.created);
  for (const { id } of kept.slice(0, Math.max(0, kept.length + 1 - shareNotificationsMax))) tx.removeObject(shareNotificationType, id);
}
