/**
 * thread = "THREAD" SP thread-alg SP search-criteria (RFC 5256 §3);
 *   thread-alg = "ORDEREDSUBJECT" / "REFERENCES" / thread-alg-ext
 *   search-criteria = charset 1*(SP search-key)
 */
import { encodeSearchKey } from '../search-key.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';
import { decodeSearchKeys, type SearchProgram } from './search.ts';

export const threadAlgorithms = ['ORDEREDSUBJECT', 'REFERENCES'] as const;
export type ThreadAlgorithm = (typeof threadAlgorithms)[number];

export interface ThreadArguments extends SearchProgram {
  readonly algorithm: ThreadAlgorithm;
}

export function decodeThread(scanner: Scanner): ThreadArguments {
  scanner.space();
  const name = scanner.keyword('a threading algorithm');
  const algorithm = threadAlgorithms.find((known) => known === name) ?? scanner.fail(threadAlgorithms.join(' or '));
  scanner.space();
  const charset = scanner.astringText().toUpperCase();
  scanner.space();
  return { algorithm, ...decodeSearchKeys(scanner, charset) };
}

export function encodeThread({ algorithm, key, charset }: ThreadArguments, prefix = ''): Buffer {
  return encodeSearchKey(new CommandWriter().raw(`${prefix}THREAD ${algorithm} ${charset} `), key).toBuffer();
}
