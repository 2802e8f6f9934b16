/**
 * SASL mechanisms on the server's side (RFC 4422) as pure state machines: bytes in, what to do next out. They know no accounts and do no I/O;
 * exchange.ts runs them against an Authenticator.
 */
import type { ScramKeys } from '../../../storage/directory/records.ts';

export type MechanismStep =
  /** Send this and come back with the answer. */
  | { readonly kind: 'challenge'; readonly data: Uint8Array }
  /** The client claims to be `login`: check the password. The mechanism is over. */
  | { readonly kind: 'password'; readonly login: string; readonly password: string; readonly authorizationId: string }
  /** Fetch the keys of `login` and come back by provideKeys(). */
  | { readonly kind: 'keys'; readonly login: string; readonly authorizationId: string }
  /** The client's proof was checked: right, `data` goes to the client as a last challenge; wrong, it has failed. */
  | { readonly kind: 'proof'; readonly isProved: true; readonly data: Uint8Array }
  | { readonly kind: 'proof'; readonly isProved: false }
  | { readonly kind: 'done' }
  /** Check the bearer token; '' is none. Refused, tell the client by refuseToken(), and fail at its answer. */
  | { readonly kind: 'token'; readonly token: string; readonly authorizationId: string }
  /** The message does not follow the mechanism. `reason` may be shown to the client. */
  | { readonly kind: 'failed'; readonly reason: string };

export interface Mechanism {
  /** Without an initial response from the client. */
  start(): MechanismStep;
  /** The client's next message; its initial response, if it sent one, is the first. */
  step(message: Uint8Array): MechanismStep;
  /** Answers 'keys'. */
  provideKeys?(keys: ScramKeys): MechanismStep;
  /** After 'token'. `configurationUrl`: where the client learns how to get a token. */
  refuseToken?(configurationUrl: string): MechanismStep;
}

export const failed = (reason: string): MechanismStep => ({ kind: 'failed', reason });
export const challenge = (text: string): MechanismStep => ({ kind: 'challenge', data: Buffer.from(text) });

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The message as text; undefined when it is not UTF-8. */
export function decodeText(message: Uint8Array): string | undefined {
  try {
    return utf8.decode(message);
  } catch {
    return undefined;
  }
}
