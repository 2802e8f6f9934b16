/** What `verify` finds. An error is a fault of what is stored; an info is worth knowing and no fault (garbage that the scrubber will take). */
export type FindingKind =
  /** A number that the chain needs is not there. */
  | 'log-gap'
  /** A commit's `prev` is not the hash of the one before it. */
  | 'broken-chain'
  | 'unreadable-commit'
  /** A commit that the chain does not contain: a writer came late. */
  | 'stray-commit'
  | 'unreadable-manifest'
  /** A manifest of a state that the log did not have. */
  | 'manifest-off-chain'
  | 'missing-part'
  | 'unreadable-part'
  | 'missing-blob'
  | 'blob-size'
  /** Only when blobs are read. */
  | 'unreadable-blob'
  /** The log cannot be applied to what came before. */
  | 'replay-failed'
  /** The newest snapshot is not what the log makes of the oldest. */
  | 'snapshot-differs'
  | 'index-differs'
  /** The index has applied what the log does not have. */
  | 'index-off-chain'
  | 'orphan-part'
  | 'orphan-blob'
  | 'unknown-object';

export interface Finding {
  readonly severity: 'error' | 'info';
  readonly kind: FindingKind;
  /** Full name in the store; the account's prefix where the finding is of no one object. */
  readonly key: string;
  /** For an administrator. */
  readonly sentence: string;
}

export type Report = (finding: Finding) => void;

const infos: ReadonlySet<FindingKind> = new Set(['stray-commit', 'orphan-part', 'orphan-blob', 'unknown-object']);

export function finding(kind: FindingKind, key: string, sentence: string): Finding {
  return { severity: infos.has(kind) ? 'info' : 'error', kind, key, sentence: sentence.endsWith('.') ? sentence : `${sentence}.` };
}
