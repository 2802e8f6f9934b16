/** What stays open after it was authenticated: EventSource and WebSocket. It ends when the login that opened it does. */
import type { Identity } from '../../auth/authenticator.ts';
import { proofHolds } from '../../auth/proof.ts';
import type { JmapServices } from '../services.ts';

export interface Stream extends Disposable {
  /** Ends it where its login has ended. */
  look(): void;
}

/** Whether a request of this login would still be let in. */
export function isLoginOver({ directory, clock }: JmapServices, { accountId, proof }: Identity): boolean {
  return !proofHolds(directory, clock.now(), accountId, proof);
}
