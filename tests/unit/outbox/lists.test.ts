/** The lists that the index keeps of submissions: who starts reads what is left to do, however much was sent before. */
import { expect, test } from 'vitest';
import type { AccountReader } from '../../../storage/account/api.ts';
import { forget, submission } from '../../../storage/outbox/outbox.ts';
import { submissionType } from '../../../storage/outbox/record.ts';
import { openProvisioned } from '../../support/open-accounts.ts';
import { ada } from '../indexer/rig.ts';
import { openOutbox, to } from './rig.ts';

const listsOf = (reader: AccountReader) => ({
  unfinished: [...reader.listed(submissionType, 'unfinished')],
  finished: [...reader.listed(submissionType, 'finished')],
});

/** One waits, two were sent, one was forgotten on its way. */
async function opened() {
  const outbox = await openOutbox();
  const account = await outbox.open();
  for (const id of ['sent1', 'sent2']) {
    await outbox.send(account, [to('zoe@elsewhere.example')], { id });
    await outbox.dispatcher.turn();
    outbox.bucket.clock.advance(1000);
  }
  const later = outbox.bucket.clock.now() + 60_000;
  await outbox.send(account, [to('zoe@elsewhere.example'), to('ben@example.com')], { id: 'later', sendAt: later });
  await outbox.send(account, [to('zoe@elsewhere.example')], { id: 'gone', sendAt: later });
  await account.transact((tx) => forget(tx, 'gone'));
  return { outbox, account };
}

test('a submission is on one list, and goes over to the other when nothing is left to do', async () => {
  const { outbox, account } = await opened();
  expect(account.read(listsOf)).toEqual({ unfinished: ['gone', 'later'], finished: ['sent1', 'sent2'] });
  outbox.bucket.clock.advance(60_000);
  await outbox.dispatcher.turn();
  expect(account.read(listsOf)).toEqual({ unfinished: [], finished: ['sent1', 'sent2', 'later'] });
  const before = account.read((reader) => submission(reader, 'sent2')!.createdAt);
  expect(account.read((reader) => [...reader.listed(submissionType, 'finished', before)])).toEqual(['sent1']);
});

test('the lists are the same after the log was read anew, and from a snapshot', async () => {
  const { outbox, account } = await opened();
  const want = account.read(listsOf);
  const fromLog = await outbox.bucket.node().accounts.open(ada);
  expect(fromLog.read(listsOf)).toEqual(want);
  const { accounts } = outbox.node;
  expect((await accounts.snapshot(await accounts.open(ada))).outcome).toBe('written');
  const fromSnapshot = await outbox.bucket.node().accounts.open(ada);
  expect(fromSnapshot.read(listsOf)).toEqual(want);
});

test('a mutation sees them as it leaves them, and one that fails leaves nothing', async () => {
  const { account } = await opened();
  const failing = account.transact((tx) => {
    tx.removeObject(submissionType, 'later');
    expect(listsOf(tx).unfinished).toEqual(['gone']);
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(account.read(listsOf).unfinished).toEqual(['gone', 'later']);
});

test('a dispatcher that takes an account in reads what is unfinished, and nothing else', async () => {
  const outbox = await openOutbox();
  const account = await openProvisioned(outbox.node, ada);
  outbox.dispatcher.attach(account);
  for (let at = 0; at < 30; at += 1) await outbox.send(account, [to('zoe@elsewhere.example')]);
  await outbox.dispatcher.turn();
  await outbox.send(account, [to('zoe@elsewhere.example')], { id: 'later', sendAt: outbox.bucket.clock.now() + 60_000 });
  const reads: string[] = [];
  const watched = new Proxy(account, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (name !== 'read') return typeof member === 'function' ? member.bind(target) : member;
      return (fn: (reader: AccountReader) => unknown) =>
        target.read((reader) =>
          fn(
            new Proxy(reader, {
              get(inner, method) {
                const found: unknown = Reflect.get(inner, method);
                if (typeof found !== 'function') return found;
                return (...args: unknown[]) => {
                  reads.push(`${String(method)} ${args.slice(0, 2).join(' ')}`);
                  return found.apply(inner, args);
                };
              },
            }),
          ),
        );
    },
  });
  const again = await openOutbox({ bucket: outbox.bucket, node: 'n2' });
  again.dispatcher.attach(watched);
  expect(again.dispatcher.pending).toBe(1);
  await again.dispatcher.turn();
  expect(reads).toEqual([`listed ${submissionType} unfinished`, `object ${submissionType} later`, `listed ${submissionType} finished`]);
});
