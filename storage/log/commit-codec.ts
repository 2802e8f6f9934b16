/**
 * A commit as an object, behind what it carries (carried.ts): the first payload line is `{id, prev, at, by}`, then one line per mutation. A commit may have no mutations: it then only
 * takes its number (see Log.fence).
 *
 * The reader takes nothing that it does not know: a change or field of a later version is StorageError 'corrupt', never passed over, since a
 * state that leaves something out would be believed.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import { frameOfCarried } from './carried.ts';
import { changeFault } from './change-fields.ts';
import { decodeObject, encodeObject } from './object-codec.ts';
import type { Commit, Mutation } from './record.ts';

/** `hash` is what the next commit's `prev` has to be. */
export interface EncodedCommit {
  readonly bytes: Buffer;
  readonly hash: string;
}

export interface DecodedCommit {
  readonly commit: Commit;
  readonly hash: string;
}

export interface CommitContents {
  /** The mutations as encodeMutation gives them, where that was done before. */
  readonly lines?: readonly string[];
  /** What rides along (carried.ts). */
  readonly carried?: readonly Buffer[];
}

export function encodeCommit(accountId: string, commit: Commit, contents: CommitContents = {}): EncodedCommit {
  const { seq, id, prev, at, by, mutations } = commit;
  const { lines = mutations.map(encodeMutation), carried = [] } = contents;
  return encodeObject('commit', accountId, seq, [JSON.stringify({ id, prev, at, by }), ...lines], { before: frameOfCarried(carried) });
}

/** A mutation's line. */
export function encodeMutation({ modSeq, changes }: Mutation): string {
  return JSON.stringify({ modSeq, changes });
}

/** Throws StorageError 'corrupt', naming `name`, for anything but a whole commit of this account and seq. */
export function decodeCommit(name: string, bytes: Uint8Array, accountId: string, seq: number): DecodedCommit {
  const { header, lines } = decodeObject(name, bytes, { kind: 'commit', account: accountId, seq });
  const corrupt = (why: string) => new StorageError('corrupt', `${name}: ${why}`);
  const [first, ...rest] = lines;
  if (!isFirstLine(first)) throw corrupt('has a first line that is not id, prev, at and by');
  const { id, prev, at, by } = first;
  let modSeq = 0;
  for (const [index, line] of rest.entries()) {
    const fault = mutationFault(line, modSeq);
    if (fault !== undefined) throw corrupt(`mutation ${index + 1} ${fault}`);
    ({ modSeq } = line as Mutation);
  }
  return { commit: { seq, id, prev, at, by, mutations: rest as Mutation[] }, hash: header.sha256 };
}

const hashPattern = /^([0-9a-f]{64})?$/;

function isFirstLine(line: unknown): line is Pick<Commit, 'id' | 'prev' | 'at' | 'by'> {
  if (typeof line !== 'object' || line === null || Object.keys(line).length !== 4) return false;
  const { id, prev, at, by } = line as Record<string, unknown>;
  return (
    typeof id === 'string' &&
    id !== '' &&
    typeof prev === 'string' &&
    hashPattern.test(prev) &&
    Number.isSafeInteger(at) &&
    (at as number) >= 0 &&
    typeof by === 'string'
  );
}

function mutationFault(line: unknown, modSeqBefore: number): string | undefined {
  if (typeof line !== 'object' || line === null || Object.keys(line).length !== 2) return 'is not modSeq and changes';
  const { modSeq, changes } = line as Record<string, unknown>;
  if (!Number.isSafeInteger(modSeq) || (modSeq as number) <= modSeqBefore) return 'has a modSeq that does not rise';
  if (!Array.isArray(changes) || changes.length === 0) return 'has no changes';
  for (const change of changes) {
    const fault = changeFault(change);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
