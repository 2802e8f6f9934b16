/** All commands. EHLO, what is permitted when, and the modes follow from these rows; there is no second list. */
import type { SmtpMode } from '../handler.ts';
import { auth } from './auth.ts';
import type { SmtpCommand } from './command.ts';
import { data } from './data.ts';
import { greeting } from './greeting.ts';
import { mail } from './mail.ts';
import { session } from './session.ts';

export const commands: readonly SmtpCommand[] = [...greeting, ...auth, ...mail, ...data, ...session];

export const commandTables: Readonly<Record<SmtpMode, ReadonlyMap<string, SmtpCommand>>> = {
  smtp: tableFor('smtp'),
  lmtp: tableFor('lmtp'),
};

function tableFor(mode: SmtpMode): ReadonlyMap<string, SmtpCommand> {
  const rows = commands.filter((row) => row.modes.includes(mode));
  return new Map(rows.flatMap((row) => row.names.map((name) => [name, row] as const)));
}
