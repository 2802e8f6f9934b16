/** The session's state says that accounts come, go and change (RFC 8620 §2, §3.4), in the answers of those whom it concerns and of nobody else. */
import { expect, it } from 'vitest';
import { RightSet } from '../../../protocol/mail/acl.ts';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import { sharedAccount } from '../../../storage/sharing/shared-account.ts';
import { core, startJmapApp, users } from '../../support/jmap/app.ts';

it('changes with what is shared and how', async () => {
  await using app = await startJmapApp();
  const [owner, viewer] = [users['me@example.com'] as AccountId, users['other@example.com'] as AccountId];
  const inbox = app.account.read((reader) => reader.mailboxByRole('inbox')!.id);
  const give = (letters: string) => app.shares.setRights(app.account, inbox, new Map([[viewer, () => RightSet.of(letters)]]), owner);
  const subscribe = (subscribed: boolean) => sharedAccount(app.account, viewer).transact((tx) => tx.updateMailbox(inbox, { subscribed }));
  const look = async () => {
    const [mine, theirs] = await Promise.all(
      (['me@example.com', 'other@example.com'] as const).map(async (user) => (await app.call([], { user, using: [core] })).sessionState),
    );
    const response = await app.server.inject({ url: '/jmap/session', headers: { authorization: app.authorization('other@example.com') } });
    const session = response.json() as { state: string; accounts: Record<string, { isReadOnly: boolean }> };
    expect(session.state).toBe(theirs);
    return { mine, theirs, isReadOnly: session.accounts[owner]?.isReadOnly };
  };
  const alone = await look();
  await give('lr');
  const reading = await look();
  await give('lrs');
  const writing = await look();
  await subscribe(false);
  const unsubscribed = await look();
  await subscribe(true);
  const again = await look();
  await give('');
  const ended = await look();
  expect([alone, reading, writing, unsubscribed, again, ended].map(({ isReadOnly }) => isReadOnly)).toEqual([
    undefined,
    true,
    false,
    undefined,
    false,
    undefined,
  ]);
  expect(new Set([alone.theirs, reading.theirs, writing.theirs]).size).toBe(3);
  expect([unsubscribed.theirs, again.theirs, ended.theirs]).toEqual([alone.theirs, writing.theirs, alone.theirs]);
  expect(new Set([alone, reading, writing, ended].map(({ mine }) => mine)).size).toBe(1);
});
