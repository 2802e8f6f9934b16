/** Whom a message did not reach, and why: what is said of it where it is held. */
import type { AccountId } from '../protocol/mail/ids.ts';
import type { DeliveryResult } from './delivery.ts';
import type { Held, HeldRecord } from './held-mail.ts';

type Targets = ReadonlyMap<AccountId, string>;
type Results = ReadonlyMap<AccountId, DeliveryResult>;

/** Addresses of accounts that did not take it. SES has accepted it, so that nobody is there to try again for those that are full. */
export function addressesMissed(targets: Targets, results: Results): string[] {
  return [...targets].filter(([account]) => /^(?:refused|full)$/.test(results.get(account)?.kind ?? '')).map(([, address]) => address);
}

/** Of several reasons the one that the administrator can do least about. */
export function whyMissed(
  results: Results,
  unknown: readonly string[],
  byRule: readonly { readonly detail: string }[],
): Pick<HeldRecord, 'reason' | 'detail'> {
  const reasonOf = (kind: 'refused' | 'full') => {
    const result = [...results.values()].find((one) => one.kind === kind);
    return result?.kind === 'refused' || result?.kind === 'full' ? result.reason : undefined;
  };
  const [refused, full] = [reasonOf('refused'), reasonOf('full')];
  const nobody = unknown.length > 0 ? `There is nobody here with the address ${unknown.join(', ')}.` : undefined;
  const reason =
    nobody !== undefined ? 'unknownRecipient' : refused !== undefined ? 'accountRefused' : full !== undefined ? 'accountFull' : 'rule';
  return { reason, detail: refused ?? nobody ?? full ?? byRule[0]!.detail };
}

/** Accounts without room that were reached by an address that others share: a second try would bring the others theirs twice. */
export function fullInGroups(targets: Targets, results: Results): [AccountId, Held][] {
  return [...targets].flatMap(([account, address]): [AccountId, Held][] => {
    const result = results.get(account);
    const isShared = [...targets].some(([other, theirs]) => other !== account && theirs === address);
    if (result?.kind !== 'full' || !isShared) return [];
    return [[account, { kind: 'failed', reason: 'accountFull', detail: `${result.reason} (${account})`, recipients: [address] }]];
  });
}
