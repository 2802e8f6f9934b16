/**
 * The parts of snapshots, `part/<sha256>-<random>.ndjson.zst`: the records of one kind in one key range, or, where these are many, a stretch of
 * them. The first line of the payload says which kind and range, so that a part explains itself where its manifest is gone.
 */
import { createHash } from 'node:crypto';
import { StorageError } from '../../protocol/mail/errors.ts';
import type { PartSource, RestoredPart } from '../log/machine.ts';
import { decodeObject, encodeObject } from '../log/object-codec.ts';
import { accountPrefix, partPrefix } from '../objects/object-keys.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { partBytesTarget } from './limits.ts';
import type { ManifestPart } from './manifest.ts';

type PartName = Pick<PartSource, 'kind' | 'range'>;

/** The payload's lines. */
export function partLines({ kind, range }: PartName, records: readonly string[]): string[] {
  return [JSON.stringify({ kind, range }), ...records];
}

/** The hash that a part with these lines has, without encoding it. */
export function hashOfLines(lines: readonly string[]): string {
  return createHash('sha256')
    .update(`${lines.join('\n')}\n`)
    .digest('hex');
}

/** Cuts records where they exceed the target, always at the same places: more records at the end leave the cuts before them where they are. */
export function cutRecords(records: readonly string[], bytesTarget = partBytesTarget): string[][] {
  const cuts: string[][] = [];
  let current: string[] = [];
  let bytes = 0;
  for (const record of records) {
    const length = Buffer.byteLength(record) + 1;
    if (current.length > 0 && bytes + length > bytesTarget) {
      cuts.push(current);
      current = [];
      bytes = 0;
    }
    current.push(record);
    bytes += length;
  }
  cuts.push(current);
  return cuts;
}

/** `seq` is that of the snapshot that writes the part. */
export function encodePart(accountId: string, seq: number, lines: readonly string[]): { bytes: Buffer; sha256: string } {
  const { bytes, hash } = encodeObject('part', accountId, seq, lines);
  return { bytes, sha256: hash };
}

/** Throws StorageError 'corrupt' when the bytes are not exactly the part that the manifest names. */
export function decodePart(key: string, bytes: Uint8Array, accountId: string, named: ManifestPart): RestoredPart {
  const corrupt = (why: string) => new StorageError('corrupt', `${key}: ${why}`);
  if (bytes.length !== named.bytes) throw corrupt(`has ${bytes.length} bytes where its manifest says ${named.bytes}`);
  const { header, lines } = decodeObject(key, bytes, { kind: 'part', account: accountId });
  if (header.sha256 !== named.sha256) throw corrupt('is not the part that its manifest names');
  const [first, ...records] = lines as [Partial<PartName>?, ...unknown[]];
  if (first?.kind !== named.kind || first.range !== named.range)
    throw corrupt(`holds ${first?.kind} ${first?.range} where its manifest says ${named.kind} ${named.range}`);
  return { kind: named.kind, range: named.range, lines: records };
}

export function partKeyOf(accountId: string, part: Pick<ManifestPart, 'object'>): string {
  return `${accountPrefix(accountId)}${part.object}`;
}

/** Sizes of the account's parts by their name in the account. One LIST for each 1,000. */
export async function listPartSizes(store: ObjectStore, accountId: string): Promise<Map<string, number>> {
  const nameOffset = accountPrefix(accountId).length;
  const sizes = new Map<string, number>();
  for await (const { key, size } of store.list(partPrefix(accountId))) sizes.set(key.slice(nameOffset), size);
  return sizes;
}
