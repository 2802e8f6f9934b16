/** What files each account's mail by its script: its ports, and what it tells. */
import { hostname } from 'node:os';
import { type FilingEvent, Filter } from '../indexer/filter/filing.ts';
import type { Clock } from '../storage/clock.ts';
import type { Directory } from '../storage/directory/directory.ts';
import type { Random } from '../storage/random.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

export interface FilterOptions {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly version: string;
}

export function openFilter({ directory, clock, random, metrics, logger, version }: FilterOptions): Filter {
  const filter = new Filter({
    clock,
    random,
    hostName: hostname(),
    version,
    owner: (account) => ({ addresses: directory.addressesOf(account), name: directory.accountById(account)?.name ?? '' }),
    isLocal: (address) => directory.isLocalDomain(address),
    observe: (event) => tell(event, logger, metrics),
  });
  metrics.gauge('satchel_sieve_scripts', 'Versions of scripts that are kept compiled.', () => filter.compiled.size);
  return filter;
}

function tell({ kind, ...fields }: FilingEvent, logger: Logger, metrics: Metrics): void {
  metrics.count('satchel_sieve_runs_total', 'Messages that were filed by scripts and vacation responses.', { kind });
  if (kind === 'filed') logger.info('Filed.', fields);
  else logger.warn('A script failed; its message is kept where it would be without one.', fields);
}
