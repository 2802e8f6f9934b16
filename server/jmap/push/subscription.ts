/** Push subscriptions as the account's log keeps them: objects of type `PushSubscription` in the account of who made them. */
import type { AccountReader } from '../../../storage/account/api.ts';
import type { Proof } from '../../auth/proof.ts';
import type { PushTarget } from './sender.ts';

export const subscriptionType = 'PushSubscription';

export interface PushSubscriptionRecord extends PushTarget {
  readonly deviceClientId: string;
  /** What was sent to the url, for the client to say it back. */
  readonly code: string;
  readonly isVerified: boolean;
  /** Milliseconds since the epoch. */
  readonly expires: number;
  /** null: all. */
  readonly types: readonly string[] | null;
  /** The password of who made it, with which it ends. Absent where that was a token: those end much sooner than what they stand for. */
  readonly proof?: Proof;
}

export interface KeptSubscription {
  readonly id: string;
  readonly value: PushSubscriptionRecord;
}

/** Those whose time is not over. */
export function* liveSubscriptions(reader: AccountReader, now: number): Generator<KeptSubscription> {
  for (const { id, value } of reader.objects<PushSubscriptionRecord>(subscriptionType)) if (value.expires > now) yield { id, value };
}

export function liveSubscription(reader: AccountReader, id: string, now: number): PushSubscriptionRecord | undefined {
  const value = reader.object<PushSubscriptionRecord>(subscriptionType, id);
  return value !== undefined && value.expires > now ? value : undefined;
}
