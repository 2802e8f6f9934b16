/**
 * All object names are made here, and read back here. FORMAT.md describes them; nobody else builds or takes one apart.
 *
 * Within an account names sort so that what refers comes before what it refers to (log, manifest, part, raw): a copy of the bucket made in
 * key order never has a reference to what was not copied yet.
 */
import { hash } from 'node:crypto';
import { invariant } from '../../protocol/mail/errors.ts';

/** The account id of the directory of domains, accounts and aliases; its names begin with `00/`. */
export const directoryAccountId = 'directory';
export const defaultInboundPrefix = 'inbound/';
export const failedPrefix = 'failed/';
/** Marks of accounts whose outbox has work: empty objects. */
export const outboxMarkPrefix = 'outbox/';
export const clusterPrefix = 'cluster/';
const nodePrefix = 'cluster/node/';
export const probePrefix = 'cluster/probe/';

const accountIdPattern = /^[a-z0-9]{1,32}$/;
const nodeIdPattern = /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/;
const sha256Pattern = /^[0-9a-f]{64}$/;
const randomPattern = /^[0-9a-f]{8,64}$/;
const seqDigits = 16;

/** The two hex digits that spread accounts over the store's partitions. */
function accountHash(accountId: string): string {
  return accountId === directoryAccountId ? '00' : hash('sha256', accountId).slice(0, 2);
}

/** `<hh>/<accountId>/`: everything of one account. */
export function accountPrefix(accountId: string): string {
  invariant(accountIdPattern.test(accountId), `not an account id: ${JSON.stringify(accountId)}`);
  return `${accountHash(accountId)}/${accountId}/`;
}

export const logPrefix = (accountId: string) => `${accountPrefix(accountId)}log/`;
export const manifestPrefix = (accountId: string) => `${accountPrefix(accountId)}manifest/`;
export const partPrefix = (accountId: string) => `${accountPrefix(accountId)}part/`;
const rawPrefix = (accountId: string) => `${accountPrefix(accountId)}raw/`;

/** The commit numbered `seq`. */
export const logKey = (accountId: string, seq: number) => `${logPrefix(accountId)}${formatSeq(seq)}.ndjson.zst`;
/** The same within its account, as blob references name it. */
export const formatSeqName = (seq: number) => `log/${formatSeq(seq)}.ndjson.zst`;
/** The snapshot at `seq`: the list of its parts. */
export const manifestKey = (accountId: string, seq: number) => `${manifestPrefix(accountId)}${formatSeq(seq)}.json`;
/** A piece of snapshots. `sha256` and `random` in lower-case hex; `random` makes each upload's name its own. */
export const partKey = (accountId: string, sha256: string, random: string) =>
  `${partPrefix(accountId)}${uniqueName(sha256, random)}.ndjson.zst`;
/** A raw message or upload, byte for byte. */
export const rawKey = (accountId: string, sha256: string, random: string) => `${rawPrefix(accountId)}${uniqueName(sha256, random)}`;

/** Mail that could not be processed. `name` is what followed the inbound prefix. */
export const failedKey = (name: string) => `${failedPrefix}${name}`;
/** Why `failedKey(name)` failed. */
export const failedReasonKey = (name: string) => `${failedPrefix}${name}.json`;

/** The mark of an account whose outbox has work. */
export function outboxMarkKey(accountId: string): string {
  invariant(accountIdPattern.test(accountId), `not an account id: ${JSON.stringify(accountId)}`);
  return `${outboxMarkPrefix}${accountId}`;
}

export function inboundKey(prefix: string, name: string): string {
  return `${prefix}${name}`;
}

/** The heartbeat of one running node. */
export function nodeKey(nodeId: string): string {
  invariant(nodeIdPattern.test(nodeId), `not a node id: ${JSON.stringify(nodeId)}`);
  return `${nodePrefix}${nodeId}.json`;
}

export interface InboundName {
  /** What follows the prefix. */
  readonly name: string;
  /** What follows the last `/`: the SES message id, for what SES wrote. */
  readonly id: string;
  /** The recipient that `<prefix><address>/<name>` gives by hand. */
  readonly address: string | undefined;
}

/** Undefined when `key` does not begin with `prefix`. */
export function parseInboundKey(prefix: string, key: string): InboundName | undefined {
  if (!key.startsWith(prefix) || key.length === prefix.length) return undefined;
  const name = key.slice(prefix.length);
  const slash = name.indexOf('/');
  const first = slash > 0 ? name.slice(0, slash) : '';
  return { name, id: name.slice(name.lastIndexOf('/') + 1), address: first.includes('@') ? first : undefined };
}

export type ParsedKey =
  | { readonly kind: 'log' | 'manifest'; readonly accountId: string; readonly seq: number }
  | { readonly kind: 'part' | 'raw'; readonly accountId: string; readonly sha256: string; readonly random: string }
  | { readonly kind: 'failed'; readonly name: string; readonly isReason: boolean }
  | { readonly kind: 'node'; readonly nodeId: string };

const accountKeyPattern = /^([0-9a-f]{2})\/([a-z0-9]{1,32})\/(log|manifest|part|raw)\/(.+)$/;

/** Reads a name back; undefined when it is none that we make (inbound names, whose prefix is configured, are parseInboundKey's). */
export function parseKey(key: string): ParsedKey | undefined {
  if (key.startsWith(failedPrefix) && key.length > failedPrefix.length) {
    const isReason = key.endsWith('.json');
    return { kind: 'failed', name: key.slice(failedPrefix.length, isReason ? -'.json'.length : undefined), isReason };
  }
  if (key.startsWith(nodePrefix) && key.endsWith('.json')) {
    const nodeId = key.slice(nodePrefix.length, -'.json'.length);
    return nodeIdPattern.test(nodeId) ? { kind: 'node', nodeId } : undefined;
  }
  const [, hh, accountId, kind, rest] = accountKeyPattern.exec(key) ?? [];
  if (accountId === undefined || rest === undefined || hh !== accountHash(accountId)) return undefined;
  switch (kind) {
    case 'log':
      return numbered('log', accountId, rest, '.ndjson.zst');
    case 'manifest':
      return numbered('manifest', accountId, rest, '.json');
    case 'part':
      return named('part', accountId, rest, '.ndjson.zst');
    default:
      return named('raw', accountId, rest, '');
  }
}

function numbered(kind: 'log' | 'manifest', accountId: string, rest: string, suffix: string): ParsedKey | undefined {
  const digits = rest.slice(0, seqDigits);
  const seq = Number(digits);
  if (rest.slice(seqDigits) !== suffix || !/^\d+$/.test(digits) || digits.length !== seqDigits || !Number.isSafeInteger(seq))
    return undefined;
  return { kind, accountId, seq };
}

function named(kind: 'part' | 'raw', accountId: string, rest: string, suffix: string): ParsedKey | undefined {
  if (!rest.endsWith(suffix)) return undefined;
  const name = rest.slice(0, rest.length - suffix.length);
  const sha256 = name.slice(0, 64);
  const random = name.slice(65);
  if (name[64] !== '-' || !sha256Pattern.test(sha256) || !randomPattern.test(random)) return undefined;
  return { kind, accountId, sha256, random };
}

function formatSeq(seq: number): string {
  invariant(Number.isSafeInteger(seq) && seq >= 0, `not a sequence number: ${seq}`);
  return String(seq).padStart(seqDigits, '0');
}

function uniqueName(sha256: string, random: string): string {
  invariant(sha256Pattern.test(sha256), `not a SHA-256 in lower-case hex: ${JSON.stringify(sha256)}`);
  invariant(randomPattern.test(random), `not 8 to 64 lower-case hex digits: ${JSON.stringify(random)}`);
  return `${sha256}-${random}`;
}
