/** What the operating system refused, in a sentence: `ENOTDIR: not a directory, mkdir '…'` tells an administrator less than the path and the cause. */

const causes: Readonly<Record<string, string>> = {
  EACCES: 'this user may not do that there',
  EEXIST: 'it is there already and is no folder',
  EISDIR: 'it is a folder',
  EMFILE: 'too many files are open',
  ENOENT: 'it is not there',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of the path is no folder',
  EPERM: 'this user may not do that there',
  EROFS: 'the file system is read-only',
};

/** Undefined for an error that is not about a file, or of an unknown cause. */
export function sentenceOfSystemError(error: unknown): string | undefined {
  const { code, path, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  const cause = code === undefined ? undefined : causes[code];
  return cause === undefined || typeof path !== 'string' ? undefined : `${path}: ${cause} (${syscall ?? 'file'}, ${code}).`;
}
