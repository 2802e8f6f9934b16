/** Bytes of files that are mapped into this process and in memory. Other systems than Linux do not say; there it is 0. */
import { existsSync, readFileSync } from 'node:fs';

const status = '/proc/self/status';

export function mappedBytes(): number {
  if (!existsSync(status)) return 0;
  return Number(/^RssFile:\s+(\d+) kB/m.exec(readFileSync(status, 'utf8'))?.[1] ?? 0) * 1024;
}
