/**
 * How much an account may hold, and how much it holds: one rule for all who add messages, and for the faces that tell of it. A message counts in each
 * mailbox that it is in, as IMAP's sizes do. What adds is refused with 'overQuota'; moving and removing never are.
 */
import { MailError } from './errors.ts';

/** null: no limit. */
export interface QuotaLimits {
  readonly octets: number | null;
  readonly messages: number | null;
}

export interface QuotaUsage {
  readonly octets: number;
  readonly messages: number;
}

export interface Quota {
  readonly limits: QuotaLimits;
  readonly usage: QuotaUsage;
}

export const noLimits: QuotaLimits = { octets: null, messages: null };

/** What is said of one account. Absent: as of every account; null: no limit. */
export type OwnLimits = Partial<QuotaLimits>;

export function limitsWith(defaults: QuotaLimits, own: OwnLimits | undefined): QuotaLimits {
  if (own === undefined) return defaults;
  const { octets = defaults.octets, messages = defaults.messages } = own;
  return octets === null && messages === null ? noLimits : { octets, messages };
}

export function usageOf(mailboxes: readonly { readonly size: number; readonly total: number }[]): QuotaUsage {
  return mailboxes.reduce(({ octets, messages }, { size, total }) => ({ octets: octets + size, messages: messages + total }), {
    octets: 0,
    messages: 0,
  });
}

/** Throws MailError 'overQuota' where this much more would not fit. */
export function mustFit({ limits, usage }: Quota, added: QuotaUsage): void {
  if (limits.octets !== null && usage.octets + added.octets > limits.octets)
    throw new MailError('overQuota', `The account is full: it may hold ${limits.octets} octets.`);
  if (limits.messages !== null && usage.messages + added.messages > limits.messages)
    throw new MailError('overQuota', `The account is full: it may hold ${limits.messages} messages.`);
}
