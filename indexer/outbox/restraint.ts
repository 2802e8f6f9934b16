/** What keeps a copy from the relay: addresses that nothing is sent to any more, and senders whose mail came back too often. */
import type { Account } from '../../storage/account/api.ts';
import type { Clock } from '../../storage/clock.ts';
import { parseAddress } from '../../storage/directory/address.ts';
import { ofDomain, type SendingHistory, sendingHistory } from '../../storage/outbox/history.ts';
import { suppression } from '../../storage/outbox/suppression.ts';
import { domainSlowedPauseMs, slowedPauseMs, stoppedLookMs } from './limits.ts';
import type { Outcome } from './settle.ts';

export class Restraint {
  readonly #service: Account;
  readonly #clock: Clock;
  /** When a slowed account or domain may send next: as many as there are of them. */
  readonly #nextAt = new Map<string, number>();

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
    return this.#of(account.read(sendingHistory), account.id, slowedPauseMs, 'Sending');
  }

  /** The same for the domain of the address that a message is from. */
  ofSender(address: string): Outcome | undefined {
    const domain = parseAddress(address)?.domain;
    if (domain === undefined) return undefined;
    const history = this.#service.read((reader) => sendingHistory(reader, ofDomain(domain)));
    return this.#of(history, domain, domainSlowedPauseMs, `Sending from ${domain}`);
  }

  #of({ containment }: SendingHistory, who: string, pauseMs: number, what: string): Outcome | undefined {
    if (containment?.step === 'stopped') return { kind: 'deferred', smtpReply: `451 4.7.1 ${what} is suspended`, afterMs: stoppedLookMs };
    if (containment?.step !== 'slowed') return undefined;
    const now = this.#clock.now();
    const nextAt = Math.max(now, this.#nextAt.get(who) ?? 0);
    if (nextAt > now) return { kind: 'deferred', smtpReply: `451 4.7.1 ${what} is slowed down`, afterMs: nextAt - now };
    this.#nextAt.set(who, now + pauseMs);
    return undefined;
  }
}
