/**
 * What a relay has said and no commit says yet. A node notes it on its own disk in the turn of the event loop in which it reads it, which takes microseconds;
 * the commit takes a round trip to the store. A process that dies in between finds the answer when it is back, and writes it down instead of asking again.
 * Only that a relay took a copy is noted: to ask again after another answer doubles nothing.
 */
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { HandoverResult } from './relay.ts';

export interface Answer {
  readonly account: AccountId;
  readonly submission: string;
  /** Which claim it answers. */
  readonly claimedAt: number;
  /** By the index of the recipient. */
  readonly outcomes: readonly (readonly [index: number, outcome: HandoverResult])[];
}

export interface AnswerJournal {
  /** When it returns, the death of the process no longer swallows the answer. Does not throw: without a note the copy may arrive twice, no more. */
  note(answer: Answer): void;
  /** A commit says it now, or says otherwise. */
  forget(answer: Answer): void;
  /** Answers of an earlier run about a submission. */
  leftBehind(account: AccountId, submission: string): readonly Answer[];
}
