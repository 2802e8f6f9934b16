/** What keeps a copy from the relay: addresses that nothing is sent to any more, and senders whose mail came back too often. */
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Account } from '../../storage/account/api.ts';
import type { Clock } from '../../storage/clock.ts';
import { sendingHistory } from '../../storage/outbox/history.ts';
import { suppression } from '../../storage/outbox/suppression.ts';
import { slowedPauseMs, stoppedLookMs } from './limits.ts';
import type { Outcome } from './settle.ts';

export class Restraint {
  readonly #service: Account;
  readonly #clock: Clock;
  /** When a slowed account may send next. */
  readonly #nextAt = new Map<AccountId, number>();

  /** `service`: the account `outbox`, which keeps the list. */
  constructor(service: Account, clock: Clock) {
    this.#service = service;
    this.#clock = clock;
  }

  ofAddress(address: string): Outcome | undefined {
    const found = this.#service.read((reader) => suppression(reader, address));
    if (found === undefined) return undefined;
    const since = new Date(found.at).toISOString().slice(0, 10);
    return {
      kind: 'failed',
      smtpReply: `550 5.7.1 Not sent: this address is suppressed since ${since} (${found.reason}: ${found.detail})`,
    };
  }

  /** Asked once a message. */
  ofAccount(account: Account): Outcome | undefined {
    const { containment } = account.read(sendingHistory);
    if (containment?.step === 'stopped') return { kind: 'deferred', smtpReply: '451 4.7.1 Sending is suspended', afterMs: stoppedLookMs };
    if (containment?.step !== 'slowed') return undefined;
    const now = this.#clock.now();
    const nextAt = Math.max(now, this.#nextAt.get(account.id) ?? 0);
    if (nextAt > now) return { kind: 'deferred', smtpReply: '451 4.7.1 Sending is slowed down', afterMs: nextAt - now };
    this.#nextAt.set(account.id, now + slowedPauseMs);
    return undefined;
  }
}
