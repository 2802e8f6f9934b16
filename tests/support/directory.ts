/** A directory on accounts in memory. Several on the same logs are several nodes. */
import { randomBytes } from 'node:crypto';
import type { Account } from '../../storage/account/api.ts';
import { Directory } from '../../storage/directory/directory.ts';
import { FakeAccounts, type FakeLogs } from './fake-account.ts';
import { ManualClock } from './manual-clock.ts';

export interface TestDirectory {
  readonly directory: Directory;
  readonly accounts: FakeAccounts;
  readonly clock: ManualClock;
}

export async function openTestDirectory(logs: FakeLogs = new Map(), clock = new ManualClock()): Promise<TestDirectory> {
  const accounts = new FakeAccounts(logs);
  const random = { hex: (count: number) => randomBytes(count).toString('hex'), fraction: () => 0.5 };
  const catchUp = (account: Account) => accounts.catchUp(account);
  return { directory: await Directory.open({ accounts, clock, random, catchUp }), accounts, clock };
}
