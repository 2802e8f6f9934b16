/**
 * Names of the files below a folder, in key order, one directory in memory at a time (each level of nesting holds its own).
 *
 * A directory sorts as its name with `/` after it, which is where its contents stand among the keys: `a-b` < `a/b` < `a0`.
 */
import type { Dirent } from 'node:fs';
import { isAbsent, readdir } from './file-system.ts';
import { compareKeys } from './object-store.ts';

export interface WalkRange {
  readonly prefix: string;
  readonly startAfter: string | undefined;
}

/** Keys under `root` within `range`. `isHidden` says which entries of the root itself are not objects. */
export async function* walkKeys(root: string, range: WalkRange, isHidden: (name: string) => boolean): AsyncGenerator<string> {
  const folder = range.prefix.slice(0, range.prefix.lastIndexOf('/') + 1);
  yield* walkFolder(root, folder, range, folder === '' ? isHidden : () => false);
}

async function* walkFolder(root: string, folder: string, range: WalkRange, isHidden: (name: string) => boolean): AsyncGenerator<string> {
  const entries = await readEntries(`${root}/${folder}`);
  const keys: string[] = [];
  for (const entry of entries) {
    if (isHidden(entry.name)) continue;
    const key = entry.isDirectory() ? `${folder}${entry.name}/` : entry.isFile() ? folder + entry.name : undefined;
    if (key !== undefined && mayHold(key, range)) keys.push(key);
  }
  keys.sort(compareKeys);
  for (const key of keys) {
    if (key.endsWith('/')) yield* walkFolder(root, key, range, () => false);
    else yield key;
  }
}

/** Whether the key, or for a folder something in it, lies in the range. */
function mayHold(key: string, { prefix, startAfter }: WalkRange): boolean {
  const isFolder = key.endsWith('/');
  if (!key.startsWith(prefix) && !(isFolder && prefix.startsWith(key))) return false;
  if (startAfter === undefined || compareKeys(key, startAfter) > 0) return true;
  return isFolder && startAfter.startsWith(key);
}

async function readEntries(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}
