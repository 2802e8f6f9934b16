/** `satchel share`, as the administrator types it. */
import { expect, test } from 'vitest';
import type { AdminServices } from '../../../server/admin/services.ts';
import { shareVerbs } from '../../../server/admin/share-verbs.ts';
import { SharingRig } from '../sharing/rig.ts';

test('a mailbox is shared with an account or with anyone, listed on both sides, and shared no longer', async () => {
  await using rig = await SharingRig.open();
  const services = { directory: rig.directory, shares: rig.shares, mail: { accounts: rig.node.accounts } } as unknown as AdminServices;
  const run = async (name: string, parameters: object = {}) => {
    const verb = shareVerbs.find((row) => row.name === `share ${name}`)!;
    return verb.print(await verb.run(services, { address: 'ann@example.com', ...parameters }));
  };
  const plans = await rig.make(rig.ann, 'Plans');
  await rig.make(rig.ann, '2027', plans);
  expect(await run('list')).toBe('');
  expect(await run('set', { mailbox: 'Plans/2027', with: 'bob@example.com', rights: 'read' })).toBe(
    'Plans/2027 is shared with bob@example.com, who has the rights lrs.',
  );
  await run('set', { mailbox: 'inbox', with: 'anyone', rights: 'lx' });
  expect(await run('list')).toBe('MAILBOX     WITH             RIGHTS\nINBOX       anyone           lx\nPlans/2027  bob@example.com  lrs');
  expect(await run('list', { address: 'bob@example.com' })).toBe(
    'OF               MAILBOX     RIGHTS\nann@example.com  INBOX       lx\nann@example.com  Plans/2027  lrs',
  );
  await run('set', { mailbox: 'Plans/2027', with: 'bob@example.com', rights: 'all' });
  expect(await run('list')).toContain('Plans/2027  bob@example.com  lrswipkxtea');
  expect(await run('remove', { mailbox: 'Plans/2027', with: 'bob@example.com' })).toBe(
    'Plans/2027 is shared with bob@example.com no longer.',
  );
  await run('remove', { mailbox: 'INBOX', with: 'anyone' });
  expect([await run('list'), await run('list', { address: 'bob@example.com' })]).toEqual(['', '']);
});

test('what cannot be shared is refused with a sentence that says what to do', async () => {
  await using rig = await SharingRig.open();
  const services = { directory: rig.directory, shares: rig.shares, mail: { accounts: rig.node.accounts } } as unknown as AdminServices;
  const set = (parameters: object) =>
    shareVerbs
      .find(({ name }) => name === 'share set')!
      .run(services, { address: 'ann@example.com', mailbox: 'INBOX', with: 'bob@example.com', rights: 'lr', ...parameters });
  await expect(set({ rights: 'lrq' })).rejects.toThrow('"lrq" is none of read, write and all');
  await expect(set({ mailbox: 'Nowhere' })).rejects.toThrow('ann@example.com has no mailbox Nowhere.');
  await expect(set({ with: 'nobody@example.com' })).rejects.toThrow('There is no account nobody@example.com to share with.');
  await expect(set({ with: 'ann@example.com' })).rejects.toThrow('The owner has all rights, always.');
  const remove = shareVerbs.find(({ name }) => name === 'share remove')!;
  await expect(remove.run(services, { address: 'ann@example.com', mailbox: 'INBOX', with: 'bob@example.com' })).rejects.toThrow(
    '`satchel share list ann@example.com`',
  );
});
