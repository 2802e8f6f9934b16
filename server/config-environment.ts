/**
 * The environment's layer of the configuration: `listen.imap` is SATCHEL_LISTEN_IMAP, `inbound.sweepSeconds` SATCHEL_INBOUND_SWEEP_SECONDS.
 * Strings stand as they are; numbers, booleans and null as in JSON; arrays and objects are JSON. An empty variable is null where the key
 * may be null, and otherwise counts as not given.
 */
import type { SchemaNode } from './config-schema.ts';
import { nearest } from './nearest.ts';

const prefix = 'SATCHEL_';
/** Variables that are not keys of the configuration. */
const reserved = /^SATCHEL_(CONFIG$|TEST_)/;

export interface EnvironmentLayer {
  readonly values: Record<string, unknown>;
  readonly warnings: readonly string[];
}

interface Place {
  readonly path: readonly string[];
  readonly nodes: SchemaNode[];
}

/** `failure` makes the error to throw for a value that cannot be read. */
export function environmentLayer(
  root: SchemaNode,
  env: Readonly<Record<string, string | undefined>>,
  failure: (message: string) => Error,
): EnvironmentLayer {
  const places = new Map<string, Place>();
  collect(root, [], places);
  const values: Record<string, unknown> = {};
  const warnings: string[] = [];
  // Groups before what is in them: SATCHEL_STORE is replaced in part by SATCHEL_STORE_PATH.
  for (const name of Object.keys(env).sort()) {
    const text = env[name];
    if (!name.startsWith(prefix) || reserved.test(name) || text === undefined) continue;
    const place = places.get(name);
    if (place === undefined) {
      // Not an error: container platforms put variables of their own beside ours (SATCHEL_PORT, SATCHEL_SERVICE_HOST).
      const near = nearest(name, places.keys());
      warnings.push(
        `The environment variable ${name} is no key of the configuration${near === undefined ? '.' : `; did you mean ${near}?`}`,
      );
      continue;
    }
    const value = readValue(name, text, place.nodes, failure);
    if (value !== undefined) setAt(values, place.path, value);
  }
  return { values, warnings };
}

/** The variable of a key. */
function environmentName(path: readonly string[]): string {
  return prefix + path.map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()).join('_');
}

function collect(node: SchemaNode, path: readonly string[], places: Map<string, Place>): void {
  if (path.length > 0) {
    const name = environmentName(path);
    const place = places.get(name);
    if (place === undefined) places.set(name, { path, nodes: [node] });
    else place.nodes.push(node);
  }
  for (const variant of [node, ...(node.anyOf ?? [])]) {
    for (const [key, inner] of Object.entries(variant.properties ?? {})) collect(inner, [...path, key], places);
  }
}

function readValue(name: string, text: string, nodes: readonly SchemaNode[], failure: (message: string) => Error): unknown {
  const variants = nodes.flatMap((node) => [node, ...(node.anyOf ?? [])]);
  const types = new Set(variants.map((variant) => (variant.const === undefined ? variant.type : typeof variant.const)));
  if (types.has('null') && (text === '' || text === 'null')) return null;
  if (text === '') return undefined;
  if (types.has('string')) return text;
  try {
    return JSON.parse(text);
  } catch {
    throw failure(
      `The environment variable ${name} must be JSON (${[...types].filter(Boolean).join(' or ')}), and is ${JSON.stringify(text)}.`,
    );
  }
}

function setAt(values: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = values;
  for (const key of path.slice(0, -1)) {
    at[key] ??= {};
    at = at[key] as Record<string, unknown>;
  }
  at[path.at(-1)!] = value;
}
