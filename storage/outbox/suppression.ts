/**
 * Addresses that nothing is sent to any more, because mail to them bounced for good or was complained of: objects of type `Suppression` by address, in the
 * service account's log, for the whole server. SES keeps a list of its own beside.
 */
import { MailError } from '../../protocol/mail/errors.ts';
import type { AccountReader, AccountTransactor } from '../account/api.ts';
import { canonicalAddress } from '../directory/address.ts';

export interface SuppressionRecord {
  readonly reason: 'bounce' | 'complaint' | 'manual';
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** For people: what was said. */
  readonly detail: string;
}

const suppressionType = 'Suppression';
/** Addresses that are kept; some 200 bytes each. Past it the list takes no more, and SES's own goes on. */
const suppressedMax = 200_000;

/** Local parts are compared in lower case too: SES does, and nobody is hurt by it. */
const keyOf = (address: string) => canonicalAddress(address) ?? address.toLowerCase();

export function suppression(reader: AccountReader, address: string): SuppressionRecord | undefined {
  return reader.object<SuppressionRecord>(suppressionType, keyOf(address));
}

export function* suppressions(reader: AccountReader): Iterable<SuppressionRecord & { readonly address: string }> {
  for (const { id, value } of reader.objects<SuppressionRecord>(suppressionType)) yield { address: id, ...value };
}

/** The first reason stays. */
export function suppress(tx: AccountTransactor, address: string, record: Omit<SuppressionRecord, 'at'>): boolean {
  const key = keyOf(address);
  if (tx.object(suppressionType, key) !== undefined) return false;
  tx.putObject(suppressionType, key, { ...record, at: tx.at } satisfies SuppressionRecord);
  return true;
}

/** By an administrator, who is told when the list is full. */
export function suppressByHand(tx: AccountTransactor, address: string, detail: string): boolean {
  if (canonicalAddress(address) === undefined) throw new MailError('invalidArguments', `"${address}" is not a mail address.`);
  let count = 0;
  for (const _ of suppressions(tx)) count += 1;
  if (count >= suppressedMax) throw new MailError('limit', `The list has ${suppressedMax} addresses: remove some first.`);
  return suppress(tx, address, { reason: 'manual', detail });
}

export function unsuppress(tx: AccountTransactor, address: string): boolean {
  const key = keyOf(address);
  if (tx.object(suppressionType, key) === undefined) return false;
  tx.removeObject(suppressionType, key);
  return true;
}
