/**
 * Commands that are only their name: CAPABILITY, NOOP, LOGOUT, STARTTLS, CHECK, CLOSE, UNSELECT, EXPUNGE, NAMESPACE, IDLE.
 *   command-any = "CAPABILITY" / "LOGOUT" / "NOOP" (RFC 9051 §9)
 */
import type { Scanner } from '../wire/scanner.ts';

export type NoArguments = Readonly<Record<never, never>>;

export function decodeNoArguments(scanner: Scanner): NoArguments {
  // Some clients leave a space at the end.
  while (scanner.take(' '));
  scanner.expectEnd();
  return {};
}
