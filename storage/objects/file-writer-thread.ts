/**
 * The thread that gives files to the file store: whoever waits for the disk waits here, and not in the event loop. What has gathered while one batch was
 * synced is the next batch. file-writer.ts owns it.
 */
import { closeSync, constants, fdatasyncSync, fsyncSync, linkSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { type MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { syncDirectory } from './directory-sync.ts';
import { errorCode, fdatasync } from './file-system.ts';
import type { FileWrite, FileWriteAnswer, FileWriteFailure } from './file-writer.ts';

/** Files of a batch, so that the first of many does not wait long. */
const batchMax = 64;

/**
 * So many at once have gathered because syncs take long: they are asked for together, by other threads, and the file system commits its journal once for
 * all. Of fewer, one after the other takes less time than the way to other threads and back.
 */
const togetherMin = 6;

async function runBatch(writes: readonly FileWrite[]): Promise<FileWriteAnswer[]> {
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
  if (files.size < togetherMin) each(files.keys(), always, (write) => fdatasyncSync(files.get(write)!));
  else await Promise.all(Array.from(files, ([write, fd]) => fdatasync(fd).catch((error) => failures.set(write, failureOf(error, true)))));
  for (const fd of files.values()) closeSync(fd);
  each(writes, isFull, (write) => outcomes.set(write, giveName(write)));
  const directories = Map.groupBy(outcomes.keys(), ({ path }) => dirname(path));
  const failed = (named: readonly FileWrite[], error: unknown) => {
    for (const write of named) failures.set(write, failureOf(error, false));
  };
  if (directories.size >= togetherMin) {
    await Promise.all(Array.from(directories, ([directory, named]) => syncDirectory(directory).catch((error) => failed(named, error))));
  } else {
    for (const [directory, named] of directories) {
      try {
        syncDirectoryNow(directory);
      } catch (error) {
        failed(named, error);
      }
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

function syncDirectoryNow(directory: string): void {
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

const queue: FileWrite[] = [];
let isRunning = false;

async function run(port: MessagePort): Promise<void> {
  isRunning = true;
  while (queue.length > 0) {
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
      queue.push(next.message as FileWrite);
    port.postMessage(await runBatch(queue.splice(0, batchMax)));
  }
  isRunning = false;
}

parentPort?.on('message', (write: FileWrite) => {
  queue.push(write);
  if (!isRunning) void run(parentPort!);
});
