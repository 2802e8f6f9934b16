/** The snapshots' half of `verify`: every manifest and every part that one names is read and checked against its hash. */
import type { Clock } from '../clock.ts';
import { fetchAhead } from '../log/fetch-ahead.ts';
import { manifestKey } from '../objects/object-keys.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import type { AccountListing } from './account-listing.ts';
import { finding, type Report } from './findings.ts';
import { fetchesAheadMax } from './limits.ts';
import { isDamage, type Manifest, type ManifestPart, readManifest } from './manifest.ts';
import { decodePart, partKeyOf } from './part.ts';

export interface VerifyContext {
  readonly store: ObjectStore;
  readonly accountId: string;
  readonly clock: Clock;
  readonly report: Report;
  readonly signal?: AbortSignal;
}

/** Parts are decoded one at a time, and this many wait for it in memory. */
const partsAhead = 8;

/** The manifests that can be restored from, oldest first. */
export async function verifySnapshots(context: VerifyContext, listing: AccountListing): Promise<Manifest[]> {
  const manifests = await readManifests(context, listing);
  const damaged = await verifyParts(context, listing, manifests);
  return manifests.filter(({ parts }) => !parts.some(({ object }) => damaged.has(object)));
}

async function readManifests({ store, accountId, report }: VerifyContext, listing: AccountListing): Promise<Manifest[]> {
  const manifests: Manifest[] = [];
  const read = fetchAhead(listing.manifests, fetchesAheadMax, async (listed) => {
    try {
      return await readManifest(store, accountId, listed);
    } catch (error) {
      if (!isDamage(error)) throw error;
      report(finding('unreadable-manifest', listed.key, `The snapshot at ${listed.seq} cannot be read: ${error.message}`));
    }
  });
  for await (const manifest of read) if (manifest !== undefined) manifests.push(manifest);
  return manifests;
}

/** Names of parts that are missing or damaged. Notes the blobs that parts name. */
async function verifyParts(context: VerifyContext, listing: AccountListing, manifests: readonly Manifest[]): Promise<Set<string>> {
  const { store, accountId, report, signal } = context;
  const damaged = new Set<string>();
  const named = new Map<string, { part: ManifestPart; seq: number }>();
  for (const { position, parts } of manifests) {
    for (const part of parts) if (!named.has(part.object)) named.set(part.object, { part, seq: position.seq });
  }
  const present: { part: ManifestPart; seq: number }[] = [];
  for (const entry of named.values()) {
    if (listing.parts.has(entry.part.object)) present.push(entry);
    else {
      damaged.add(entry.part.object);
      const by = manifestKey(accountId, entry.seq);
      report(finding('missing-part', partKeyOf(accountId, entry.part), `${by} names this part, and it is not there.`));
    }
  }
  for (const [object, { key, size }] of listing.parts)
    if (!named.has(object)) report(finding('orphan-part', key, `No manifest names this part of ${size} bytes.`));

  const bodies = fetchAhead(present, partsAhead, async ({ part }) => {
    const key = partKeyOf(accountId, part);
    return { key, part, body: await store.get(key, { signal }).then(({ body }) => body, damageOf) };
  });
  for await (const { key, part, body } of bodies) {
    try {
      if (body instanceof Error) throw body;
      for (const line of decodePart(key, body, accountId, part).lines) listing.blobs.nameAllIn(line);
    } catch (error) {
      if (!isDamage(error)) throw error;
      damaged.add(part.object);
      report(finding('unreadable-part', key, `This part (${part.kind} ${part.range}) cannot be read: ${error.message}`));
    }
    await context.clock.sleep(0, signal);
  }
  return damaged;
}

export function damageOf(error: unknown): Error {
  if (!isDamage(error)) throw error;
  return error;
}
