import { beforeAll, describe, expect, test } from 'vitest';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import { resolve } from '../../../storage/directory/resolve.ts';
import { openTestDirectory, type TestDirectory } from '../../support/directory.ts';

describe('resolveRecipient', () => {
  let node: TestDirectory;
  const names = new Map<AccountId, string>();

  beforeAll(async () => {
    node = await openTestDirectory();
    const { directory } = node;
    for (const domain of ['example.com', 'Bücher.example', 'catch.example', 'empty.example']) await directory.addDomain(domain);
    for (const address of ['ann@example.com', 'bob@example.com', 'carl+work@example.com', 'zoë@bücher.example', 'all@catch.example']) {
      names.set(await directory.addAccount(address), address.split('@')[0]!);
    }
    await directory.addAlias('info@example.com', 'ann@example.com');
    await directory.addAlias('hello@example.com', 'INFO@example.com');
    await directory.addAlias('*@catch.example', 'all@catch.example');
    await directory.addGroup('team@example.com', ['ann@example.com', 'Bob@example.com']);
    await directory.addGroup('everyone@example.com', ['team@example.com', 'zoë@bücher.example', 'info@example.com']);
    await directory.addGroup('team@example.com', ['everyone@example.com']);
    await directory.addAlias('crew@example.com', 'team@example.com');
    await directory.addGroup('nobody@catch.example', []);
    await directory.addAlias('*@empty.example', 'nobody@catch.example');
  });

  test.each([
    ['an account by its address', 'ann@example.com', ['ann'], 'account', null],
    ['whatever the case', 'ANN@Example.COM', ['ann'], 'account', null],
    ['in a domain written in A-labels', 'zoë@xn--bcher-kva.example', ['zoë'], 'account', null],
    ['in a domain written in U-labels', 'ZOË@bücher.example', ['zoë'], 'account', null],
    ['an alias', 'info@example.com', ['ann'], 'alias', null],
    ['an alias of an alias', 'hello@example.com', ['ann'], 'alias', null],
    ['a plus-address, with its detail as written', 'ann+Shop.2024@example.com', ['ann'], 'account', 'Shop.2024'],
    ['the first plus divides', 'ann+a+b@example.com', ['ann'], 'account', 'a+b'],
    ['an empty detail', 'ann+@example.com', ['ann'], 'account', ''],
    ['a plus-address in quotes', '"ann+x"@example.com', ['ann'], 'account', 'x'],
    ['a plus-address of an alias', 'info+x@example.com', ['ann'], 'alias', 'x'],
    ['an account whose own address has a plus', 'carl+work@example.com', ['carl+work'], 'account', null],
    ['a group of groups that contain each other, each account once', 'everyone@example.com', ['ann', 'bob', 'zoë'], 'group', null],
    ['the same from inside the loop', 'team@example.com', ['ann', 'bob', 'zoë'], 'group', null],
    ['an alias of a group', 'crew@example.com', ['ann', 'bob', 'zoë'], 'alias', null],
    ['a plus-address of a group', 'team+x@example.com', ['ann', 'bob', 'zoë'], 'group', 'x'],
    ['anything in a domain with a catch-all', 'whoever@catch.example', ['all'], 'catchAll', null],
    ['even with a plus', 'who+ever@catch.example', ['all'], 'catchAll', null],
    ['an account before the catch-all', 'all+x@catch.example', ['all'], 'account', 'x'],
  ])('finds %s', async (_claim, recipient, accounts, via, detail) => {
    const found = await node.directory.resolveRecipient(recipient);
    expect(found).toMatchObject({ kind: 'account', via, detail });
    expect(found.kind === 'account' && found.accounts.map((id) => names.get(id)).sort()).toEqual(accounts);
  });

  test.each([
    ['a domain that is not ours', 'ann@elsewhere.example', 'domain'],
    ['a subdomain of ours', 'ann@sub.example.com', 'domain'],
    ['nobody of that name', 'nobody@example.com', 'address'],
    ['a name that begins with a plus', '+ann@example.com', 'address'],
    ['an empty group, also where there is a catch-all', 'nobody@catch.example', 'address'],
    ['a catch-all that leads to an empty group', 'x@empty.example', 'address'],
    ['the catch-all of another domain', 'whoever@example.com', 'address'],
    ['what is no address', 'ann', 'invalid'],
  ])('does not know %s', async (_claim, recipient, reason) => {
    expect(await node.directory.resolveRecipient(recipient)).toEqual({ kind: 'unknown', reason });
  });

  test('a known recipient costs no look at the store, an unknown one costs one', async () => {
    const before = node.accounts.catchUps;
    await node.directory.resolveRecipient('ann@example.com');
    expect(node.accounts.catchUps - before).toBe(0);
    await node.directory.resolveRecipient('nobody@example.com');
    expect(node.accounts.catchUps - before).toBe(1);
  });

  test('groups nested deeper than the limit are not followed, and end', () => {
    const groups = new Map(Array.from({ length: 50 }, (_, index) => [`g${index}@x`, { members: [`g${index + 1}@x`, `a${index}@x`] }]));
    const found = resolve(
      {
        hasDomain: () => true,
        alias: () => undefined,
        accountOf: (address) => (address.startsWith('a') ? (address as AccountId) : undefined),
        group: (address) => groups.get(address),
      },
      'g0@x',
    );
    expect(found.kind === 'account' && found.accounts).toEqual(Array.from({ length: 10 }, (_, index) => `a${index}@x`));
  });
});
