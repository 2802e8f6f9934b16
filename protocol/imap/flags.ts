/** Flags on the wire (RFC 9051 §2.3.2, §9). */
import type { Scanner } from './wire/scanner.ts';

/** flag = "\" atom / atom. Flags that a client may not set are read too: the server ignores or refuses them. */
export function decodeFlag(scanner: Scanner): string {
  return scanner.take('\\') ? `\\${scanner.atom()}` : scanner.atom();
}

/** flag-list = "(" [flag *(SP flag)] ")" */
export function decodeFlagList(scanner: Scanner): string[] {
  return scanner.list(() => decodeFlag(scanner));
}

/** store-att-flags' second half: flag-list / (flag *(SP flag)) */
export function decodeFlags(scanner: Scanner): string[] {
  if (scanner.isNext('(')) return decodeFlagList(scanner);
  const flags: string[] = [];
  do flags.push(decodeFlag(scanner));
  while (scanner.take(' '));
  return flags;
}
