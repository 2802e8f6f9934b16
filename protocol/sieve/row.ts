/**
 * One row for each command and test, with the extension that brings it. What `require` takes, the capability list, the checks of a script and its
 * run follow from the rows; there is no second list.
 */
import type { Machine } from './machine.ts';
import type { SieveError } from './syntax.ts';
import type { Text } from './text.ts';

export type ValueKind = 'number' | 'string' | 'strings';

export interface TagRow {
  /** Lower case, without the colon. */
  readonly name: string;
  /** What must be required for it, besides what its command needs. */
  readonly extension?: string;
  readonly takes?: ValueKind;
  /** The string is known before the script runs: no variables in it. */
  readonly isConstant?: true;
  /** Tags of one group exclude each other; a tag's own name by default. */
  readonly group?: string;
}

export interface Value {
  readonly number: number;
  readonly texts: readonly Text[];
  readonly line: number;
}

export interface Call {
  readonly row: Row;
  readonly line: number;
  readonly tags: ReadonlyMap<string, Value>;
  readonly values: readonly Value[];
  readonly tests: readonly Call[];
  readonly block: readonly Call[];
  /** What `check` made of it. */
  readonly data: unknown;
}

/** What `check` may ask about the script. */
export interface ScriptFacts {
  isRequired(extension: string): boolean;
  /** Inside a foreverypart of that name; of any, for undefined. */
  isInLoop(name: string | undefined): boolean;
  fail(line: number, reason: string): SieveError;
}

export interface Row {
  readonly name: string;
  /** undefined: RFC 5228's base. Several: each is needed. */
  readonly extension?: string;
  readonly kind: 'command' | 'test';
  readonly tags?: readonly TagRow[];
  readonly values?: readonly ValueKind[];
  /** The first of two values may be left out (RFC 5232: the variable's name). */
  readonly isFirstOptional?: true;
  /** The last may be (RFC 5293: the patterns). */
  readonly isLastOptional?: true;
  readonly tests?: 'none' | 'one' | 'list';
  readonly hasBlock?: true;
  /** Its block is run again and again; `break` may stand there. */
  readonly isLoop?: true;
  /** Refuses what the grammar allows and the command does not. What it returns is the call's `data`. */
  readonly check?: (call: Omit<Call, 'data'>, facts: ScriptFacts) => unknown;
}

export interface CommandRow extends Row {
  readonly kind: 'command';
  readonly run: (machine: Machine, call: Call) => void;
}

export interface TestRow extends Row {
  readonly kind: 'test';
  readonly run: (machine: Machine, call: Call) => boolean;
}

export function defineCommand(row: Omit<CommandRow, 'kind'>): CommandRow {
  return { ...row, kind: 'command' };
}

export function defineTest(row: Omit<TestRow, 'kind'>): TestRow {
  return { ...row, kind: 'test' };
}
