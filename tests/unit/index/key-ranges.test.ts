/** Ranges of keys by prefix: whatever bytes a hash or number ends with. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { endOf } from '../../../storage/index/kv.ts';

const bytes = (key: string) => Buffer.from(key, 'latin1');

test('a range by prefix has every key that begins with it, and no other', () => {
  const byte = fc.oneof(fc.constantFrom(0, 254, 255), fc.nat(255));
  const text = fc.array(byte, { maxLength: 6 }).map((codes) => String.fromCharCode(...codes));
  fc.assert(
    fc.property(text, text, (rest, other) => {
      const prefix = `I${rest}`;
      const isInside = (key: string) =>
        Buffer.compare(bytes(prefix), bytes(key)) <= 0 && Buffer.compare(bytes(key), bytes(endOf(prefix))) < 0;
      expect(isInside(prefix + other)).toBe(true);
      expect(isInside(`I${other}`)).toBe(`I${other}`.startsWith(prefix));
      expect(isInside(`J${other}`)).toBe(false);
    }),
  );
});
