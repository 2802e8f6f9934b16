/** INPROGRESS (RFC 9585): who waits for a slow store hears that the command is under way; who idles does not. */
import { expect, it } from 'vitest';
import { systemClock } from '../../../server/clock.ts';
import { MemoryStore } from '../../../storage/objects/memory.ts';
import { password, startImapApp, user } from '../../support/imap/app.ts';

/** A store whose writes wait for the gate. */
class GatedStore extends MemoryStore {
  gate: Promise<void> = Promise.resolve();

  override async put(...args: Parameters<MemoryStore['put']>): ReturnType<MemoryStore['put']> {
    await this.gate;
    return super.put(...args);
  }

  override async putIfAbsent(...args: Parameters<MemoryStore['putIfAbsent']>): ReturnType<MemoryStore['putIfAbsent']> {
    await this.gate;
    return super.putIfAbsent(...args);
  }
}

it('a command that waits for the store is told to be under way, again and again, until it is answered', async () => {
  const store = new GatedStore({ clock: systemClock });
  await using app = await startImapApp({ store, progressMs: 5 });
  const client = await app.connect();
  await client.command(`LOGIN ${user} "${password}"`);
  for (const command of ['APPEND INBOX {4+}\r\na: b', 'CREATE Work']) {
    const { promise, resolve } = Promise.withResolvers<void>();
    store.gate = promise;
    client.write(`t ${command}\r\n`);
    for (let heard = 0; heard < 3; heard += 1) expect(await client.line()).toBe('* OK [INPROGRESS ("t" NIL NIL)] Still at work.');
    store.gate = Promise.resolve();
    resolve();
    expect((await client.until('t')).at(-1)).toMatch(/^t OK /);
  }
  client.close();
});

it('IDLE is not under way', async () => {
  await using app = await startImapApp({ progressMs: 1 });
  const [idler, other] = await Promise.all([app.connect(), app.connect()]);
  for (const client of [idler, other]) await client.command(`LOGIN ${user} "${password}"`);
  await idler.command('SELECT INBOX');
  await idler.command('IDLE', 'i');
  for (let round = 1; round <= 20; round += 1) {
    await other.command('APPEND INBOX {4+}\r\na: b');
    expect(await idler.line()).toBe(`* ${round} EXISTS`);
    expect(await idler.line()).toBe(`* ${round} RECENT`);
  }
  idler.write('DONE\r\n');
  expect(await idler.line()).toMatch(/^i OK /);
  for (const client of [idler, other]) client.close();
});
