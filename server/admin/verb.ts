/**
 * One row per administrative verb. From it follow the call of /admin/v1, the verb of the command line, their checks and their help; both run
 * the one function of the row.
 */
import Type, { type Static, type TObject } from 'typebox';
import { Value } from 'typebox/value';
import { MailError } from '../../protocol/mail/errors.ts';
import type { AdminServices } from './services.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Hints that the command line reads of a parameter's schema. */
export interface ParameterHints {
  readonly type?: string;
  readonly description?: string;
  /** The command line takes it from standard input with `--<name>-stdin` and never as an argument, where others could see it. */
  readonly isSecret?: boolean;
  /** Where there is a choice of words. */
  readonly anyOf?: readonly { readonly const?: unknown }[];
}

/** The words that a parameter is one of, where there is such a choice. */
export function choicesOf({ anyOf = [] }: ParameterHints): readonly string[] | undefined {
  const words = anyOf.map((choice) => choice.const);
  return words.length > 0 && words.every((word) => typeof word === 'string') ? words : undefined;
}

export interface Verb {
  /** `account add`. */
  readonly name: string;
  readonly summary: string;
  readonly method: Method;
  /** Below /admin/v1. A `:name` is the parameter of that name; the others are in the body, or for GET and DELETE in the query. */
  readonly path: string;
  readonly parameters: TObject;
  /** Parameters that the command line takes by position, in order. The last may be a list. The others are options. */
  readonly positional: readonly string[];
  /** The command line does not show it: other verbs are made of it. */
  readonly isInternal?: boolean;
  /** Bytes of a call's body, where more is needed than an administrator types. */
  readonly bodyBytesMax?: number;
  /** Rejects with MailError 'invalidArguments' for parameters that are not what the row says. */
  run(services: AdminServices, parameters: unknown): Promise<unknown>;
  /** What the command line prints, without --json. No last newline; '' prints nothing. */
  print(result: unknown): string;
  /** Whether the result means that something is wrong: exit code 1. */
  isFault(result: unknown): boolean;
}

export interface VerbRow<P extends TObject, R> {
  readonly name: string;
  readonly summary: string;
  readonly method: Method;
  readonly path: string;
  readonly parameters: P;
  readonly positional: readonly (keyof P['properties'] & string)[];
  readonly isInternal?: boolean;
  readonly bodyBytesMax?: number;
  readonly run: (services: AdminServices, parameters: Static<P>) => Promise<R>;
  readonly print: (result: R) => string;
  readonly isFault?: (result: R) => boolean;
}

export function defineVerb<P extends TObject, R>(row: VerbRow<P, R>): Verb {
  return {
    ...row,
    run: async (services, parameters) => {
      check(row.name, row.parameters, parameters);
      return row.run(services, parameters as Static<P>);
    },
    print: (result) => row.print(result as R),
    isFault: (result) => row.isFault?.(result as R) ?? false,
  };
}

function check(verb: string, schema: TObject, parameters: unknown): void {
  const [fault] = Value.Errors(schema, parameters);
  if (fault === undefined) return;
  const [name = ''] = fault.instancePath.slice(1).split('/');
  const value = (parameters as Readonly<Record<string, unknown>>)[name];
  const { description, isSecret } = (schema.properties as Readonly<Record<string, ParameterHints>>)[name] ?? {};
  const isTold = typeof value === 'string' && isSecret !== true && description !== undefined;
  const why = isTold ? `${JSON.stringify(value)} will not do for ${name}: ${description}` : `${name || 'the call'} ${fault.message}`;
  throw new MailError('invalidArguments', `${verb}: ${why}.`);
}

/** Parameters that no verb's schema lists are refused. */
export function parameters<T extends Parameters<typeof Type.Object>[0]>(properties: T) {
  return Type.Object<T>(properties, { additionalProperties: false });
}

/** Rows of equal columns, as wide as their widest cell; numbers to the right. */
export function formatTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => String(row[column]).length)));
  const line = (cells: readonly (string | number)[]) =>
    cells
      .map((cell, column) => (typeof cell === 'number' ? String(cell).padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map(line)].join('\n');
}
