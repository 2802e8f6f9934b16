/** All commands and tests, one row each; and the extensions that follow from them. */
import type { CommandRow, Row, TestRow } from '../row.ts';
import { answerCommands, answerTests, comparatorExtensions } from './answers.ts';
import { bodyTests } from './body.ts';
import { controlCommands } from './control.ts';
import { dateTests } from './date.ts';
import { headerCommands } from './edit-header.ts';
import { flagCommands, flagTests } from './flags.ts';
import { includeCommands } from './include.ts';
import { mimeCommands } from './mime.ts';
import { surroundingCommands, surroundingTests } from './surroundings.ts';
import { baseTests } from './tests.ts';
import { variableCommands, variableTests } from './variables.ts';

const commands: readonly CommandRow[] = [
  ...controlCommands,
  ...variableCommands,
  ...flagCommands,
  ...includeCommands,
  ...headerCommands,
  ...answerCommands,
  ...mimeCommands,
  ...surroundingCommands,
];
const tests: readonly TestRow[] = [
  ...baseTests,
  ...variableTests,
  ...flagTests,
  ...bodyTests,
  ...dateTests,
  ...surroundingTests,
  ...answerTests,
];

export const commandRows: ReadonlyMap<string, CommandRow> = new Map(commands.map((row) => [row.name, row]));
export const testRows: ReadonlyMap<string, TestRow> = new Map(tests.map((row) => [row.name, row]));

const extensionsOf = ({ extension, tags = [] }: Row) =>
  [extension, ...tags.map((tag) => tag.extension)].filter((name) => name !== undefined);

/** What `require` takes, sorted. encoded-character changes how strings are read, and has no row. */
export const extensions: ReadonlySet<string> = new Set(
  [
    ...commands.flatMap(extensionsOf),
    ...tests.flatMap(extensionsOf),
    ...comparatorExtensions,
    'comparator-i;ascii-casemap',
    'comparator-i;octet',
    'encoded-character',
  ].sort(),
);
/** As servers tell them: the base comparators go without saying. */
export const capabilities: readonly string[] = [...extensions].filter((name) => !/^comparator-i;(ascii-casemap|octet)$/.test(name));
/** RFC 5435 §8: schemes of notify's methods. */
export const notifyMethods: readonly string[] = ['mailto'];
