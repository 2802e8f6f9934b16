/** Lists of `<...>`: message ids (RFC 5322 §3.6.4) and URLs (RFC 2369). */
import { messageIdCharsMax } from './limits.ts';

/**
 * The ids of a Message-ID, In-Reply-To or References value, without angle brackets and inner spaces. Words around them (RFC 822's phrases) are
 * passed over. A value without brackets gives its words that look like ids.
 */
export function parseMessageIds(value: string): string[] {
  const ids = parseBracketed(value).filter((id) => id.length <= messageIdCharsMax);
  if (ids.length > 0 || value.includes('<')) return ids;
  return value.split(/[\s,]+/).filter((word) => word.includes('@') && word.length <= messageIdCharsMax);
}

/** What stands between each `<` and the next `>`, spaces taken out; of `<<a>` the inner one. */
export function parseBracketed(value: string): string[] {
  const found: string[] = [];
  let position = 0;
  for (;;) {
    const close = value.indexOf('>', position);
    if (close < 0) return found;
    const before = value.slice(position, close);
    const open = before.lastIndexOf('<');
    const inner = open < 0 ? '' : before.slice(open + 1).replace(/\s+/g, '');
    if (inner !== '') found.push(inner);
    position = close + 1;
  }
}
