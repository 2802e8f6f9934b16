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
    changed.set(property, withMember(changed.get(property) ?? current(property), rest, value, path));
  }
  return changed;
}

function withMember(before: unknown, [member = '', ...rest]: readonly string[], value: unknown, path: string): Record<string, unknown> {
  if (!isRecord(before)) throw new SetFailure({ type: 'invalidPatch', description: `There is nothing at ${path}.` });
  // Written as literals, since an assignment to `__proto__` makes no member.
  if (rest.length > 0) return { ...before, [member]: withMember(ownMember(before, member), rest, value, path) };
  if (value !== null) return { ...before, [member]: value };
  const { [member]: _, ...after } = before;
  return after;
}

/** The keys of `{a: true, b: true}`; any other value than true makes it invalid. */
export function trueKeys(value: unknown, property: string): string[] {
  if (!isRecord(value) || !Object.values(value).every((member) => member === true)) {
    throw invalidProperties(`${property} is an object whose values are all true.`, property);
  }
  return Object.keys(value);
}

/** The member that an object itself has under a client's name. */
export function ownMember(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
