/** Sharing between accounts: who changes rights, by whatever face, has those told whose rights they are. */
import type { Accounts } from '../storage/account/api.ts';
import type { Directory } from '../storage/directory/directory.ts';
import type { Random } from '../storage/random.ts';
import { ShareNotifier } from '../storage/sharing/share-notifier.ts';
import { Shares } from '../storage/sharing/shares.ts';
import type { Logger } from './logger.ts';

export interface SharesOptions {
  readonly accounts: Accounts;
  readonly directory: Directory;
  readonly defaultDomain: string;
  readonly random: Random;
  readonly logger: Logger;
}

export function openShares({ accounts, directory, defaultDomain, random, logger }: SharesOptions): Shares {
  const notifier = new ShareNotifier({
    ...{ accounts, directory, random },
    onFailure: (sharee, error) => logger.warn('An account could not be told that its rights on a mailbox changed.', { sharee, error }),
  });
  const shares = new Shares({
    ...{ accounts, directory, defaultDomain },
    onFailure: (owner, error) => logger.error('An account that shares mailboxes cannot be opened: they are left out.', { owner, error }),
  });
  shares.onRightsChanged = (change) => notifier.tell(change);
  return shares;
}
