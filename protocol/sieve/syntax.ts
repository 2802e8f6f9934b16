/** What the grammar of RFC 5228 §8.2 says of a script, before anybody knows what its commands mean; and the one error of this folder. */

export interface StringItem {
  readonly value: string;
  readonly line: number;
}

export type Argument =
  | { readonly kind: 'number'; readonly value: number; readonly line: number }
  | { readonly kind: 'string'; readonly value: string; readonly line: number }
  | { readonly kind: 'list'; readonly items: readonly StringItem[]; readonly line: number }
  | { readonly kind: 'tag'; readonly name: string; readonly line: number };

/** A command or a test: an identifier (lower case) with what follows it. */
export interface Node {
  readonly name: string;
  readonly line: number;
  readonly arguments: readonly Argument[];
  readonly tests: readonly Node[];
  /** The tests stand in parentheses. */
  readonly isTestList: boolean;
  /** undefined where a semicolon ends the command. */
  readonly block: readonly Node[] | undefined;
}

/** The script cannot be read, or means nothing, or cannot go on: where, and why. Lines count from 1. */
export class SieveError extends Error {
  readonly line: number;
  readonly reason: string;
  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}`);
    this.name = 'SieveError';
    this.line = line;
    this.reason = reason;
  }
}
