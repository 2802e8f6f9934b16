import { describe, expect, test } from 'vitest';
import type { AdminServices } from '../../../server/admin/services.ts';
import { verbs } from '../../../server/admin/verbs.ts';
import { Directory } from '../../../storage/directory/directory.ts';
import { countingRandom, deliver, openProvisioned, openTestBucket, rawMessage } from '../../support/open-accounts.ts';

async function openServices() {
  const bucket = openTestBucket();
  const node = bucket.node();
  const { accounts } = node;
  const directory = await Directory.open({ accounts, clock: bucket.clock, random: countingRandom(), catchUp: accounts.catchUp });
  await directory.addDomain('example.com');
  const id = await directory.addAccount('ada@example.com');
  const services = { directory, mail: { accounts, hooks: ['scan'], messageFlowUrl: 'http://h/message-flow' } } as unknown as AdminServices;
  const run = async (name: string, parameters: Record<string, unknown> = {}) => {
    const verb = verbs.find((row) => row.name === name)!;
    const result = await verb.run(services, parameters);
    return { result, text: verb.print(result) };
  };
  return { run, directory, account: await openProvisioned(node, id) };
}

describe('the verb rule', () => {
  test('adds, lists, shows, moves and removes', async () => {
    const { run } = await openServices();
    await run('rule add', { name: 'one', clauses: ['sender=*.example.org', 'bounce=Not here'] });
    await run('rule add', { name: 'two', clauses: ['drop'], direction: 'outbound' });
    await run('rule add', { name: 'three', clauses: ['!recipient=ada@example.com', 'junk'] });
    const names = async () => ((await run('rule list')).result as { rules: { name: string }[] }).rules.map(({ name }) => name);
    expect(await names()).toEqual(['one', 'two', 'three']);
    await run('rule move', { name: 'three', position: '1' });
    expect(await names()).toEqual(['three', 'one', 'two']);
    expect((await run('rule list')).text.split('\n')[2]).toBe('2  one    inbound    sender=*.example.org "bounce=Not here"');
    expect((await run('rule show', { name: 'one' })).text).toMatch(
      /^one \(r[0-9a-f]+, inbound\)\n {2}sender=\*\.example\.org\n {2}bounce=Not here$/,
    );
    await run('rule remove', { name: 'one' });
    expect(await names()).toEqual(['three', 'two']);
  });

  test.each([
    [{ name: 'a', clauses: ['sander=x', 'drop'] }, /neither a condition nor an action/],
    [{ name: 'a', clauses: ['hook=nowhere'] }, /no hook nowhere in the configuration/],
    [{ name: 'taken', clauses: ['drop'] }, /a rule taken already/],
    [{ name: 'a\nb', clauses: ['drop'] }, /control character/],
  ])('refuses with a sentence: %j', async (parameters, sentence) => {
    const { run } = await openServices();
    await run('rule add', { name: 'taken', clauses: ['hook=scan'] });
    await expect(run('rule add', parameters)).rejects.toThrow(sentence);
    await expect(run('rule remove', { name: 'nobody' })).rejects.toThrow(/no rule nobody/);
  });

  test('tries rules on stored messages, changes nothing, and asks no hook', async () => {
    const { run, account } = await openServices();
    const inbox = account.read((reader) => reader.mailboxByRole('inbox')!.id);
    await deliver(account, inbox, rawMessage({ Subject: 'Boats' }));
    await deliver(account, inbox, rawMessage({ Subject: 'Offers' }), {
      delivery: { source: 'ses', spam: 'GRAY', envelopeFrom: 'x@offers.example' },
    });
    await run('rule add', {
      name: 'offers',
      clauses: ['sender=offers.example', 'verdict:spam=GRAY', 'move=Offers', 'hook=scan', 'journal=j@a.example'],
    });
    await run('rule add', { name: 'boats', clauses: ['header:subject=boat', 'redirect=out@side.example'] });
    const before = account.read((reader) => reader.modSeq);
    expect((await run('rule test', { address: 'ada@example.com' })).result).toEqual({
      looked: 2,
      met: [
        {
          id: 'e2',
          subject: 'Offers',
          rules: ['offers'],
          becomes: ['put into Offers', 'journaled to j@a.example', 'hook scan would be asked'],
        },
        { id: 'e1', subject: 'Boats', rules: ['boats'], becomes: ['not delivered', 'sent to out@side.example'] },
      ],
    });
    expect((await run('rule test', { address: 'ada@example.com', rule: 'boats', limit: '1' })).text).toBe('0 of 1 messages');
    expect(account.read((reader) => reader.modSeq)).toBe(before);
    await expect(run('rule test', { address: 'nobody@example.com' })).rejects.toThrow(/no account/);
  });
});

test('the verb hook-key tells a secret once, and forgets keys', async () => {
  const { run, directory } = await openServices();
  const { result, text } = await run('hook-key add', { name: 'functions' });
  const { accessKeyId, secretAccessKey } = result as { accessKeyId: string; secretAccessKey: string };
  expect(directory.flowSecret(accessKeyId)).toBe(secretAccessKey);
  expect(text).toContain(`AWS_ENDPOINT_URL_WORKMAILMESSAGEFLOW=http://h/message-flow/key/${accessKeyId}.`);
  const { text: list } = await run('hook-key list');
  expect(list).toBe(`${accessKeyId} functions`);
  await expect(run('hook-key add', { name: 'functions' })).rejects.toThrow(`There is a key functions already, ${accessKeyId}`);
  expect((await run('hook-key list')).text).toBe(list);
  await run('hook-key remove', { accessKeyId });
  expect(directory.flowSecret(accessKeyId)).toBeUndefined();
  await expect(run('hook-key remove', { accessKeyId })).rejects.toThrow(/no key/);
});

test('the verb group says who may write', async () => {
  const { run } = await openServices();
  await run('group add', { address: 'team@example.com', members: ['ada@example.com', 'x@far.example'], senders: 'members' });
  expect((await run('group list')).text).toBe('team@example.com: ada@example.com x@far.example (senders: members)');
  await run('group add', { address: 'team@example.com', senders: 'music.example,Ada@example.com' });
  expect((await run('group list')).text).toContain('(senders: music.example,ada@example.com)');
  await run('group add', { address: 'team@example.com', senders: 'anyone' });
  expect((await run('group list')).text).toBe('team@example.com: ada@example.com x@far.example');
  await expect(run('group add', { address: 'team@example.com', senders: 'a b' })).rejects.toThrow(/neither an address nor a domain/);
});
