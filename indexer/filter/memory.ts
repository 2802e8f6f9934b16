/** What filing remembers, in the account's log, in the commit of the message: ids for `duplicate`, senders that had their vacation answer. */
import { hash } from 'node:crypto';
import type { AccountReader, AccountTransactor } from '../../storage/account/api.ts';
import { memoriesMax } from './limits.ts';

const memoryType = 'SieveMemory';

interface Memory {
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** Names may be long, and say who wrote: the hash says neither. */
const idOf = (name: string) => hash('sha256', name, 'hex').slice(0, 40);

export function isRemembered(reader: AccountReader, name: string, now: number): boolean {
  return (reader.object<Memory>(memoryType, idOf(name))?.until ?? 0) > now;
}

/** Keeps a name for so many seconds. Where too many are kept, those that would end first go. */
export function remember(tx: AccountTransactor, name: string, seconds: number): void {
  const id = idOf(name);
  const all = Array.from(tx.objects<Memory>(memoryType), (each) => ({ id: each.id, until: each.value.until })).sort(
    (a, b) => a.until - b.until,
  );
  let left = all.length;
  for (const each of all) {
    if (each.id === id || (each.until > tx.at && left < memoriesMax)) continue;
    tx.removeObject(memoryType, each.id);
    left--;
  }
  tx.putObject(memoryType, id, { until: tx.at + seconds * 1000 } satisfies Memory);
}
