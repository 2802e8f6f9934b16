/**
 * Short keys of the index for long texts: two texts with one fingerprint are taken for the same. Not for what must stand against somebody who looks
 * for collisions; a call into a cryptographic library for each message id would take longer than all else that is done with it.
 */

/** 32 bits; `seed` makes another one. MurmurHash3's mixing, one step a character. */
export function fingerprint(text: string, seed = 0): number {
  let state = seed ^ text.length;
  for (let at = 0; at < text.length; at += 1) {
    state = Math.imul(state ^ text.charCodeAt(at), 0xcc9e2d51);
    state = Math.imul((state << 15) | (state >>> 17), 0x1b873593);
  }
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
