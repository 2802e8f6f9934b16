/** `satchel sieve`, as the administrator types it. */
import { expect, test } from 'vitest';
import type { AdminServices } from '../../../server/admin/services.ts';
import { sieveVerbs } from '../../../server/admin/sieve-verbs.ts';
import { openTestDirectory } from '../../support/directory.ts';
import { openTestBucket } from '../../support/open-accounts.ts';

test('scripts of an account are put, listed, shown, activated and removed, and broken ones refused with their line', async () => {
  const { directory } = await openTestDirectory();
  await directory.addDomain('example.com');
  await directory.addAccount('ada@example.com');
  const { accounts } = openTestBucket().node();
  const services = { directory, mail: { accounts } } as unknown as AdminServices;
  const run = async (name: string, parameters: object = {}) => {
    const verb = sieveVerbs.find((row) => row.name === `sieve ${name}`)!;
    return verb.print(await verb.run(services, { address: 'ada@example.com', ...parameters }));
  };
  expect(await run('list')).toBe('');
  expect(await run('put', { name: 'main', script: 'keep;' })).toContain('It is not active');
  await expect(run('put', { name: 'main', script: 'keep;\nfrob;' })).rejects.toThrow('line 2: frob is no command that there is here.');
  await expect(run('put', { name: 'a/b', script: 'keep;' })).rejects.toThrow('without controls and slashes');
  expect(await run('show', { name: 'main' })).toBe('keep;');
  expect(await run('activate', { name: 'main' })).toBe('main is active for ada@example.com.');
  expect(await run('list')).toBe('STATE   BYTES  NAME\nactive      5  main');
  await expect(run('remove', { name: 'main' })).rejects.toThrow('deactivate it first');
  expect(await run('activate')).toBe('No script of ada@example.com is active now.');
  expect(await run('remove', { name: 'main' })).toBe('Removed the script main.');
  await expect(run('show', { name: 'main' })).rejects.toThrow('There is no script "main"');
});
