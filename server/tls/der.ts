/** Writes the few ASN.1 types that a certificate is made of, in DER (ITU-T X.690). Each function returns one complete element. */

export const sequence = (...elements: readonly Uint8Array[]) => element(0x30, Buffer.concat(elements));
export const set = (...elements: readonly Uint8Array[]) => element(0x31, Buffer.concat(elements));
export const octetString = (content: Uint8Array) => element(0x04, content);
export const boolean = (value: boolean) => element(0x01, Uint8Array.of(value ? 0xff : 0));
export const utf8String = (text: string) => element(0x0c, Buffer.from(text));
/** `[number] EXPLICIT`. */
export const explicit = (number: number, content: Uint8Array) => element(0xa0 | number, content);
/** `[number] IMPLICIT` over a primitive type. */
export const implicit = (number: number, content: Uint8Array) => element(0x80 | number, content);

/** A non-negative integer, from its big-endian bytes. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const digits = bytes.subarray(start);
  return element(0x02, digits[0]! >= 0x80 ? Buffer.concat([Uint8Array.of(0), digits]) : digits);
}

/** Bits from the first byte's highest on; the last `unusedBits` are not part of it. */
export const bitString = (content: Uint8Array, unusedBits = 0) => element(0x03, Buffer.concat([Uint8Array.of(unusedBits), content]));

/** `1.2.840.10045.4.3.2`. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(0x06, Buffer.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** RFC 5280 §4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050, whole seconds. */
export function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().slice(0, 19).replace(/[-T:]/g, '');
  return Number(digits.slice(0, 4)) < 2050 ? element(0x17, Buffer.from(`${digits.slice(2)}Z`)) : element(0x18, Buffer.from(`${digits}Z`));
}

function element(tag: number, content: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(tag), lengthOf(content.length), content]);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.of(0x80 | bytes.length, ...bytes);
}

function base128(value: number): number[] {
  const digits = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) digits.unshift((rest % 128) | 0x80);
  return digits;
}
