/** Principals follow the directory (RFC 9670 §2.2, §2.5): what is new, renamed and gone, of those that one may know. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import { principalsCapability } from '../../../server/jmap/method.ts';
import { core, type JmapApp, startJmapApp } from '../../support/jmap/app.ts';

const accountId = 'account1';
let app: JmapApp;
beforeAll(async () => {
  app = await startJmapApp();
});
afterAll(() => app[Symbol.asyncDispose]());

async function ask(name: string, args: object): Promise<Record<string, unknown>> {
  const { methodResponses } = await app.call([[name, { accountId, ...args }, 'c']], { using: [core, principalsCapability] });
  expect(methodResponses[0]![0]).toBe(name);
  return methodResponses[0]![1];
}

const stateOf = async () => (await ask('Principal/get', { ids: [] }))['state'] as string;

describe('Principal/changes', () => {
  it('tells of accounts and groups that come and go', async () => {
    const sinceState = await stateOf();
    const added = await app.directory.addAccount('new@example.com', { name: 'New' });
    await app.directory.addGroup('some@example.com', ['new@example.com']);
    expect(await ask('Principal/changes', { sinceState })).toMatchObject({
      oldState: sinceState,
      newState: await stateOf(),
      created: [added, expect.stringMatching(/^g/)],
      updated: [],
      destroyed: [],
      hasMoreChanges: false,
    });
    const later = await stateOf();
    await app.directory.removeAccount('new@example.com');
    // The removal takes it out of the group, which is empty then.
    const { destroyed, created } = await ask('Principal/changes', { sinceState: later });
    expect(created).toEqual([]);
    expect(destroyed).toContain(added);
    const { removed, added: shown } = await ask('Principal/queryChanges', { sinceQueryState: later });
    expect(removed).toContain(added);
    expect(shown).not.toContainEqual(expect.objectContaining({ id: added }));
    // What came and went in between never was.
    const { created: between, destroyed: gone } = await ask('Principal/changes', { sinceState });
    expect([between, gone]).toEqual([expect.not.arrayContaining([added]), expect.not.arrayContaining([added])]);
  });

  it('tells nothing of domains that one has no address in', async () => {
    const sinceState = await stateOf();
    await app.directory.addAccount('secret@elsewhere.example');
    await app.directory.addGroup('secrets@elsewhere.example', ['secret@elsewhere.example']);
    await app.directory.removeAccount('secret@elsewhere.example');
    expect(await ask('Principal/changes', { sinceState })).toMatchObject({ created: [], updated: [], destroyed: [] });
    expect(await ask('Principal/queryChanges', { sinceQueryState: sinceState })).toMatchObject({ removed: [], added: [] });
  });

  it('tells of those of other domains when they share something, and no more when they do not', async () => {
    const sinceState = await stateOf();
    const stranger = await app.directory.addAccount('friend@elsewhere.example', { name: 'Friend' });
    expect(await ask('Principal/get', { ids: [stranger] })).toMatchObject({ list: [], notFound: [stranger] });
    await app.directory.noteShares([accountId as AccountId], stranger);
    expect(await ask('Principal/changes', { sinceState })).toMatchObject({ created: [stranger], updated: [], destroyed: [] });
    expect(await ask('Principal/get', { ids: [stranger] })).toMatchObject({ list: [{ name: 'Friend', accounts: null }] });
    const later = await stateOf();
    await app.directory.noteShares([accountId as AccountId], 'account2' as AccountId);
    // A neighbour was known before.
    expect(await ask('Principal/changes', { sinceState: later })).toMatchObject({ created: [], updated: ['account2'] });
    await app.directory.removeAccount('friend@elsewhere.example');
    expect(await ask('Principal/changes', { sinceState: later })).toMatchObject({ created: [], destroyed: [stranger] });
  });

  it('tells of those of other domains whom one shares with by their address', async () => {
    const sinceState = await stateOf();
    const friend = await app.directory.addAccount('named@elsewhere.example', { name: 'Named' });
    expect(await ask('Principal/get', { ids: [friend] })).toMatchObject({ list: [], notFound: [friend] });
    await app.directory.noteShares([friend], accountId as AccountId);
    expect(await ask('Principal/changes', { sinceState })).toMatchObject({ created: [friend], updated: [], destroyed: [] });
    expect(await ask('Principal/get', { ids: [friend] })).toMatchObject({ list: [{ name: 'Named', email: 'named@elsewhere.example' }] });
    const later = await stateOf();
    await app.directory.removeAccount('named@elsewhere.example');
    expect(await ask('Principal/changes', { sinceState: later })).toMatchObject({ created: [], destroyed: [friend] });
  });

  it('gives them in portions', async () => {
    let sinceState = await stateOf();
    const wanted = [await app.directory.addAccount('a@example.com'), await app.directory.addAccount('b@example.com')];
    const told: string[] = [];
    for (let hasMoreChanges = true; hasMoreChanges; ) {
      const changes = await ask('Principal/changes', { sinceState, maxChanges: 1 });
      expect((changes['created'] as string[]).length).toBeLessThanOrEqual(1);
      told.push(...(changes['created'] as string[]));
      sinceState = changes['newState'] as string;
      hasMoreChanges = changes['hasMoreChanges'] as boolean;
    }
    expect(told).toEqual(wanted);
  });
});
