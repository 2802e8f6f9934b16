/** A store that takes nothing (a read-only disk, rights that lack): each face says so, keeps the session, and the log has the reason. */
import { expect, test } from 'vitest';
import { StorageError } from '../../../protocol/mail/errors.ts';
import { refusalOf } from '../../../server/imap/refusal.ts';
import { methodErrorOf } from '../../../server/jmap/refusal.ts';
import { createLogger } from '../../../server/logger.ts';

const error = new StorageError('refused', 'Could not write x: the file system is read-only (EROFS).');

test('IMAP tells it from a store that lost something', () => {
  const refusal = refusalOf(error);
  expect(refusal).toMatchObject({ status: 'NO', code: 'CONTACTADMIN', text: expect.stringContaining('refuses'), isReported: true });
  expect(refusal.isFatal).toBeUndefined();
  expect(refusalOf(new StorageError('missing', 'x')).text).not.toBe(refusal.text);
});

test('JMAP tells it from a mistake of ours', () => {
  const lines: string[] = [];
  const logger = createLogger({ level: 'error', format: 'json', write: (line) => void lines.push(line) });
  expect(methodErrorOf(error, logger, 'Email/set')).toEqual({ type: 'serverFail', description: expect.stringContaining('store refuses') });
  expect(lines.join('')).toContain('EROFS');
});
