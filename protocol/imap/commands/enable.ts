/** enable = "ENABLE" 1*(SP capability) (RFC 9051 §6.3.1, RFC 5161). */
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';

export interface EnableArguments {
  /** Upper case, as asked for. */
  readonly capabilities: readonly string[];
}

export function decodeEnable(scanner: Scanner): EnableArguments {
  const capabilities: string[] = [];
  do {
    scanner.space();
    capabilities.push(scanner.keyword('a capability'));
  } while (!scanner.isAtEnd());
  return { capabilities };
}

export function encodeEnable({ capabilities }: EnableArguments): Buffer {
  return new CommandWriter().raw(`ENABLE ${capabilities.join(' ')}`).toBuffer();
}
