/** A directory with some accounts on a bucket in memory, and what they share. */
import { type AclIdentifier, RightSet } from '../../../protocol/mail/acl.ts';
import type { MailboxNumber, Uid } from '../../../protocol/mail/ids.ts';
import type { Account } from '../../../storage/account/api.ts';
import { Directory } from '../../../storage/directory/directory.ts';
import type { SharedAccount } from '../../../storage/sharing/shared-account.ts';
import { Shares } from '../../../storage/sharing/shares.ts';
import { countingRandom, deliver, openTestBucket, rawMessage, type TestBucket, type TestNode } from '../../support/open-accounts.ts';

export class SharingRig implements AsyncDisposable {
  readonly bucket: TestBucket;
  readonly node: TestNode;
  readonly directory: Directory;
  readonly shares: Shares;
  readonly ann: Account;
  readonly bob: Account;
  readonly cid: Account;

  private constructor(parts: { bucket: TestBucket; node: TestNode; directory: Directory; accounts: readonly Account[] }) {
    this.bucket = parts.bucket;
    this.node = parts.node;
    this.directory = parts.directory;
    this.shares = new Shares({ accounts: parts.node.accounts, directory: parts.directory });
    [this.ann, this.bob, this.cid] = parts.accounts as [Account, Account, Account];
  }

  static async open(): Promise<SharingRig> {
    const bucket = openTestBucket();
    const node = bucket.node();
    const { accounts } = node;
    const directory = await Directory.open({ accounts, clock: bucket.clock, random: countingRandom(7), catchUp: accounts.catchUp });
    await directory.addDomain('example.com');
    const opened: Account[] = [];
    for (const name of ['ann', 'bob', 'cid']) opened.push(await accounts.open(await directory.addAccount(`${name}@example.com`)));
    return new SharingRig({ bucket, node, directory, accounts: opened });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node[Symbol.asyncDispose]();
  }

  inbox(account: Account): MailboxNumber {
    return account.read((reader) => reader.mailboxByRole('inbox')!.id);
  }

  async make(account: Account, name: string, parent: MailboxNumber | null = null): Promise<MailboxNumber> {
    return account.transact((tx) => tx.createMailbox({ name, parent }).id);
  }

  async deliver(account: Account, mailbox: MailboxNumber, subject = 'hello'): Promise<Uid> {
    await deliver(account, mailbox, rawMessage({ Subject: subject }));
    return account.read((reader) => reader.uids(mailbox).at(-1)!) as Uid;
  }

  async give(owner: Account, mailbox: MailboxNumber, identifier: AclIdentifier, letters: string): Promise<void> {
    await this.shares.setRights(owner, mailbox, new Map([[identifier, () => RightSet.of(letters)]]), owner.id);
  }

  /** `owner`'s account as `viewer` has it, with these rights on the mailbox. */
  async shared(owner: Account, mailbox: MailboxNumber, viewer: Account, letters: string): Promise<SharedAccount> {
    await this.give(owner, mailbox, viewer.id, letters);
    return (await this.shares.open(viewer.id, owner.id))!;
  }
}
