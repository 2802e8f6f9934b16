/** command = tag SP command-name …: what stands before a command's arguments (RFC 9051 §2.2.1). */
import { ProtocolError } from '../mail/errors.ts';
import { Scanner } from './wire/scanner.ts';

export interface CommandStart {
  readonly tag: string;
  /** Upper case; of UID commands both words: `UID FETCH`. */
  readonly name: string;
  /** Stands before the arguments. */
  readonly scanner: Scanner;
}

export function decodeCommandStart(text: Buffer, literals: readonly Buffer[] = []): CommandStart {
  const scanner = new Scanner(text, literals);
  const tag = scanner.tag();
  scanner.space();
  let name = scanner.keyword('a command');
  if (name === 'UID') {
    scanner.space();
    name = `UID ${scanner.keyword('a command after UID')}`;
  }
  return { tag, name, scanner };
}

/** The tag of a command that could not be read, or `*` (RFC 9051 §7.1.3) when that could not either. */
export function tagOf(text: Buffer): string {
  try {
    const scanner = new Scanner(text);
    const tag = scanner.tag();
    return scanner.peek() === 0x20 || scanner.isAtEnd() ? tag : '*';
  } catch (error) {
    if (error instanceof ProtocolError) return '*';
    throw error;
  }
}
