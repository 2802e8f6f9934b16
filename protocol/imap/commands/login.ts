/** login = "LOGIN" SP userid SP password; userid, password = astring (RFC 9051 §6.2.3). */
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';

export interface LoginArguments {
  readonly user: string;
  readonly password: string;
}

export function decodeLogin(scanner: Scanner): LoginArguments {
  scanner.space();
  const user = scanner.astringText();
  scanner.space();
  const password = scanner.astringText();
  scanner.expectEnd();
  return { user, password };
}

export function encodeLogin({ user, password }: LoginArguments): Buffer {
  return new CommandWriter().raw('LOGIN ').string(user).sp().string(password).toBuffer();
}
