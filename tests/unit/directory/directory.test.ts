import { beforeEach, describe, expect, test } from 'vitest';
import { StorageError } from '../../../protocol/mail/errors.ts';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import { Directory } from '../../../storage/directory/directory.ts';
import { provisionAccount } from '../../../storage/directory/provision.ts';
import { openTestDirectory, type TestDirectory } from '../../support/directory.ts';
import type { FakeLogs } from '../../support/fake-account.ts';

describe('the directory', () => {
  let logs: FakeLogs;
  let node: TestDirectory;
  let directory: Directory;

  beforeEach(async () => {
    logs = new Map();
    node = await openTestDirectory(logs);
    directory = node.directory;
    await directory.addDomain('example.com');
  });

  test('lists what was added, sorted and canonical', async () => {
    await directory.addDomain('BÜCHER.example');
    await directory.addAccount('Bob@example.com', { name: 'Bob' });
    await directory.addAccount('ann@example.com');
    await directory.addAlias('info@example.com', 'bob@example.com');
    await directory.addAlias('*@example.com', 'bob@example.com');
    await directory.addGroup('team@example.com', ['bob@example.com', 'ann@example.com']);
    expect(directory.listDomains().map(({ name, displayName }) => [name, displayName])).toEqual([
      ['example.com', 'example.com'],
      ['xn--bcher-kva.example', 'bücher.example'],
    ]);
    expect(directory.listAccounts().map(({ address, name }) => [address, name])).toEqual([
      ['ann@example.com', ''],
      ['bob@example.com', 'Bob'],
    ]);
    expect(directory.listAliases()).toEqual([
      { alias: '*@example.com', target: 'bob@example.com' },
      { alias: 'info@example.com', target: 'bob@example.com' },
    ]);
    expect(directory.listGroups()).toEqual([{ address: 'team@example.com', members: ['ann@example.com', 'bob@example.com'] }]);
    const bob = directory.accountByAddress('INFO@example.com')!;
    expect(directory.accountById(bob.id)).toEqual(bob);
    expect(directory.addressesOf(bob.id)).toEqual(['bob@example.com', '*@example.com', 'info@example.com']);
    expect(directory.isLocalDomain('Example.COM')).toBe(true);
    expect(directory.isLocalDomain('x@bücher.example')).toBe(true);
    expect(directory.isLocalDomain('elsewhere.example')).toBe(false);
  });

  test('a new account has the mailboxes that clients look for, once', async () => {
    const id = await directory.addAccount('ann@example.com');
    const account = await node.accounts.open(id);
    expect(account.read((reader) => reader.mailboxes().map(({ name, role }) => [name, role]))).toEqual([
      ['INBOX', 'inbox'],
      ['Drafts', 'drafts'],
      ['Sent', 'sent'],
      ['Archive', 'archive'],
      ['Junk', 'junk'],
      ['Trash', 'trash'],
    ]);
    expect(await provisionAccount(account)).toBe(false);
    expect(account.read((reader) => reader.mailboxes().length)).toBe(6);
  });

  test('provisioning takes over a mailbox that has the name already', async () => {
    const account = await node.accounts.open('a1' as AccountId);
    await account.transact((tx) => tx.createMailbox({ name: 'Sent', parent: null }));
    expect(await provisionAccount(account)).toBe(true);
    expect(
      account.read((reader) =>
        reader
          .mailboxes()
          .filter(({ name }) => name === 'Sent')
          .map(({ role }) => role),
      ),
    ).toEqual(['sent']);
  });

  describe('refuses', () => {
    beforeEach(async () => {
      await directory.addAccount('ann@example.com');
      await directory.addAlias('info@example.com', 'ann@example.com');
      await directory.addGroup('team@example.com', ['ann@example.com']);
    });

    test.each<[string, (d: Directory) => Promise<unknown>, string, RegExp]>([
      ['a second domain of that name', (d) => d.addDomain('EXAMPLE.com'), 'alreadyExists', /example\.com is there already/],
      ['what is no domain', (d) => d.addDomain('exa mple'), 'invalidArguments', /is not a domain name/],
      ['to remove a domain with accounts', (d) => d.removeDomain('example.com'), 'forbidden', /still has 1 account: remove/],
      ['to remove a domain that is not there', (d) => d.removeDomain('other.example'), 'notFound', /no domain other\.example/],
      ['what is no address', (d) => d.addAccount('ann'), 'invalidArguments', /is not a mail address/],
      [
        'an address in a domain not ours',
        (d) => d.addAccount('a@other.example'),
        'notFound',
        /not a domain of this directory: add it first/,
      ],
      ['an address that an account has', (d) => d.addAccount('Ann@example.com'), 'alreadyExists', /exists already as an account/],
      ['an address that an alias has', (d) => d.addAccount('info@example.com'), 'alreadyExists', /exists already as an alias/],
      ['an address that a group has', (d) => d.addAlias('team@example.com', 'ann@example.com'), 'alreadyExists', /already as a group/],
      ['a group on an account\u2019s address', (d) => d.addGroup('ann@example.com', []), 'alreadyExists', /already as an account/],
      ['a name with a line break', (d) => d.addAccount('x@example.com', { name: 'a\nb' }), 'invalidArguments', /control characters/],
      ['an alias to nowhere', (d) => d.addAlias('x@example.com', 'y@example.com'), 'notFound', /no account, alias or group y@/],
      ['an alias to elsewhere', (d) => d.addAlias('x@example.com', 'y@other.example'), 'notFound', /no account, alias or group y@/],
      ['to remove an alias that is not there', (d) => d.removeAlias('x@example.com'), 'notFound', /no alias x@/],
      [
        'to remove an alias that leads elsewhere',
        (d) => d.removeAlias('info@example.com', 'team@example.com'),
        'notFound',
        /does not lead to/,
      ],
      ['a group in itself', (d) => d.addGroup('team@example.com', ['team@example.com']), 'invalidArguments', /member of itself/],
      ['a member that is not here', (d) => d.addGroup('team@example.com', ['x@example.com']), 'notFound', /no account, alias or group/],
      ['a group of strangers alone', (d) => d.addGroup('new@example.com', ['x@away.example']), 'invalidArguments', /needs a member here/],
      ['to take out who is not a member', (d) => d.removeGroup('team@example.com', ['info@example.com']), 'notFound', /is not a member/],
      ['to remove an alias as an account', (d) => d.removeAccount('info@example.com'), 'notFound', /is an alias, not an account/],
      ['a password for nobody', (d) => d.setPassword('x@example.com', null), 'notFound', /no account x@/],
      ['an app password that is not there', (d) => d.removeAppPassword('ann@example.com', 'x'), 'notFound', /no app password x/],
    ])('%s', async (_claim, change, code, sentence) => {
      const refusal = await change(directory).then(
        () => 'accepted',
        (error: unknown) => error,
      );
      expect(refusal).toMatchObject({ name: 'MailError', code, message: expect.stringMatching(sentence) });
    });
  });

  test('a removed account leaves aliases and groups, its log is closed, and its address goes to a new account that inherits nothing', async () => {
    const old = await directory.addAccount('ann@example.com');
    await directory.addAccount('bob@example.com');
    await directory.addAlias('info@example.com', 'ann@example.com');
    await directory.addGroup('team@example.com', ['ann@example.com', 'info@example.com', 'bob@example.com']);
    await directory.addAppPassword('ann@example.com', { name: 'phone', sha256: '00', scopes: [] });
    expect(await directory.removeAccount('ann@example.com')).toBe(old);

    expect((await node.accounts.open(old)).read((reader) => reader.isClosed)).toBe(true);
    expect(directory.accountById(old)).toBeUndefined();
    expect(directory.listAliases()).toEqual([]);
    expect(directory.listGroups()).toEqual([{ address: 'team@example.com', members: ['bob@example.com'] }]);
    expect(directory.credential(old)).toBeUndefined();

    const again = await directory.addAccount('ann@example.com');
    expect(again).not.toBe(old);
    expect(directory.addressesOf(again)).toEqual(['ann@example.com']);
    expect(directory.credential(again)).toBeUndefined();
  });

  test('an account id is never given twice, not even after its removal', async () => {
    const accounts = node.accounts;
    const repeating = await Directory.open({
      accounts,
      clock: node.clock,
      random: { hex: () => 'ff', fraction: () => 0 },
      catchUp: accounts.catchUp,
    });
    expect(await repeating.addAccount('ann@example.com')).toBe('aff');
    await repeating.removeAccount('ann@example.com');
    await expect(repeating.addAccount('ann@example.com')).rejects.toThrow(/aff has been given before/);
  });

  test('a removal cut short before the log was closed is finished later', async () => {
    const id = await directory.addAccount('ann@example.com');
    const account = await node.accounts.open(id);
    const transact = account.transact.bind(account);
    account.transact = () => Promise.reject(new StorageError('unavailable', 'no store'));
    await expect(directory.removeAccount('ann@example.com')).rejects.toThrow('no store');
    expect(directory.accountByAddress('ann@example.com')).toBeUndefined();
    account.transact = transact;

    expect(await directory.finishRemovals()).toBe(1);
    expect(account.read((reader) => reader.isClosed)).toBe(true);
    expect(await directory.finishRemovals()).toBe(0);
  });

  test('removing a group takes its aliases and its places in other groups with it', async () => {
    await directory.addAccount('ann@example.com');
    await directory.addGroup('team@example.com', ['ann@example.com']);
    await directory.addGroup('all@example.com', ['team@example.com', 'ann@example.com']);
    await directory.addAlias('crew@example.com', 'team@example.com');
    await directory.removeGroup('all@example.com', ['ann@example.com']);
    await directory.removeGroup('TEAM@example.com');
    expect(directory.listGroups()).toEqual([{ address: 'all@example.com', members: [] }]);
    expect(directory.listAliases()).toEqual([]);
  });

  test('removing a domain takes its aliases and groups, and leaves other domains alone', async () => {
    await directory.addDomain('other.example');
    await directory.addAccount('ann@example.com');
    await directory.addAlias('*@other.example', 'ann@example.com');
    await directory.addGroup('team@other.example', ['ann@example.com']);
    await directory.addGroup('all@example.com', ['team@other.example', 'ann@example.com']);
    await directory.removeDomain('other.example');
    expect(directory.listAliases()).toEqual([]);
    expect(directory.listGroups()).toEqual([{ address: 'all@example.com', members: ['ann@example.com'] }]);
  });

  test('two added at once under one address: one is refused', async () => {
    const results = await Promise.allSettled([directory.addAccount('ann@example.com'), directory.addAccount('ANN@example.com')]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  describe('on two nodes', () => {
    let other: TestDirectory;
    beforeEach(async () => {
      other = await openTestDirectory(logs, node.clock);
    });

    test('a recipient added on one is known to the other when mail for it comes', async () => {
      const id = await directory.addAccount('ann@example.com');
      expect(other.directory.accountByAddress('ann@example.com')).toBeUndefined();
      expect(await other.directory.resolveRecipient('ann@example.com')).toMatchObject({ accounts: [id] });
    });

    test('a domain removed on one is gone from the other at its next refresh', async () => {
      await directory.removeDomain('example.com');
      expect(other.directory.isLocalDomain('example.com')).toBe(true);
      await other.directory.refresh();
      expect(other.directory.isLocalDomain('example.com')).toBe(false);
    });

    test('a node that opens later knows what was there', async () => {
      const id = await directory.addAccount('ann@example.com');
      await directory.addAlias('info@example.com', 'ann@example.com');
      const late = await openTestDirectory(logs);
      expect(late.directory.accountByAddress('info@example.com')?.id).toBe(id);
    });

    test('an unknown recipient is not called unknown when the store cannot be asked', async () => {
      other.accounts.failure = new StorageError('unavailable', 'no store');
      await expect(other.directory.resolveRecipient('x@example.com')).rejects.toMatchObject({ code: 'unavailable' });
      other.accounts.failure = undefined;
      expect(await other.directory.resolveRecipient('x@example.com')).toMatchObject({ kind: 'unknown' });
    });

    test('a hundred refreshes at once are two looks at the store, and the later callers wait for the second', async () => {
      const before = other.accounts.catchUps;
      const hold = Promise.withResolvers<void>();
      other.accounts.hold = hold.promise;
      const first = other.directory.refresh();
      await directory.addAccount('late@example.com');
      const later = Array.from({ length: 100 }, () => other.directory.refresh());
      hold.resolve();
      await first;
      expect(other.directory.accountByAddress('late@example.com')).toBeUndefined();
      await Promise.all(later);
      expect(other.directory.accountByAddress('late@example.com')).toBeDefined();
      expect(other.accounts.catchUps - before).toBe(2);
    });

    test('knowledge that is fresh enough is not fetched again', async () => {
      await other.directory.refresh();
      const before = other.accounts.catchUps;
      other.clock.advance(900);
      await other.directory.refresh({ maxAgeMs: 1_000 });
      expect(other.accounts.catchUps - before).toBe(0);
      other.clock.advance(200);
      await other.directory.refresh({ maxAgeMs: 1_000 });
      expect(other.accounts.catchUps - before).toBe(1);
    });
  });
});

describe('a grant to send as another', () => {
  test('goes with the account that has it and with the address that it is for', async () => {
    const { directory } = await openTestDirectory(new Map());
    await directory.addDomain('example.com');
    const ann = await directory.addAccount('ann@example.com');
    const bob = await directory.addAccount('bob@example.com');
    await directory.addAlias('info@example.com', 'bob@example.com');
    await directory.addGroup('team@example.com', ['bob@example.com']);
    const granted = ['bob@example.com', 'info@example.com', 'team@example.com'];
    for (const address of granted) await directory.grantSendAs('ann@example.com', address);
    const may = async (id: typeof ann) => Promise.all(granted.map((address) => directory.maySendAs(id, address)));
    expect(await may(ann)).toEqual([true, true, true]);
    expect(await may(bob)).toEqual([true, true, true]);
    await expect(directory.grantSendAs('ann@example.com', 'nobody@example.com')).rejects.toThrow(/no account, alias or group/);
    await directory.removeAlias('info@example.com');
    await directory.removeGroup('team@example.com');
    expect(directory.listSendAs()).toEqual([{ account: 'ann@example.com', as: 'bob@example.com' }]);
    await directory.addAlias('info@example.com', 'bob@example.com');
    expect(await may(ann)).toEqual([true, false, false]);
    await directory.revokeSendAs('ann@example.com', 'BOB@example.com');
    expect(await may(ann)).toEqual([false, false, false]);
    await expect(directory.revokeSendAs('ann@example.com', 'bob@example.com')).rejects.toThrow(/no grant/);
    await directory.grantSendAs('ann@example.com', 'bob@example.com');
    await directory.removeAccount('ann@example.com');
    expect(directory.listSendAs()).toEqual([]);
  });
});
