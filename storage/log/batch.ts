/** Queued mutations, and the batch of them that becomes a commit. */
import { MailError } from '../../protocol/mail/errors.ts';
import { encodeMutation } from './commit-codec.ts';
import { commitBytesReserve } from './limits.ts';
import type { Attempt } from './machine.ts';
import type { BlobRef, Mutation } from './record.ts';

/** Bytes that a mutation names for the first time, with the store's date of their upload. */
export interface Upload {
  readonly ref: BlobRef;
  readonly date: number;
}

export interface TransactOptions {
  /** Every blob that the mutation names and that no living message names. */
  readonly uploads?: readonly Upload[];
  /**
   * Called when a day has passed since one of `uploads`, which may be garbage by now: stores the bytes under new names, and resolves to the new
   * uploads. The mutation, which runs after it, names those. Without it such a mutation is refused with StorageError 'conflict'.
   */
  readonly reupload?: () => Promise<readonly Upload[]>;
}

export interface Entry<Tx> {
  /** Undefined for a fence: a commit is written whatever is in it. */
  readonly mutation: ((tx: Tx) => unknown) | undefined;
  uploads?: readonly Upload[];
  readonly reupload?: TransactOptions['reupload'];
  /** How often it was called. */
  reuploads: number;
  /** When it was given, monotonic. */
  readonly since: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export interface GatheredBatch<Tx> {
  /** In order, those without changes too: what they saw is true only with the commit. */
  readonly entries: readonly Entry<Tx>[];
  /** What to tell whom, if the attempt comes true. */
  readonly answers: readonly (() => void)[];
  readonly mutations: readonly Mutation[];
  /** The mutations as lines of JSON. */
  readonly lines: readonly string[];
  readonly isFence: boolean;
}

/** Runs mutations from the front of `queue`, in order, until the commit is full. Those that ran leave the queue. */
export function gather<Tx>(
  attempt: Attempt<Tx>,
  queue: Entry<Tx>[],
  { commitBytesMax, commitMutationsMax }: { readonly commitBytesMax: number; readonly commitMutationsMax: number },
): GatheredBatch<Tx> {
  const answers: (() => void)[] = [];
  const mutations: Mutation[] = [];
  const lines: string[] = [];
  const bytesMax = commitBytesMax - commitBytesReserve;
  let bytes = 0;
  let isFence = false;
  let taken = 0;
  for (; taken < queue.length && mutations.length < commitMutationsMax; taken++) {
    const { mutation, resolve, reject } = queue[taken]!;
    if (mutation === undefined) {
      isFence = true;
      answers.push(() => resolve(undefined));
      continue;
    }
    const outcome = attempt.run(mutation);
    if (outcome.kind === 'refused') answers.push(() => reject(outcome.error));
    else if (outcome.kind === 'unchanged') answers.push(() => resolve(outcome.value));
    else if (outcome.bytes > bytesMax) {
      attempt.undoLast();
      answers.push(() => reject(new MailError('tooLarge', 'the change is larger than a commit may be')));
    } else if (bytes + outcome.bytes > bytesMax) {
      attempt.undoLast();
      break;
    } else {
      bytes += outcome.bytes;
      mutations.push(outcome.mutation);
      lines.push(outcome.line ?? encodeMutation(outcome.mutation));
      answers.push(() => resolve(outcome.value));
    }
  }
  return { entries: queue.splice(0, taken), answers, mutations, lines, isFence };
}
