/**
 * authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp] *(CRLF base64); initial-resp = base64 / "=" (RFC 9051 §6.2.2, RFC 4959).
 */
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';

export interface AuthenticateArguments {
  /** Upper case. */
  readonly mechanism: string;
  /** The client's first message, when it came with the command. */
  readonly initialResponse?: Buffer;
}

export function decodeAuthenticate(scanner: Scanner): AuthenticateArguments {
  scanner.space();
  const mechanism = scanner.keyword('the name of a mechanism');
  if (scanner.isAtEnd()) return { mechanism };
  scanner.space();
  const start = scanner.position;
  const initialResponse = decodeBase64(scanner.text.subarray(start));
  if (initialResponse === undefined) return scanner.fail('base64');
  scanner.position = scanner.text.length;
  return { mechanism, initialResponse };
}

/** A line of base64; "=" stands for no bytes. undefined when it is not base64. */
export function decodeBase64(line: Buffer): Buffer | undefined {
  const text = line.toString('latin1');
  if (text === '=' || text === '') return text === '=' ? Buffer.alloc(0) : undefined;
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text) ? Buffer.from(text, 'base64') : undefined;
}

export function encodeAuthenticate({ mechanism, initialResponse }: AuthenticateArguments): Buffer {
  const writer = new CommandWriter().raw(`AUTHENTICATE ${mechanism}`);
  if (initialResponse !== undefined) writer.raw(` ${initialResponse.length === 0 ? '=' : initialResponse.toString('base64')}`);
  return writer.toBuffer();
}
