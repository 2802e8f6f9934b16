/** PatchObject (RFC 8620 §5.3): changes of properties, and of members of objects by a path. */
import { invalidProperties, SetFailure } from './errors.ts';
import { isRecord } from './request.ts';

/**
 * The properties that a patch changes, each with its new whole value. `current` gives a property's present value; members of objects are
 * set (`keywords/$seen: true`) or, by null, removed. Throws SetFailure 'invalidPatch' for paths that do not fit together.
 */
export function applyPatch(patch: Readonly<Record<string, unknown>>, current: (property: string) => unknown): Map<string, unknown> {
  const changed = new Map<string, unknown>();
  const paths = Object.keys(patch);
  for (const path of paths) {
    if (path.includes('/') && paths.includes(path.slice(0, path.indexOf('/')))) {
      throw new SetFailure({ type: 'invalidPatch', description: `${path} is below another path of the patch.` });
    }
  }
  for (const [path, value] of Object.entries(patch)) {
    const [property = '', ...rest] = path.split('/').map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
    if (rest.length === 0) {
      changed.set(property, value);
      continue;
    }
    const [member = ''] = rest;
    const before = changed.get(property) ?? current(property);
    if (rest.length > 1 || !isRecord(before)) throw new SetFailure({ type: 'invalidPatch', description: `There is nothing at ${path}.` });
    const after: Record<string, unknown> = { ...before };
    if (value === null) delete after[member];
    else after[member] = value;
    changed.set(property, after);
  }
  return changed;
}

/** The keys of `{a: true, b: true}`; any other value than true makes it invalid. */
export function trueKeys(value: unknown, property: string): string[] {
  if (!isRecord(value) || !Object.values(value).every((member) => member === true)) {
    throw invalidProperties(`${property} is an object whose values are all true.`, property);
  }
  return Object.keys(value);
}
