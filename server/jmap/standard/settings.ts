/** Properties that a client gives for an object of a /set, checked against the object's schema (RFC 8620 §5.3). All throw SetFailure. */
import { isDeepStrictEqual } from 'node:util';
import type { TObject, TProperties } from 'typebox';
import { Value } from 'typebox/value';
import { invalidProperties } from '../../../protocol/jmap/errors.ts';
import { applyPatch, ownMember } from '../../../protocol/jmap/patch.ts';

/** Checks the properties one by one, so that the error names all that are wrong. */
export function checkSettings(schema: TObject<TProperties>, settings: Readonly<Record<string, unknown>>): void {
  const unknown = Object.keys(settings).filter((name) => !Object.hasOwn(schema.properties, name));
  if (unknown.length > 0) throw invalidProperties(`${unknown[0]} cannot be set.`, ...unknown);
  const wrong = Object.entries(settings).filter(([name, value]) => !Value.Check(schema.properties[name]!, value));
  if (wrong.length > 0) throw invalidProperties(`${wrong[0]![0]} does not have its type.`, ...wrong.map(([name]) => name));
}

/** Settings of a new object: what is not given has its default. Properties without one must be given. */
export function newSettings<T extends object>(
  schema: TObject<TProperties>,
  given: Readonly<Record<string, unknown>>,
  defaults: Partial<T>,
): T {
  checkSettings(schema, given);
  const missing = Object.keys(schema.properties).filter((name) => !Object.hasOwn(given, name) && !Object.hasOwn(defaults, name));
  if (missing.length > 0) throw invalidProperties(`${missing[0]} is missing.`, ...missing);
  return { ...defaults, ...given } as T;
}

/**
 * The properties that a patch changes. One that is said as it is (`current` holds the whole object) changes nothing, also where it cannot be set.
 * null gives a property its default, where that is another.
 */
export function changedSettings(
  patch: Readonly<Record<string, unknown>>,
  current: Readonly<Record<string, unknown>>,
  defaults: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const changed = applyPatch(patch, (property) => ownMember(current, property));
  for (const [name, value] of changed) if (value === null && Object.hasOwn(defaults, name)) changed.set(name, defaults[name]);
  return Object.fromEntries(
    [...changed].filter(([name, value]) => !Object.hasOwn(current, name) || !isDeepStrictEqual(current[name], value)),
  );
}

/** What the server has set beside what the client gave: what a create or update answers. */
export function serverSet(object: Readonly<Record<string, unknown>>, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !Object.hasOwn(given, name)));
}
