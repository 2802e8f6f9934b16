/** Web pushes from accounts that are not in memory all the while. */
import { expect, test } from 'vitest';
import type { ProofDirectory } from '../../../server/auth/proof.ts';
import { Pusher } from '../../../server/jmap/push/pusher.ts';
import type { PushAnswer, PushSender } from '../../../server/jmap/push/sender.ts';
import { type PushSubscriptionRecord, subscriptionType } from '../../../server/jmap/push/subscription.ts';
import { silentLogger } from '../../../server/logger.ts';
import type { Account } from '../../../storage/account/api.ts';
import { deliver, openProvisioned, openTestBucket, rawMessage, testAccount } from '../../support/open-accounts.ts';

/** A directory of accounts whose subscriptions name no password. */
const everybody: ProofDirectory = {
  accountById: (id) => ({ id, address: 'me@example.com', name: '', createdAt: 0 }),
  credential: () => undefined,
};

async function openSubscribed() {
  const bucket = openTestBucket();
  const node = bucket.node();
  const heard: object[] = [];
  let answer: Promise<PushAnswer> = Promise.resolve({ kind: 'taken' });
  const sender: PushSender = {
    publicKey: '',
    fault: () => undefined,
    send(_, message) {
      heard.push(message);
      return answer;
    },
  };
  const pusher = new Pusher({
    sender,
    directory: everybody,
    clock: bucket.clock,
    logger: silentLogger,
    open: (id) => node.accounts.open(id),
  });
  node.accounts.onOpened((opened) => pusher.attach(opened));
  const account = await openProvisioned(node);
  const value: PushSubscriptionRecord = {
    deviceClientId: 'device',
    url: 'https://push.example.com/1',
    keys: null,
    code: 'code',
    isVerified: true,
    expires: bucket.clock.now() + 24 * 60 * 60 * 1000,
    types: ['Email'],
  };
  await account.transact((tx) => tx.putObject(subscriptionType, 's1', value));
  return {
    node,
    account,
    heard,
    answerWith: (next: Promise<PushAnswer>) => (answer = next),
    idle() {
      bucket.clock.advance(1);
      node.accounts.putAwayIdle(0);
    },
    isInMemory: () => node.accounts.openAccounts().length > 0,
  };
}

const receive = (account: Account) =>
  deliver(
    account,
    account.read((reader) => reader.mailboxByPath(['INBOX'])!.id),
    rawMessage({ Subject: 'New' }),
  );
const emailIn = (account: Account) => ({
  '@type': 'StateChange',
  changed: { [testAccount]: { Email: account.read(({ modSeq }) => `${modSeq}`) } },
});

test('a message for an account that was put away is pushed', async () => {
  const { node, account, heard, idle, isInMemory } = await openSubscribed();
  idle();
  expect(isInMemory()).toBe(false);
  await receive(await node.accounts.open(testAccount));
  await expect.poll(() => heard).toEqual([emailIn(account)]);
  idle();
  expect(isInMemory()).toBe(false);
  await receive(account);
  await expect.poll(() => heard).toHaveLength(2);
});

test('an account stays in memory while a push is under way', async () => {
  const { account, heard, answerWith, idle, isInMemory } = await openSubscribed();
  const { promise, resolve } = Promise.withResolvers<PushAnswer>();
  answerWith(promise);
  await receive(account);
  await expect.poll(() => heard).toHaveLength(1);
  idle();
  expect(isInMemory()).toBe(true);
  resolve({ kind: 'taken' });
  const isStillInMemory = () => {
    idle();
    return isInMemory();
  };
  await expect.poll(isStillInMemory).toBe(false);
});
