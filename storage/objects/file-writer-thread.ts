/**
 * A thread that gives files to the file store, with plain blocking calls: whoever waits for the disk waits here, and not in the event loop. What has
 * gathered while one batch was synced is the next batch, and shares its syncs: the file system commits its journal once for many. file-writer.ts owns it.
 */
import { closeSync, constants, fdatasyncSync, fsyncSync, linkSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { errorCode } from './file-system.ts';
import type { FileWrite, FileWriteAnswer, FileWriteFailure } from './file-writer.ts';

/** Files of a batch, so that the first of many does not wait long. */
const batchMax = 64;

function runBatch(writes: readonly FileWrite[]): FileWriteAnswer[] {
  const failures = new Map<FileWrite, FileWriteFailure>();
  const outcomes = new Map<FileWrite, 'created' | 'exists'>();
  const each = (of: Iterable<FileWrite>, isUndone: (error: unknown) => boolean, step: (write: FileWrite) => void) => {
    for (const write of of) {
      if (failures.has(write)) continue;
      try {
        step(write);
      } catch (error) {
        failures.set(write, failureOf(error, isUndone(error)));
      }
    }
  };
  const files = new Map<FileWrite, number>();
  each(writes, always, (write) => {
    const fd = openSync(write.temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o640);
    files.set(write, fd);
    for (let done = 0; done < write.body.length; ) done += writeSync(fd, write.body, done);
  });
  each(files.keys(), always, (write) => fdatasyncSync(files.get(write)!));
  for (const fd of files.values()) closeSync(fd);
  each(writes, isFull, (write) => outcomes.set(write, giveName(write)));
  for (const directory of new Set(Array.from(outcomes.keys(), ({ path }) => dirname(path)))) {
    try {
      syncDirectory(directory);
    } catch (error) {
      for (const write of outcomes.keys()) if (dirname(write.path) === directory) failures.set(write, failureOf(error, false));
    }
  }
  for (const write of writes) if (write.kind === 'create' || failures.has(write)) removeNow(write.temporary);
  return writes.map((write) => {
    const { id } = write;
    const failure = failures.get(write);
    return failure === undefined ? { id, outcome: outcomes.get(write)! } : { id, failure };
  });
}

function giveName({ kind, temporary, path }: FileWrite): 'created' | 'exists' {
  if (kind === 'replace') {
    renameSync(temporary, path);
    return 'created';
  }
  try {
    linkSync(temporary, path);
    return 'created';
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    // Its directory is synced all the same: what the caller builds on this answer must not outlive the object.
    return 'exists';
  }
}

function syncDirectory(directory: string): void {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function removeNow(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It may never have been made; what cannot be removed now is removed by an open an hour from now.
  }
}

function always(): boolean {
  return true;
}

/** There was no room for the name. Of other errors it is not known whether the name was given: the file system may be another machine's. */
function isFull(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

function failureOf(error: unknown, isUndone: boolean): FileWriteFailure {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  return { code, syscall, message: String(message), isUndone };
}

parentPort?.on('message', (first: FileWrite) => {
  const batch = [first];
  while (batch.length < batchMax) {
    const next = receiveMessageOnPort(parentPort!) as { message: FileWrite } | undefined;
    if (next === undefined) break;
    batch.push(next.message);
  }
  parentPort!.postMessage(runBatch(batch));
});
