/**
 * Reads the configuration: satchel.json (JSON with comments), then the environment over it, then defaults. Anything wrong is a ConfigError
 * whose message is a sentence that names the key and says what to do. A pure function of its arguments but for reading the file.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import jsonc from 'jsonc-parser';
import { Value } from 'typebox/value';
import { environmentLayer } from './config-environment.ts';
import { type Config, ConfigSchema, type SchemaNode } from './config-schema.ts';
import { nearest } from './nearest.ts';

export type { Config } from './config-schema.ts';

export class ConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConfigError';
  }
}

export interface ConfigSources {
  /** The file given by --config. Default: SATCHEL_CONFIG, else satchel.json in `cwd` where there is one. */
  readonly file?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** The file that was read, absolute. */
  readonly file: string | undefined;
  /** Sentences about what was given and has no effect. */
  readonly warnings: readonly string[];
}

type Json = Record<string, unknown>;

const root = ConfigSchema as SchemaNode;

export function loadConfig(sources: ConfigSources): LoadedConfig {
  const named = sources.file ?? sources.env.SATCHEL_CONFIG;
  const file = resolve(sources.cwd, named ?? 'satchel.json');
  const text = readConfigFile(file, named !== undefined);
  const fromFile = text === undefined ? {} : parseConfigText(text, file);
  const { $schema, ...given } = fromFile;
  void $schema;
  const environment = environmentLayer(root, sources.env, (message) => new ConfigError(message));
  const config = effectiveConfig(merge(given, environment.values), {
    base: text === undefined ? sources.cwd : dirname(file),
    hasFile: text !== undefined,
  });
  return { config, file: text === undefined ? undefined : file, warnings: environment.warnings };
}

/** Checks `given` and fills in what it leaves out. Relative paths are relative to `base`. */
export function effectiveConfig(given: unknown, options: { readonly base: string; readonly hasFile: boolean }): Config {
  const config = fill(root, given, '') as Config;
  const { listen, store, inbound } = config;
  config.dataDir = resolve(options.base, config.dataDir);
  if (store.driver === 'file')
    store.path = store.path === undefined ? resolve(config.dataDir, 'bucket') : resolve(options.base, store.path);
  if (config.tls) {
    for (const name of ['cert', 'key'] as const) {
      // check() tells of one that is missing.
      if (config.tls[name] !== undefined) config.tls[name] = resolve(options.base, config.tls[name]);
    }
  }
  config.publicUrl ??= derivedUrl(listen);
  if (!URL.canParse(config.publicUrl))
    throw new ConfigError(`publicUrl is not a URL: ${show(config.publicUrl)}. Write it like https://mail.example.com.`);
  config.clients.host ??= new URL(config.publicUrl).hostname.replace(/^\[|\]$/g, '');
  inbound.sweepSeconds ??= store.driver === 'file' ? 5 : 300;
  if (config.firstAccount === undefined) config.firstAccount = options.hasFile ? null : `me@${config.defaultDomain}`;
  check(config);
  return config;
}

function check(config: Config): void {
  const { store } = config;
  const missing = firstMissing(variantOf(root, config), config as unknown as Json, '');
  if (missing !== undefined) throw new ConfigError(`The configuration lacks ${missing}. Add it.`);
  if (store.driver === 's3' && (store.accessKeyId === undefined) !== (store.secretAccessKey === undefined))
    throw new ConfigError(
      "store.accessKeyId and store.secretAccessKey go together: give both, or neither to use the AWS SDK's credentials.",
    );
  const { relay } = config;
  if (relay.driver === 'ses' && (relay.accessKeyId === undefined) !== (relay.secretAccessKey === undefined))
    throw new ConfigError(
      "relay.accessKeyId and relay.secretAccessKey go together: give both, or neither to use the AWS SDK's credentials.",
    );
  if (relay.driver === 'smtp' && (relay.user === undefined) !== (relay.password === undefined))
    throw new ConfigError('relay.user and relay.password go together: give both, or neither.');
  for (const [index, { equals, contains, above, below }] of config.verdicts.entries()) {
    if (equals === undefined && contains === undefined && above === undefined && below === undefined)
      throw new ConfigError(`verdicts[${index}] compares nothing. Give it equals, contains, above or below.`);
  }
  for (const [name, address] of Object.entries(config.listen)) {
    if (address !== null && parseListen(address).port > 65_535) throw new ConfigError(`The port of listen.${name} must be 0 to 65535.`);
  }
  const [error] = Value.Errors(ConfigSchema, config);
  // fill() has looked at every value by itself already.
  if (error !== undefined) throw new ConfigError(`The configuration is wrong at ${error.instancePath}: ${error.message}.`);
}

/** What listens on every address is reached by none of that name. */
const derivedUrl = ({ http }: { readonly http?: string | null }) =>
  `http://${http?.replace(/^(0\.0\.0\.0|\[::\])(?=:)/, 'localhost') ?? 'localhost'}`;

/** publicUrl, where it is not only what the listener suggests. */
export function givenPublicUrl({ publicUrl, listen }: Config): string | undefined {
  return publicUrl === derivedUrl(listen) ? undefined : publicUrl.replace(/\/+$/, '');
}

/** `host:port` of a listener taken apart; IPv6 addresses lose their brackets. */
export function parseListen(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}

/** Where a running server takes the administrator's verbs. */
export const adminSocketPath = (config: Config) => join(config.dataDir, 'admin.sock');

/** The configuration as it may be shown to people. */
export function withoutSecrets(config: Config): unknown {
  return hideSecrets(root, config);
}

function hideSecrets(node: SchemaNode, value: unknown): unknown {
  if (value === undefined || value === null) return value;
  if (node.secret) return '…';
  if (Array.isArray(value)) return node.items === undefined ? value : value.map((item) => hideSecrets(node.items!, item));
  if (typeof value !== 'object') return value;
  const { properties = {} } = variantOf(node, value);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, hideSecrets(properties[key] ?? {}, inner)]));
}

function readConfigFile(file: string, mustExist: boolean): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !mustExist) return undefined;
    throw new ConfigError(
      `The configuration file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}). Give another with --config.`,
      {
        cause: error,
      },
    );
  }
}

function parseConfigText(text: string, file: string): Json {
  const errors: jsonc.ParseError[] = [];
  const value: unknown = jsonc.parse(text.replace(/^\uFEFF/, ''), errors, { allowTrailingComma: true, allowEmptyContent: true });
  const [first] = errors;
  if (first !== undefined) {
    const line = text.slice(0, first.offset).split('\n').length;
    throw new ConfigError(`${file} is not JSON: ${jsonc.printParseErrorCode(first.error)} in line ${line}. Correct it.`);
  }
  if (value !== undefined && !isObject(value))
    throw new ConfigError(`${file} must hold one object, as in { "dataDir": "./satchel-data" }.`);
  return value ?? {};
}

/** `over` wins; objects are merged key by key, everything else is replaced. */
function merge(under: unknown, over: unknown): unknown {
  if (!isObject(under) || !isObject(over)) return over === undefined ? under : over;
  const keys = new Set([...Object.keys(under), ...Object.keys(over)]);
  return Object.fromEntries(Array.from(keys, (key) => [key, key in over ? merge(under[key], over[key]) : under[key]]));
}

/** `value` with defaults filled in, after checking its keys and each single value. */
function fill(node: SchemaNode, value: unknown, path: string): unknown {
  if (value === undefined) {
    if (node.default === undefined && node.properties === undefined) return undefined;
    value = structuredClone(node.default ?? {});
  }
  const variant = chooseVariant(node, value, path);
  if (variant.properties !== undefined) return fillObject(variant, value, path);
  if (variant.type === 'array' && variant.items !== undefined && Array.isArray(value)) {
    value = value.map((item, index) => fill(variant.items!, item, `${path}[${index}]`));
  }
  if (!Value.Check(node as never, value)) throw wrongValue(node, value, path);
  return value;
}

function fillObject(node: SchemaNode, value: unknown, path: string): Json {
  if (!isObject(value)) throw wrongValue(node, value, path);
  const properties = node.properties!;
  for (const key of Object.keys(value)) if (!(key in properties)) throw unknownKey(key, path, properties);
  const filled: Json = {};
  for (const [key, inner] of Object.entries(properties)) {
    // An optional group is filled in only where it is given.
    if (value[key] === undefined && inner.default === undefined && !node.required?.includes(key)) continue;
    const result = fill(inner, value[key], dotted(path, key));
    if (result !== undefined) filled[key] = result;
  }
  return filled;
}

/** For a choice between objects, the one that `driver` names; otherwise the node itself. */
function chooseVariant(node: SchemaNode, value: unknown, path: string): SchemaNode {
  const objects = node.anyOf?.filter((variant) => variant.properties?.driver !== undefined) ?? [];
  if (objects.length === 0) return node;
  const drivers = objects.map((variant) => String(variant.properties!.driver!.const));
  const driver = isObject(value) ? value.driver : undefined;
  const chosen = objects[drivers.indexOf(String(driver))];
  if (chosen === undefined) throw new ConfigError(`${dotted(path, 'driver')} must be ${oneOf(drivers)}, and is ${show(driver)}.`);
  return chosen;
}

function variantOf(node: SchemaNode, value: unknown): SchemaNode {
  const driver = (value as Json).driver;
  return node.anyOf?.find((variant) => variant.properties?.driver?.const === driver && driver !== undefined) ?? node;
}

function firstMissing(node: SchemaNode, value: Json, path: string): string | undefined {
  for (const key of node.required ?? []) {
    const inner = value[key];
    if (inner === undefined) return dotted(path, key);
  }
  for (const [key, inner] of Object.entries(value)) {
    const child = node.properties?.[key];
    if (child === undefined) continue;
    for (const [index, item] of (Array.isArray(inner) ? inner : [inner]).entries()) {
      if (!isObject(item)) continue;
      const at = Array.isArray(inner) ? `${dotted(path, key)}[${index}]` : dotted(path, key);
      const missing = firstMissing(variantOf(Array.isArray(inner) ? child.items! : child, item), item, at);
      if (missing !== undefined) return missing;
    }
  }
  return undefined;
}

function unknownKey(key: string, path: string, properties: Readonly<Record<string, SchemaNode>>): ConfigError {
  const here = nearest(key, Object.keys(properties));
  const suggestion = here === undefined ? elsewhere(root, key, '') : dotted(path, here);
  const hint = suggestion === undefined ? 'Remove it.' : `Did you mean ${suggestion}?`;
  return new ConfigError(`The configuration has no key ${dotted(path, key)}. ${hint}`);
}

/** Where in the configuration a key of this name is. */
function elsewhere(node: SchemaNode, key: string, path: string): string | undefined {
  for (const variant of [node, ...(node.anyOf ?? [])]) {
    for (const [name, inner] of Object.entries(variant.properties ?? {})) {
      if (name === key && path !== '') return dotted(path, name);
      const found = elsewhere(inner, key, dotted(path, name));
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function wrongValue(node: SchemaNode, value: unknown, path: string): ConfigError {
  const choices = node.anyOf?.filter((variant) => variant.const !== undefined).map((variant) => String(variant.const)) ?? [];
  const [error] = Value.Errors(node as never, value);
  let want =
    error?.message.replace(/^must be (?=string|number|boolean)/, 'must be a ').replace(/^must be (?=array|integer)/, 'must be an ') ??
    'is not allowed';
  // Whose description shows what is wanted needs no regular expression.
  if (error?.keyword === 'pattern' && node.description?.includes('such as')) want = 'must be of another form';
  if (node.const !== undefined) want = `must be ${show(node.const)}`;
  else if (choices.length > 0) want = `must be ${oneOf(choices)}`;
  else if (node.properties !== undefined) want = 'must be an object';
  const about = node.description === undefined ? '' : ` (${node.description.replace(/\.$/, '')})`;
  return new ConfigError(`${path === '' ? 'The configuration' : path} ${want}${about}, and is ${show(node.secret ? '…' : value)}.`);
}

const dotted = (path: string, key: string) => (path === '' ? key : `${path}.${key}`);
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const oneOf = (names: readonly string[]) => names.map((name) => JSON.stringify(name)).join(' or ');

function show(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
