/**
 * The manifest of a snapshot, `manifest/<seq>.json`: uncompressed lines of JSON, so that `aws s3 cp … -` is enough to read it. The header, one
 * line that says what state it is of, then one line per part. A (kind, range) that was cut has several lines, in the order of its records.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { Position } from '../log/machine.ts';
import { decodeObject, encodeObject } from '../log/object-codec.ts';
import { accountPrefix, manifestPrefix, parseKey } from '../objects/object-keys.ts';
import type { ObjectStore } from '../objects/object-store.ts';

export interface ManifestPart {
  readonly kind: string;
  readonly range: number;
  /** Name in the account: `part/<sha256>-<random>.ndjson.zst`. */
  readonly object: string;
  /** Of the payload, in hex; the same as in the part's header and name. */
  readonly sha256: string;
  /** Size of the object as stored. */
  readonly bytes: number;
  /** The last commit that touched its records, at most the snapshot's seq. */
  readonly changedAt: number;
}

export interface Manifest {
  readonly position: Position;
  /** Milliseconds since the epoch by the writer's clock. For people: ages are the store's. */
  readonly createdAt: number;
  /** The node that wrote it. */
  readonly by: string;
  readonly parts: readonly ManifestPart[];
}

/** A manifest as the store lists it. */
export interface ListedManifest {
  readonly seq: number;
  readonly key: string;
  readonly size: number;
  readonly lastModified: number;
}

/** The bytes of a manifest (docs/FORMAT.md), not compressed. */
export function encodeManifest(accountId: string, manifest: Manifest): Buffer {
  const { position, createdAt, by, parts } = manifest;
  const lines = [
    JSON.stringify({ position: { seq: position.seq, hash: position.hash, at: position.at }, createdAt, by }),
    ...parts.map(({ kind, range, object, sha256, bytes, changedAt }) => JSON.stringify({ kind, range, object, sha256, bytes, changedAt })),
  ];
  return encodeObject('manifest', accountId, position.seq, lines, { compress: false }).bytes;
}

/** Throws StorageError 'corrupt', naming `key`, for anything but a whole manifest of this account and seq. */
export function decodeManifest(key: string, bytes: Uint8Array, accountId: string, seq: number): Manifest {
  const [first, ...rest] = decodeObject(key, bytes, { kind: 'manifest', account: accountId, seq }, { compress: false }).lines;
  const corrupt = (line: unknown) => new StorageError('corrupt', `${key}: has the line ${JSON.stringify(line)?.slice(0, 200)}`);
  if (!isRecord(first) || !isPosition(first['position']) || first['position'].seq !== seq) throw corrupt(first);
  if (typeof first['createdAt'] !== 'number' || typeof first['by'] !== 'string') throw corrupt(first);
  const parts = rest.map((line) => {
    if (!isManifestPart(line, accountId, seq)) throw corrupt(line);
    return line;
  });
  return { position: first['position'], createdAt: first['createdAt'], by: first['by'], parts };
}

/** All manifests, oldest first, and the store's Date when it answered first. One LIST for each 1,000. */
export async function listManifests(
  store: ObjectStore,
  accountId: string,
): Promise<{ readonly manifests: readonly ListedManifest[]; readonly date: number }> {
  const prefix = manifestPrefix(accountId);
  const manifests: ListedManifest[] = [];
  let page = await store.listPage(prefix);
  const { date } = page;
  for (;;) {
    for (const { key, size, lastModified } of page.objects) {
      const parsed = parseKey(key);
      if (parsed?.kind === 'manifest') manifests.push({ seq: parsed.seq, key, size, lastModified });
    }
    if (page.next === undefined) return { manifests, date };
    page = await store.listPage(prefix, { startAfter: page.next });
  }
}

/** Throws StorageError 'missing' or 'corrupt' when there is no such manifest that can be read. */
export async function readManifest(store: ObjectStore, accountId: string, listed: Pick<ListedManifest, 'key' | 'seq'>): Promise<Manifest> {
  const { body } = await store.get(listed.key);
  return decodeManifest(listed.key, body, accountId, listed.seq);
}

/** Whether an error says that an object is not what it must be (and not that the store is away). */
export function isDamage(error: unknown): error is StorageError {
  return error instanceof StorageError && (error.code === 'corrupt' || error.code === 'missing');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPosition(value: unknown): value is Position {
  return isRecord(value) && isCount(value['seq']) && typeof value['hash'] === 'string' && typeof value['at'] === 'number';
}

function isManifestPart(value: unknown, accountId: string, seq: number): value is ManifestPart {
  if (!isRecord(value) || typeof value['kind'] !== 'string' || typeof value['object'] !== 'string') return false;
  const name = parseKey(`${accountPrefix(accountId)}${value['object']}`);
  if (name?.kind !== 'part' || name.sha256 !== value['sha256']) return false;
  return isCount(value['range']) && isCount(value['bytes']) && isCount(value['changedAt']) && value['changedAt'] <= seq;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
