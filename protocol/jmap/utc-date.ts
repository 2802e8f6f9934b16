/** Date-times of JMAP (RFC 8620 §1.4) as milliseconds since the epoch. */

/** A fraction of zeros, which RFC 8620 §1.4 wants left out, is taken: it is what toISOString() of browsers gives. */
const pattern = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** UTCDate, whole seconds. */
export function formatUtcDate(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** undefined where it is no date, or (for `isUtc`) not in UTC. */
export function parseJmapDate(text: string, isUtc: boolean): number | undefined {
  if (!pattern.test(text) || (isUtc && !text.endsWith('Z'))) return undefined;
  const ms = Date.parse(text.replace(/:60(?=[.Z+-])/, ':59'));
  return Number.isNaN(ms) ? undefined : ms;
}
