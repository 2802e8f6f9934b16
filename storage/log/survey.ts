/**
 * Where the log ends: the log objects from a position on, and the manifests, which sort after them. One LIST in the usual case.
 *
 * A missing next number alone proves nothing, it may have been collected; but a collected number is covered by a manifest, and the newest
 * manifests are always kept.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import { accountPrefix, logKey, manifestKey, parseKey } from '../objects/object-keys.ts';
import type { ListPage, ObjectStore, RequestOptions } from '../objects/object-store.ts';
import { firstPageObjects } from './limits.ts';
import { decodeObject } from './object-codec.ts';

export interface Survey {
  /** Numbers listed from the position on, its own included; ascending. */
  readonly log: readonly number[];
  /** Ascending. */
  readonly manifests: readonly number[];
  /** The store's clock at the first answer. */
  readonly date: number;
  /** Requests that it took. A single one shows one moment. */
  readonly pages: number;
}

export interface SurveyOptions extends RequestOptions {
  /** The store's clock, with each answer. */
  readonly onDate: (date: number) => void;
}

/** `from`: the state's own number, which is listed too; 0 for none. */
export async function surveyLog(store: ObjectStore, account: string, from: number, { onDate, signal }: SurveyOptions): Promise<Survey> {
  const prefix = accountPrefix(account);
  const log: number[] = [];
  const manifests: number[] = [];
  /** False when the listing is past the manifests. */
  const take = (key: string): boolean => {
    const parsed = parseKey(key);
    if (parsed?.kind === 'log') log.push(parsed.seq);
    else if (parsed?.kind === 'manifest') manifests.push(parsed.seq);
    return parsed?.kind !== 'part' && parsed?.kind !== 'raw';
  };
  const startAfter = from > 0 ? logKey(account, from - 1) : undefined;
  let page: ListPage = await store.listPage(prefix, { startAfter, limit: firstPageObjects, signal });
  const { date } = page;
  for (let pages = 1; ; pages++) {
    onDate(page.date);
    const isInside = page.objects.every(({ key }) => take(key));
    if (!isInside || page.next === undefined) return { log, manifests, date, pages };
    page = await store.listPage(prefix, { startAfter: page.next, signal });
  }
}

/** The largest number that is known to have been written. */
export function endOf({ log, manifests }: Survey): number {
  return Math.max(log.at(-1) ?? 0, manifests.at(-1) ?? 0);
}

/** The first number after `seq` that is not listed. */
export function firstMissing({ log }: Survey, seq: number): number {
  let next = seq + 1;
  for (const listed of log) if (listed === next) next++;
  return next;
}

/** Hash of the commit that a snapshot is of; undefined when its manifest is gone or cannot be read. */
export async function snapshotHash(store: ObjectStore, account: string, seq: number): Promise<string | undefined> {
  const key = manifestKey(account, seq);
  try {
    const { body } = await store.get(key);
    const [first] = decodeObject(key, body, { kind: 'manifest', account, seq }, { compress: false }).lines;
    const hash = (first as { position?: { hash?: unknown } } | undefined)?.position?.hash;
    return typeof hash === 'string' ? hash : undefined;
  } catch (error) {
    if (error instanceof StorageError && (error.code === 'missing' || error.code === 'corrupt')) return undefined;
    throw error;
  }
}
