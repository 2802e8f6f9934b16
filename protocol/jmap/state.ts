/**
 * State strings (RFC 8620 §1.6.2): the modSeq up to which a client knows everything of a type. `90` knows all changes up to modSeq 90; `90-7` also
 * those of the change after it that concern objects with numbers up to 7, where one change was too large for one answer.
 */
import type { ModSeq } from '../mail/ids.ts';

export interface State {
  readonly modSeq: ModSeq;
  /** Objects of the next change up to this number are known; 0: none. */
  readonly upTo: number;
}

export function formatState({ modSeq, upTo }: State): string {
  return upTo === 0 ? String(modSeq) : `${modSeq}-${upTo}`;
}

export function parseState(text: string): State | undefined {
  const match = /^(0|[1-9]\d{0,15})(?:-([1-9]\d{0,9}))?$/.exec(text);
  if (match === null) return undefined;
  const modSeq = Number(match[1]);
  return Number.isSafeInteger(modSeq) ? { modSeq: modSeq as ModSeq, upTo: Number(match[2] ?? 0) } : undefined;
}
