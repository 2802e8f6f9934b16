/**
 * Everything that the store has under an account's prefix, from one listing in key order: log, manifests, parts, raw. So what refers was listed
 * before what it refers to, and a reference found in a listed object can be looked up in the rest of the listing.
 */
import { accountPrefix, parseKey } from '../objects/object-keys.ts';
import type { ObjectInfo, ObjectStore } from '../objects/object-store.ts';
import { BlobListing } from './blob-listing.ts';

/** A commit or manifest. */
export interface ListedNumber {
  readonly seq: number;
  readonly key: string;
  readonly size: number;
  readonly lastModified: number;
}

export interface AccountListing {
  /** The store's Date when it answered first: ages as of it are never too high. */
  readonly date: number;
  /** Oldest first. */
  readonly log: readonly ListedNumber[];
  /** Oldest first. */
  readonly manifests: readonly ListedNumber[];
  /** By name in the account. */
  readonly parts: ReadonlyMap<string, ObjectInfo>;
  readonly blobs: BlobListing;
  /** Under the account's prefix, and not named as we name. */
  readonly unknown: readonly ObjectInfo[];
}

/** One LIST for each 1,000 objects. */
export async function listAccount(store: ObjectStore, accountId: string, signal?: AbortSignal): Promise<AccountListing> {
  const prefix = accountPrefix(accountId);
  const log: ListedNumber[] = [];
  const manifests: ListedNumber[] = [];
  const parts = new Map<string, ObjectInfo>();
  const blobs = new BlobListing();
  const unknown: ObjectInfo[] = [];
  const take = (info: ObjectInfo) => {
    const parsed = parseKey(info.key);
    if (parsed?.kind === 'log') {
      log.push({ ...info, seq: parsed.seq });
      blobs.addLog(parsed.seq, info.size);
    } else if (parsed?.kind === 'manifest') manifests.push({ ...info, seq: parsed.seq });
    else if (parsed?.kind === 'part') parts.set(info.key.slice(prefix.length), info);
    else if (parsed?.kind === 'raw') blobs.add(info);
    else unknown.push(info);
  };
  let page = await store.listPage(prefix, { signal });
  const { date } = page;
  for (;;) {
    page.objects.forEach(take);
    if (page.next === undefined) return { date, log, manifests, parts, blobs, unknown };
    page = await store.listPage(prefix, { startAfter: page.next, signal });
  }
}
