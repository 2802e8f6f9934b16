/** CAPABILITY is computed: what the rows say, for this connection as it is now (RFC 9051 §6.1.1). */
import type { AnyCommandRow, CapabilityContext } from './command.ts';

export function capabilities(rows: readonly AnyCommandRow[], context: CapabilityContext): readonly string[] {
  const names = new Set<string>(['IMAP4rev1']);
  for (const { capability } of rows) {
    for (const name of typeof capability === 'function' ? capability(context) : capability) names.add(name);
  }
  return [...names];
}
