/** Web push: the key, kept in the directory, and who pushes what comes true in the accounts that are open here. */
import type { AccountId } from '../protocol/mail/ids.ts';
import type { LogAccounts } from '../storage/account/log-accounts.ts';
import type { Clock } from '../storage/clock.ts';
import { keptVapidKey } from '../storage/directory/vapid-key.ts';
import { directoryAccountId } from '../storage/objects/object-keys.ts';
import type { ProofDirectory } from './auth/proof.ts';
import type { Config } from './config.ts';
import { Pusher } from './jmap/push/pusher.ts';
import { createPushSender, freshVapidKey } from './jmap/push/sender.ts';
import type { Logger } from './logger.ts';

export interface PushOptions {
  readonly config: Config;
  readonly accounts: LogAccounts;
  readonly directory: ProofDirectory;
  readonly clock: Clock;
  readonly logger: Logger;
}

export async function openPush({ config, accounts, directory, clock, logger }: PushOptions): Promise<Pusher> {
  const key = await keptVapidKey(await accounts.open(directoryAccountId as AccountId), freshVapidKey);
  const contact = `mailto:postmaster@${config.defaultDomain}`;
  const sender = createPushSender({ key, contact, allowsPrivate: config.push.allowPrivateAddresses });
  const pusher = new Pusher({ sender, directory, clock, logger: logger.child({ face: 'push' }), open: (id) => accounts.open(id) });
  accounts.onOpened((account) => pusher.attach(account));
  return pusher;
}
