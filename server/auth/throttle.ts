/**
 * Slows down guessing: failures are counted per client address and per login, and drain with time. A failed login is answered later the more have
 * failed; past the limits logins are refused unheard. So that nobody is locked out by others, a login's limit does not bind addresses that have
 * logged in to it before, and a wrong password that is sent again (a phone with the old one) counts once.
 */
import { MailError } from '../../protocol/mail/errors.ts';
import type { Clock } from '../../storage/clock.ts';
import {
  addressFailuresMax,
  failureDelayMs,
  failureDelayMsMax,
  failureForgottenMs,
  failuresUndelayed,
  loginFailuresMax,
  loopbackDelayMsMax,
  trackedMax,
  wrongPasswordsMax,
} from './limits.ts';
import { addressKey, isLoopback } from './remote-address.ts';

/** Failures of one key: `count` as of `at`, one fewer with every failureForgottenMs since. */
interface Tally {
  readonly count: number;
  readonly at: number;
}

export class LoginThrottle {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #addresses = new Map<string, Tally>();
  readonly #logins = new Map<string, Tally>();
  /** Pairs of login and address that succeeded. */
  readonly #known = new Map<string, true>();
  /** By login: fingerprints of wrong passwords, each with the credential that it was wrong for. */
  readonly #wrong = new Map<string, Map<string, unknown>>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** Refuses with MailError 'limit' when the address or the login has failed too often. */
  admit(login: string, remote: string): void {
    const overAddress = isLoopback(remote) ? -1 : this.#count(this.#addresses, addressKey(remote)) - addressFailuresMax;
    const overLogin = this.#known.has(pair(login, remote)) ? -1 : this.#count(this.#logins, login) - loginFailuresMax;
    const over = Math.max(overAddress, overLogin);
    // A count that has drained to just below the limit lets one attempt in, not a burst: each failure takes it over again.
    if (over <= -1) return;
    const seconds = Math.ceil(((over + 1) * failureForgottenMs) / 1000);
    throw new MailError('limit', `Too many failed logins: try again in ${seconds} seconds.`);
  }

  /** Whether this fingerprint of a password has failed for this very credential: no need to look again. */
  isKnownWrong(login: string, fingerprint: string, credential: unknown): boolean {
    const wrong = this.#wrong.get(login);
    return wrong?.has(fingerprint) === true && wrong.get(fingerprint) === credential;
  }

  succeeded(login: string, remote: string): void {
    touch(this.#known, pair(login, remote), true);
  }

  /** Counts a failure and returns the milliseconds after which to answer it. Without a fingerprint (SCRAM) every failure counts. */
  failed(login: string, remote: string, guess?: { readonly fingerprint: string; readonly credential: unknown }): number {
    const weight = guess && this.isKnownWrong(login, guess.fingerprint, guess.credential) ? 0 : 1;
    if (guess) this.#rememberWrong(login, guess.fingerprint, guess.credential);
    const byLogin = this.#add(this.#logins, login, weight);
    if (isLoopback(remote)) return Math.min(delayFor(byLogin), loopbackDelayMsMax);
    return delayFor(Math.max(byLogin, this.#add(this.#addresses, addressKey(remote), weight)));
  }

  #rememberWrong(login: string, fingerprint: string, credential: unknown): void {
    const wrong = this.#wrong.get(login) ?? new Map<string, unknown>();
    touch(wrong, fingerprint, credential, wrongPasswordsMax);
    touch(this.#wrong, login, wrong);
  }

  #count(tallies: Map<string, Tally>, key: string): number {
    const tally = tallies.get(key);
    return tally ? Math.max(0, tally.count - (this.#clock.monotonic() - tally.at) / failureForgottenMs) : 0;
  }

  #add(tallies: Map<string, Tally>, key: string, weight: number): number {
    const count = this.#count(tallies, key) + weight;
    touch(tallies, key, { count, at: this.#clock.monotonic() });
    return count;
  }
}

function delayFor(failures: number): number {
  if (failures <= failuresUndelayed) return 0;
  return Math.min(failureDelayMs * 2 ** (Math.ceil(failures) - failuresUndelayed - 1), failureDelayMsMax);
}

const pair = (login: string, remote: string) => `${login}\0${addressKey(remote)}`;

/** Sets the key as the most lately seen and forgets the least lately seen beyond `max`: a Map iterates in the order of insertion. */
export function touch<K, V>(map: Map<K, V>, key: K, value: V, max = trackedMax): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= max) break;
    map.delete(oldest);
  }
}
