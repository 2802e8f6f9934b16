/** Line ends of messages: CRLF (RFC 5322 §2.3). Files of Unix programs have LF alone. */

const lf = 10;
const cr = 13;

/** Each line ends in LF alone, so that CRLF in its place can be undone. */
export function hasUnixLines(bytes: Buffer): boolean {
  const first = bytes.indexOf(lf);
  return first >= 0 && bytes.indexOf('\r\n', 0, 'latin1') < 0;
}

/** CRLF where there was LF alone. The same buffer where there was none. */
export function withCrlf(bytes: Buffer): Buffer {
  let lone = 0;
  for (let at = bytes.indexOf(lf); at >= 0; at = bytes.indexOf(lf, at + 1)) if (at === 0 || bytes[at - 1] !== cr) lone++;
  if (lone === 0) return bytes;
  const whole = Buffer.allocUnsafe(bytes.length + lone);
  let from = 0;
  let to = 0;
  for (let at = bytes.indexOf(lf); at >= 0; at = bytes.indexOf(lf, at + 1)) {
    if (at > 0 && bytes[at - 1] === cr) continue;
    to += bytes.copy(whole, to, from, at);
    whole[to++] = cr;
    from = at;
  }
  bytes.copy(whole, to, from);
  return whole;
}

/** What withCrlf made of Unix lines, as it was. */
export function withUnixLines(bytes: Buffer): Buffer {
  const whole = Buffer.allocUnsafe(bytes.length);
  let from = 0;
  let to = 0;
  for (let at = bytes.indexOf('\r\n', 0, 'latin1'); at >= 0; at = bytes.indexOf('\r\n', at + 2, 'latin1')) {
    to += bytes.copy(whole, to, from, at);
    from = at + 1;
  }
  to += bytes.copy(whole, to, from);
  return whole.subarray(0, to);
}
