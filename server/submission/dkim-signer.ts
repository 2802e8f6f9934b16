/**
 * Signs a message by DKIM (RFC 6376, ed25519 by RFC 8463), relaxed in header and body, so that relays which fold anew do no harm. Pure.
 */
import { createHash, type KeyObject, sign } from 'node:crypto';
import { type HeaderField, scanHeader } from '../../protocol/mime/header.ts';

export interface DkimKey {
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: 'rsa' | 'ed25519';
  readonly privateKey: KeyObject;
}

/**
 * RFC 6376 §5.4.1: fields that say something to the reader. From, Subject, To and the like are named once more than they occur, so that none can be
 * added on the way.
 */
const signedNames = [
  'from',
  'sender',
  'reply-to',
  'subject',
  'date',
  'message-id',
  'to',
  'cc',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
  'in-reply-to',
  'references',
  'list-id',
  'list-unsubscribe',
  'list-unsubscribe-post',
  'auto-submitted',
];
const sealedNames = ['from', 'subject', 'date', 'to', 'cc', 'reply-to'];

/** The DKIM-Signature fields, one a key, each with its CRLF: to be put on top of the message. */
export function dkimSignatures(message: Buffer, keys: readonly DkimKey[], now: number): string {
  const { fields, bodyStart } = scanHeader(message, 0, Number.POSITIVE_INFINITY);
  const bodyHash = createHash('sha256')
    .update(relaxedBody(message.subarray(bodyStart)))
    .digest('base64');
  const signed = signedFields(fields);
  const text = signed.fields.map((field) => relaxedField(message.toString('latin1', field.start, field.end))).join('\r\n');
  return keys.map((key) => signature(key, signed.names, text, bodyHash, now)).join('');
}

function signature(
  { domain, selector, algorithm, privateKey }: DkimKey,
  names: readonly string[],
  text: string,
  bodyHash: string,
  now: number,
): string {
  const unsigned =
    `DKIM-Signature: v=1; a=${algorithm}-sha256; c=relaxed/relaxed; d=${domain}; s=${selector};\r\n` +
    `\tt=${Math.floor(now / 1000)}; h=${names.join(':\r\n\t ')};\r\n\tbh=${bodyHash};\r\n\tb=`;
  const data = Buffer.from(`${text}${text === '' ? '' : '\r\n'}${relaxedField(unsigned)}`, 'latin1');
  // RFC 8463 §3: ed25519 signs the SHA-256 of the data.
  const value = algorithm === 'rsa' ? sign('sha256', data, privateKey) : sign(null, createHash('sha256').update(data).digest(), privateKey);
  return `${unsigned}${value.toString('base64').replace(/.{64}(?=.)/g, '$&\r\n\t ')}\r\n`;
}

/** RFC 6376 §5.4.2: of several fields of one name the lowest first. */
function signedFields(fields: readonly HeaderField[]): { readonly names: readonly string[]; readonly fields: readonly HeaderField[] } {
  const names: string[] = [];
  const chosen: HeaderField[] = [];
  for (const name of signedNames) {
    const found = fields.filter((field) => field.name === name).reverse();
    for (const field of found) {
      names.push(name);
      chosen.push(field);
    }
    if (sealedNames.includes(name)) names.push(name);
  }
  return { names, fields: chosen };
}

/** RFC 6376 §3.4.2. Without the last CRLF. */
function relaxedField(field: string): string {
  const colon = field.indexOf(':');
  const value = field
    .slice(colon + 1)
    .replace(/\r?\n/g, '')
    .replace(/[ \t]+/g, ' ')
    .trim();
  return `${field.slice(0, colon).trim().toLowerCase()}:${value}`;
}

/** RFC 6376 §3.4.4. Linear: whitespace is looked at once. */
function relaxedBody(body: Buffer): Buffer {
  if (body.length === 0) return body;
  const lines = body.toString('latin1').split('\r\n');
  const relaxed = lines.map((line) => (/[ \t]/.test(line) ? line.replace(/[ \t]+/g, ' ').replace(/ $/, '') : line));
  while (relaxed.length > 0 && relaxed.at(-1) === '') relaxed.pop();
  return relaxed.length === 0 ? Buffer.alloc(0) : Buffer.from(`${relaxed.join('\r\n')}\r\n`, 'latin1');
}
