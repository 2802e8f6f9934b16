/** Who is told of a change of rights, and what (RFC 9670 §3). */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { anyone, RightSet } from '../../../protocol/mail/acl.ts';
import { type AccountId, formatMailboxId } from '../../../protocol/mail/ids.ts';
import { type ShareNotificationRecord, shareNotificationType } from '../../../protocol/mail/share-notification.ts';
import type { Account } from '../../../storage/account/api.ts';
import { shareNotificationsMax } from '../../../storage/sharing/limits.ts';
import { ShareNotifier } from '../../../storage/sharing/share-notifier.ts';
import { countingRandom } from '../../support/open-accounts.ts';
import { SharingRig } from './rig.ts';

let rig: SharingRig;
let failures: [AccountId, unknown][];
/** Of these `open` fails. */
const closed = new Set<AccountId>();

beforeEach(async () => {
  rig = await SharingRig.open();
  failures = [];
  closed.clear();
  const notifier = new ShareNotifier({
    accounts: {
      open: (id) => (closed.has(id) ? Promise.reject(new Error('unreachable')) : rig.node.accounts.open(id)),
    },
    directory: rig.directory,
    random: countingRandom(3),
    onFailure: (sharee, error) => failures.push([sharee, error]),
  });
  rig.shares.onRightsChanged = (change) => notifier.tell(change);
});
afterEach(() => rig[Symbol.asyncDispose]());

const told = (account: Account) =>
  account.read((reader) => Array.from(reader.objects<ShareNotificationRecord>(shareNotificationType), ({ value }) => value));

describe('a change of rights', () => {
  it('is told to whom it is about, with the rights of before and after, and by whom', async () => {
    const inbox = rig.inbox(rig.ann);
    await rig.give(rig.ann, inbox, rig.bob.id, 'lr');
    await rig.shares.setRights(rig.ann, inbox, new Map([[rig.bob.id, () => RightSet.of('lrs')]]), null);
    const common = { objectType: 'Mailbox', objectAccountId: rig.ann.id, objectId: formatMailboxId(inbox), name: 'INBOX' };
    expect(told(rig.bob)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          ...common,
          changedBy: { name: 'ann@example.com', email: 'ann@example.com', principalId: rig.ann.id },
          ...{ oldRights: '', newRights: 'lr' },
        }),
        expect.objectContaining({
          ...common,
          changedBy: { name: 'Administrator', email: null, principalId: null },
          ...{ oldRights: 'lr', newRights: 'lrs' },
        }),
      ]),
    );
    expect([told(rig.ann), told(rig.cid)]).toEqual([[], []]);
  });

  it('that changes nothing is not told', async () => {
    const inbox = rig.inbox(rig.ann);
    await rig.give(rig.ann, inbox, rig.bob.id, 'lr');
    await rig.give(rig.ann, inbox, rig.bob.id, 'lr');
    expect(told(rig.bob)).toHaveLength(1);
  });

  it('of everybody is told to nobody; of one it is told with what everybody has', async () => {
    const inbox = rig.inbox(rig.ann);
    await rig.give(rig.ann, inbox, anyone, 'lr');
    expect(told(rig.bob)).toEqual([]);
    await rig.give(rig.ann, inbox, rig.bob.id, 'l');
    // He had that.
    expect(told(rig.bob)).toEqual([]);
    await rig.give(rig.ann, inbox, rig.bob.id, 'ls');
    expect(told(rig.bob)).toMatchObject([{ oldRights: 'lr', newRights: 'lrs' }]);
  });

  it('stands when it cannot be told', async () => {
    const inbox = rig.inbox(rig.ann);
    closed.add(rig.bob.id);
    await rig.give(rig.ann, inbox, rig.bob.id, 'lr');
    expect(failures).toMatchObject([[rig.bob.id, { message: 'unreachable' }]]);
    expect((await rig.shares.open(rig.bob.id, rig.ann.id))?.rightsOn(inbox).letters).toBe('lr');
  });

  it('pushes out the oldest where there are too many', async () => {
    const inbox = rig.inbox(rig.ann);
    await rig.bob.transact((tx) => {
      for (let count = 0; count < shareNotificationsMax; count += 1) tx.putObject(shareNotificationType, `old${count}`, { created: count });
    });
    await rig.give(rig.ann, inbox, rig.bob.id, 'lr');
    expect(told(rig.bob)).toHaveLength(shareNotificationsMax);
    expect(rig.bob.read((reader) => [reader.object(shareNotificationType, 'old0'), reader.object(shareNotificationType, 'old1')])).toEqual([
      undefined,
      { created: 1 },
    ]);
  });
});
