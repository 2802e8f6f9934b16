/**
 * DNS as `authenticate` asks it, made safe to wait for: no question takes longer than its bound, and while nobody answers, none is asked. An MTA that
 * hands mail over then waits for the first few messages and not for every one, and those get `temperror` for their results at once.
 *
 * Names that the sender chose may hang as long as he likes, and that says nothing about the resolver: before it counts as away it is asked for the
 * root's name servers, which every resolver knows.
 */
import type { DNSResolver } from 'mailauth';
import type { Clock } from '../storage/clock.ts';
import { dnsPauseMs, dnsQuestionMsMax, dnsSilencesMax } from './limits.ts';

export type { DNSResolver };

export interface ResolverGuardOptions {
  readonly resolver: DNSResolver;
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
  /** Told when the resolver is found to be away, and when it answers again. */
  readonly onChange?: (isAway: boolean) => void;
}

/** What c-ares says when there was no answer; any other error is one. */
const silences: ReadonlySet<unknown> = new Set(['ETIMEOUT', 'ECONNREFUSED', 'ECANCELLED', 'ENETUNREACH', 'EHOSTUNREACH']);

export class ResolverGuard {
  readonly #options: ResolverGuardOptions;
  #silences = 0;
  /** While it is away: when to look whether it is back. */
  #lookAt: number | undefined;
  #look: Promise<boolean> | undefined;

  constructor(options: ResolverGuardOptions) {
    this.#options = options;
  }

  get isAway(): boolean {
    return this.#lookAt !== undefined;
  }

  readonly resolve: DNSResolver = async (name, type) => {
    if (this.#lookAt !== undefined && !(await this.#isBack())) throw silence('The resolver does not answer.');
    try {
      const answer = await this.#ask(name, type);
      this.#silences = 0;
      return answer;
    } catch (error) {
      if (isSilence(error)) await this.#countSilence();
      else this.#silences = 0;
      throw error;
    }
  };

  /** Whoever comes first after the pause looks; the others are not made to wait for it. */
  async #isBack(): Promise<boolean> {
    const { clock } = this.#options;
    if (clock.monotonic() < this.#lookAt! || this.#look !== undefined) return false;
    const isBack = await this.#answers();
    this.#set(!isBack);
    return isBack;
  }

  async #countSilence(): Promise<void> {
    this.#silences++;
    if (this.#silences < dnsSilencesMax || this.isAway || this.#look !== undefined) return;
    this.#silences = 0;
    if (!(await this.#answers())) this.#set(true);
  }

  #set(isAway: boolean): void {
    const wasAway = this.isAway;
    this.#silences = 0;
    this.#lookAt = isAway ? this.#options.clock.monotonic() + dnsPauseMs : undefined;
    if (wasAway !== isAway) this.#options.onChange?.(isAway);
  }

  #answers(): Promise<boolean> {
    this.#look = this.#ask('.', 'NS')
      .then(
        () => true,
        (error: unknown) => !isSilence(error),
      )
      .finally(() => {
        this.#look = undefined;
      });
    return this.#look;
  }

  async #ask(name: string, type: string) {
    const over = new AbortController();
    const tooLate = this.#options.clock.sleep(dnsQuestionMsMax, over.signal).then(() => {
      throw silence(`No answer within ${dnsQuestionMsMax} ms.`);
    });
    const asked = this.#options.resolver(name, type);
    try {
      return await Promise.race([asked, tooLate]);
    } finally {
      over.abort();
      void Promise.allSettled([asked, tooLate]);
    }
  }
}

const isSilence = (error: unknown) => error instanceof Error && 'code' in error && silences.has(error.code);
const silence = (message: string) => Object.assign(new Error(message), { code: 'ETIMEOUT' });
