/**
 * What an MTA that we believe says about a message in its Authentication-Results (RFC 8601). Only fields that carry a configured authserv-id count, and
 * only above the second `Received`: the first is the MTA's own, and a milter writes below it; what stands further down a sender may have written.
 */
import { asBuffer } from '../protocol/mime/bytes.ts';
import { fieldValue, scanHeader } from '../protocol/mime/header.ts';
import { blockBytesMax, blockFieldsMax } from './limits.ts';
import { asStatus, type ScanResults } from './ses/header-block.ts';

/** Undefined when no such field is there. */
export function readAuthenticationResults(message: Uint8Array, authservIds: readonly string[]): ScanResults | undefined {
  if (authservIds.length === 0) return undefined;
  const buffer = asBuffer(message).subarray(0, blockBytesMax);
  const { fields } = scanHeader(buffer, 0, blockFieldsMax);
  const found = new Map<string, string>();
  let isThere = false;
  let received = 0;
  for (const field of fields) {
    if (field.name === 'received' && ++received > 1) break;
    if (field.name !== 'authentication-results') continue;
    const results = parseResults(fieldValue(buffer, field));
    if (results === undefined || !authservIds.some((id) => id.toLowerCase() === results.authservId)) continue;
    isThere = true;
    for (const [method, result] of results.methods) {
      // Of several signatures one that passed is enough.
      if (!found.has(method) || (method === 'dkim' && result === 'pass')) found.set(method, result);
    }
  }
  if (!isThere) return undefined;
  const [spf, dkim, dmarc] = ['spf', 'dkim', 'dmarc'].map((method) => asStatus(found.get(method)));
  return { spf, dkim, dmarc, ...(dmarc === 'FAIL' ? { dmarcPolicy: found.get('policy') } : {}) };
}

interface Results {
  readonly authservId: string;
  readonly methods: readonly (readonly [method: string, result: string])[];
}

/**
 * RFC 8601 §2.2: authres-payload = [CFWS] authserv-id [ CFWS authres-version ] ( no-result / 1*resinfo ). Comments and quoted strings may hold
 * anything a sender said, so they go first.
 */
function parseResults(value: string): Results | undefined {
  const [head = '', ...infos] = withoutCommentsAndStrings(value).split(';');
  const authservId = head.trim().split(/\s+/)[0]?.toLowerCase();
  if (authservId === undefined || authservId === '') return undefined;
  const methods: [string, string][] = [];
  for (const info of infos) {
    const [, method, result] = /^\s*(spf|dkim|dmarc)(?:\s*\/\s*\d+)?\s*=\s*([a-z]+)/i.exec(info) ?? [];
    if (method === undefined || result === undefined) continue;
    methods.push([method.toLowerCase(), result.toLowerCase()]);
    const [, policy] = /\spolicy\.(?:dmarc|published-domain-policy)\s*=\s*(none|quarantine|reject)\b/i.exec(info) ?? [];
    if (policy !== undefined) methods.push(['policy', policy.toLowerCase()]);
  }
  return { authservId, methods };
}

/** Linear: comments nest (RFC 5322 §3.2.2), and a parenthesis in a string is none. */
function withoutCommentsAndStrings(value: string): string {
  let text = '';
  let depth = 0;
  let isQuoted = false;
  for (let i = 0; i < value.length; i++) {
    const character = value[i]!;
    if (character === '\\') i++;
    else if (isQuoted) isQuoted = character !== '"';
    else if (character === '"' && depth === 0) isQuoted = true;
    else if (character === '(') depth++;
    else if (character === ')' && depth > 0) depth--;
    else if (depth === 0) text += character;
  }
  return text;
}
