/**
 * Hooks: functions that are asked about a message (synchronous), or told of it (asynchronous). One that hangs, fails or answers what the contract does not
 * allow is asked again, and then its fallback holds: the configuration says whether mail passes, goes to Junk, is refused, or waits.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { Clock } from '../../storage/clock.ts';
import type { HookAnswer, HookCall } from '../rules/transport.ts';
import { decodeAnswer, eventOf, HookError, type HookEvent, idsOf } from './contract.ts';
import { retryPauseMs } from './limits.ts';
import type { MessageFlow } from './message-flow.ts';

/** What a hook that gives no answer does: deliver, junk, drop and bounce are for all its recipients; wait: the message is tried later. */
export type HookFallback = 'deliver' | 'junk' | 'drop' | 'bounce' | 'wait';

export interface Hook {
  readonly name: string;
  readonly mode: 'sync' | 'async';
  /** Milliseconds for one attempt. */
  readonly timeoutMs: number;
  readonly attempts: number;
  readonly fallback: HookFallback;
  /** Synchronous: resolves to the decoded answer. Asynchronous: resolves when the event was taken. Rejects for a failed attempt. */
  readonly call: (event: HookEvent, signal: AbortSignal) => Promise<unknown>;
}

export type HookReport =
  | { readonly kind: 'asked'; readonly hook: string; readonly messageId: string; readonly attempt: number }
  | { readonly kind: 'failed'; readonly hook: string; readonly messageId: string; readonly attempt: number; readonly error: unknown }
  | { readonly kind: 'fellBack'; readonly hook: string; readonly messageId: string; readonly fallback: HookFallback };

export interface HooksOptions {
  readonly hooks: readonly Hook[];
  readonly flow: MessageFlow;
  readonly clock: Clock;
  readonly observe: (report: HookReport) => void;
}

export class Hooks {
  readonly #options: HooksOptions;
  readonly #byName: ReadonlyMap<string, Hook>;

  constructor(options: HooksOptions) {
    this.#options = options;
    this.#byName = new Map(options.hooks.map((hook) => [hook.name, hook]));
  }

  get names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  /** Rejects with StorageError 'unavailable' when the message has to wait. */
  async ask(name: string, call: HookCall): Promise<HookAnswer> {
    const hook = this.#byName.get(name);
    if (hook === undefined)
      throw new StorageError('unavailable', `There is no hook ${name} in the configuration: the message waits for it.`);
    const { flow, clock, observe } = this.#options;
    const { messageId } = idsOf(name, call);
    for (let attempt = 1; attempt <= hook.attempts; attempt++) {
      if (attempt > 1) await clock.sleep(retryPauseMs);
      // What an attempt that failed has put there does not count.
      flow.open(messageId, call.bytes);
      try {
        const answer = await this.#attempt(hook, call, messageId);
        observe({ kind: 'asked', hook: name, messageId, attempt });
        return answer;
      } catch (error) {
        flow.freeze(messageId);
        observe({ kind: 'failed', hook: name, messageId, attempt, error });
      }
    }
    observe({ kind: 'fellBack', hook: name, messageId, fallback: hook.fallback });
    return fallBack(hook, call);
  }

  async #attempt(hook: Hook, call: HookCall, messageId: string): Promise<HookAnswer> {
    const { flow } = this.#options;
    if (hook.mode === 'async') flow.freeze(messageId);
    const answer = await this.#within(hook.timeoutMs, (signal) => hook.call(eventOf(hook.name, call, flow.rawUrl(messageId)), signal));
    if (hook.mode === 'async') return { bytes: call.bytes, actions: new Map() };
    const decoded = decodeAnswer(answer, call);
    return { ...decoded, bytes: flow.freeze(messageId) ?? call.bytes };
  }

  async #within<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const ended = new AbortController();
    const stopped = new AbortController();
    const timeout = this.#options.clock.sleep(timeoutMs, ended.signal).then(() => {
      const error = new HookError(`It gave no answer within ${timeoutMs} ms.`);
      stopped.abort(error);
      throw error;
    });
    try {
      return await Promise.race([work(stopped.signal), timeout]);
    } finally {
      ended.abort();
      // It has lost the race, or is what we throw.
      timeout.catch(() => undefined);
    }
  }
}

function fallBack({ name, fallback }: Hook, { bytes, recipients }: HookCall): HookAnswer {
  switch (fallback) {
    case 'wait':
      throw new StorageError('unavailable', `The hook ${name} gives no answer: the message waits for it.`);
    case 'deliver':
      return { bytes, actions: new Map() };
    case 'junk':
    case 'drop':
      return { bytes, actions: new Map(recipients.map((recipient) => [recipient, fallback])) };
    case 'bounce':
      return {
        bytes,
        actions: new Map(recipients.map((recipient) => [recipient, fallback])),
        bounceMessages: new Map(recipients.map((recipient) => [recipient, 'The message could not be checked, and was refused'])),
      };
  }
}
