/** compress = "COMPRESS" SP algorithm (RFC 4978 §5). */
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';

export interface CompressArguments {
  /** Upper case. */
  readonly algorithm: string;
}

export function decodeCompress(scanner: Scanner): CompressArguments {
  scanner.space();
  const algorithm = scanner.keyword('an algorithm');
  scanner.expectEnd();
  return { algorithm };
}

export function encodeCompress({ algorithm }: CompressArguments): Buffer {
  return new CommandWriter().raw(`COMPRESS ${algorithm}`).toBuffer();
}
