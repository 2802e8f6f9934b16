/**
 * The few file system calls that the file store makes, as promises over the callback API (measured about twice as fast as
 * node:fs/promises and its FileHandles for small files), and what their errors mean.
 */
import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { StorageError } from '../../protocol/mail/errors.ts';
import { UnreachedError } from './object-store.ts';

export const close = promisify(fs.close);
export const copyFile = promisify(fs.copyFile);
export const fdatasync = promisify(fs.fdatasync);
export const fsync = promisify(fs.fsync);
export const link = promisify(fs.link);
export const mkdir = promisify(fs.mkdir);
export const open: (path: string, flags: number | string, mode?: number) => Promise<number> = promisify(fs.open);
export const readdir = promisify(fs.readdir);
export const rename = promisify(fs.rename);
export const stat = promisify(fs.stat);
export const unlink = promisify(fs.unlink);

/** Reads until `buffer` is full or the file ends; returns how many bytes were read. */
export async function readFully(fd: number, buffer: Buffer, position: number): Promise<number> {
  let done = 0;
  while (done < buffer.length) {
    const count = await read(fd, buffer, done, buffer.length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

export async function writeFully(fd: number, body: Uint8Array): Promise<void> {
  let done = 0;
  while (done < body.length) done += await write(fd, body, done);
}

function read(fd: number, buffer: Buffer, offset: number, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, buffer, offset, length, position, (error, count) => (error ? reject(error) : resolve(count)));
  });
}

function write(fd: number, body: Uint8Array, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(fd, body, offset, body.length - offset, null, (error, count) => (error ? reject(error) : resolve(count)));
  });
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

/** There is no such file, or a parent of it is not a folder. */
export function isAbsent(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR';
}

const refusals: Readonly<Record<string, string>> = {
  EACCES: 'this user may not use that file or folder',
  EPERM: 'this user may not use that file or folder',
  EROFS: 'the file system is read-only',
  ENAMETOOLONG: 'a part of the name is longer than the file system takes',
  ENOTDIR: 'another object has the name of one of its folders',
  EISDIR: 'a folder has that name',
  EEXIST: 'another object has the name of one of its folders',
};

/** The StorageError for a failed call; `doing` completes "Could not …". `isUndone`: the store is as if it had not been asked. */
export function storageError(error: unknown, doing: string, isUndone = false): unknown {
  const code = errorCode(error);
  // Only the system's own errors have a `syscall`; others (an abort, a StorageError, a mistake of ours) pass as they are.
  if (code === undefined || !(error instanceof Error) || !('syscall' in error)) return error;
  const refusal = refusals[code];
  if (refusal !== undefined) return new StorageError('refused', `Could not ${doing}: ${refusal} (${code}).`, { cause: error });
  const message = `Could not ${doing}: ${code}.`;
  return isUndone ? new UnreachedError(message, { cause: error }) : new StorageError('unavailable', message, { cause: error });
}
