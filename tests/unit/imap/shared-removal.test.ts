/** Accounts that are removed while others are in their mailboxes, or they in those of others. */
import { expect, test } from 'vitest';
import { otherUser, password, startImapApp, user } from '../../support/imap/app.ts';

async function openShared() {
  const app = await startImapApp();
  const [owner, viewer] = [await app.connect(), await app.connect()];
  await owner.command(`LOGIN ${user} "${password}"`);
  await viewer.command(`LOGIN ${otherUser} "${password}"`);
  await owner.command('APPEND Archive {15+}\r\nSubject: x\r\n\r\ny');
  await owner.command(`SETACL Archive ${otherUser} lrs`);
  const name = `"Other Users/${user}/Archive"`;
  expect((await viewer.command(`SELECT ${name}`)).at(-1)).toMatch(/ OK /);
  return { app, owner, viewer, name };
}

test('an owner who is removed takes his mailboxes from the sight of everybody', async () => {
  const { app, viewer, name } = await openShared();
  await using _ = app;
  await viewer.command('NOTIFY SET (subtree "Other Users" (MailboxName))');
  await app.directory.removeAccount(user);
  expect(await viewer.line()).toMatch(/^\* BYE/);
  const again = await app.connect();
  await again.command(`LOGIN ${otherUser} "${password}"`);
  expect((await again.command('LIST "" *')).filter((line) => line.includes('Other Users'))).toEqual([]);
  expect((await again.command(`SELECT ${name}`)).at(-1)).toMatch(/ NO \[NONEXISTENT\]/);
});

test('an account that is removed is sent out of the mailboxes of others, and stands in no list', async () => {
  const { app, owner, viewer } = await openShared();
  await using _ = app;
  expect((await owner.command('GETACL Archive'))[0]).toContain(otherUser);
  await app.directory.removeAccount(otherUser);
  await viewer.command('NOOP');
  expect(await viewer.line()).toMatch(/^\* BYE/);
  expect((await owner.command('GETACL Archive'))[0]).toBe(`* ACL "Archive" ${user} lrswipkxteacd`);
});
