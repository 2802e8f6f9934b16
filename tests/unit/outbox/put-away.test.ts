/** Mail on its way out of accounts that are not in memory all the while. */
import { expect, test } from 'vitest';
import { markKeptMs } from '../../../indexer/outbox/limits.ts';
import { accountIdleMs } from '../../../storage/account/limits.ts';
import { ada } from '../indexer/rig.ts';
import { openOutbox, to } from './rig.ts';

const hour = 60 * 60 * 1000;
const day = 24 * hour;

async function openIdling() {
  const outbox = await openOutbox();
  const { accounts } = outbox.node;
  accounts.onOpened((account) => outbox.dispatcher.attach(account));
  const idle = () => {
    outbox.bucket.clock.advance(accountIdleMs + 1);
    accounts.putAwayIdle();
  };
  return { ...outbox, accounts, idle, isInMemory: () => accounts.openAccounts().some(({ id }) => id === ada) };
}

test('an account that was put away is opened again when something of it is due', async () => {
  const outbox = await openIdling();
  const account = await outbox.open();
  await outbox.send(account, [to('zoe@elsewhere.example')], { sendAt: outbox.bucket.clock.now() + hour });
  await outbox.dispatcher.turn();
  outbox.idle();
  expect(outbox.isInMemory()).toBe(false);
  expect(outbox.dispatcher.pending).toBe(1);
  await outbox.dispatcher.turn();
  expect(outbox.isInMemory()).toBe(false);
  outbox.bucket.clock.advance(hour);
  await outbox.dispatcher.turn();
  expect(outbox.relay.sent).toHaveLength(1);
  expect(outbox.dispatcher.pending).toBe(0);
});

test('a mark that says nothing new does not bring it back; one that was written since does', async () => {
  const outbox = await openIdling();
  const account = await outbox.open();
  await outbox.send(account, [to('zoe@elsewhere.example')], { sendAt: outbox.bucket.clock.now() + hour });
  await outbox.dispatcher.turn();
  outbox.bucket.clock.advance(markKeptMs);
  outbox.idle();
  await outbox.dispatcher.look();
  expect(outbox.isInMemory()).toBe(false);
  outbox.bucket.clock.advance(1000);
  await outbox.dispatcher.announce(ada);
  await outbox.dispatcher.look();
  expect(outbox.isInMemory()).toBe(true);
});

test('an account that cannot be opened then is tried again', async () => {
  const outbox = await openIdling();
  const account = await outbox.open();
  await outbox.send(account, [to('zoe@elsewhere.example')], { sendAt: outbox.bucket.clock.now() + hour });
  outbox.idle();
  outbox.bucket.clock.advance(hour);
  const { open } = outbox.ports.accounts;
  outbox.ports.accounts.open = () => Promise.reject(new Error('away'));
  await outbox.dispatcher.turn();
  expect(outbox.events).toMatchObject([{ kind: 'faulted', account: ada }]);
  expect(outbox.dispatcher.pending).toBe(1);
  outbox.ports.accounts.open = open;
  outbox.bucket.clock.advance(hour);
  await outbox.dispatcher.turn();
  expect(outbox.relay.sent).toHaveLength(1);
});

test('an account stays in memory while a copy of it is being handed over', async () => {
  const outbox = await openIdling();
  const account = await outbox.open();
  const { promise, resolve } = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  outbox.relay.answer = async () => {
    asked.resolve();
    await promise;
    return { kind: 'relayed', smtpReply: '250 Ok' };
  };
  const id = await outbox.send(account, [to('zoe@elsewhere.example')]);
  const turn = outbox.dispatcher.turn();
  await asked.promise;
  outbox.idle();
  expect(outbox.isInMemory()).toBe(true);
  resolve();
  await turn;
  outbox.idle();
  expect(outbox.isInMemory()).toBe(false);
  expect(outbox.record(account, id)!.recipients[0]!.state).toBe('relayed');
  expect(outbox.relay.sent).toHaveLength(1);
});

test('what is enqueued through an account that was put away leaves', async () => {
  const outbox = await openIdling();
  const account = await outbox.open();
  outbox.idle();
  await outbox.send(account, [to('zoe@elsewhere.example')]);
  await outbox.dispatcher.turn();
  expect(outbox.relay.sent).toHaveLength(1);
});

test('what is settled for long goes when its account is opened', async () => {
  const outbox = await openIdling();
  const account = await outbox.open();
  const id = await outbox.send(account, [to('zoe@elsewhere.example')]);
  await outbox.dispatcher.turn();
  outbox.idle();
  outbox.bucket.clock.advance(31 * day);
  await outbox.accounts.open(ada);
  await outbox.dispatcher.turn();
  expect(outbox.record(account, id)).toBeUndefined();
});
