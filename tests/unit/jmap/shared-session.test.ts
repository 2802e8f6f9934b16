/** The session's state says that accounts come, go and change (RFC 8620 §2, §3.4), in the answers of those whom it concerns and of nobody else. */
import { expect, it } from 'vitest';
import { RightSet } from '../../../protocol/mail/acl.ts';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import { mailSharingCapability } from '../../../server/jmap/method.ts';
import { sharedAccount } from '../../../storage/sharing/shared-account.ts';
import { core, mail, startJmapApp, users } from '../../support/jmap/app.ts';

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

it('shows in shareWith nobody who is gone', async () => {
  await using app = await startJmapApp();
  const gone = await app.directory.addAccount('gone@example.com');
  const using = [core, mail, mailSharingCapability];
  const set = (shareWith: object | null) =>
    app.call([['Mailbox/set', { accountId: 'account1', update: { m1: { shareWith } } }, 's']], { using });
  const shareWith = async () => {
    const { methodResponses } = await app.call([['Mailbox/get', { accountId: 'account1', ids: ['m1'], properties: ['shareWith'] }, 'g']], {
      using,
    });
    return (methodResponses[0]![1]['list'] as { shareWith: object | null }[])[0]!.shareWith;
  };
  await set({ [gone]: { mayReadItems: true }, account2: { mayReadItems: true } });
  expect(Object.keys((await shareWith())!)).toEqual([gone, 'account2'].sort());
  await app.directory.removeAccount('gone@example.com');
  expect(Object.keys((await shareWith())!)).toEqual(['account2']);
  // A client sends back what it knows, and more.
  const { methodResponses } = await set({ account2: { mayReadItems: true }, account3: { mayReadItems: true } });
  expect(methodResponses[0]![1]).toMatchObject({ updated: { m1: null } });
  expect(Object.keys((await shareWith())!)).toEqual(['account2', 'account3']);
});
