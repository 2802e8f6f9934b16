/**
 * Makes a data folder one process's own: two that write one LMDB index would each trust memory that the other has made stale.
 *
 * The lock is SQLite's on an empty database file, which the kernel drops with the process, however that ends: there is no stale lock to
 * judge by process numbers, and taking it is a race that exactly one wins. Beside it stands the number of the process that has it.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const sqliteBusy = 5;

export interface IndexLock extends Disposable {
  readonly folder: string;
}

export type LockResult = { readonly lock: IndexLock } | { readonly heldBy: number | undefined };

/** Takes the lock of `folder`, which is made when it is not there; or tells the process that has it. Never waits. */
export function lockIndexFolder(folder: string): LockResult {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const pidFile = join(folder, 'lock.pid');
  const database = new DatabaseSync(join(folder, 'lock'));
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === sqliteBusy) return { heldBy: readPid(pidFile) };
    throw error;
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  let isHeld = true;
  return {
    lock: {
      folder,
      [Symbol.dispose]() {
        if (isHeld) database.close();
        isHeld = false;
      },
    },
  };
}

function readPid(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}
