import { describe, expect, test } from 'vitest';
import { hashArgon2, parsePhc, verifyArgon2 } from '../../../server/auth/argon2.ts';
import { makePasswordKeys, randomPassword } from '../../../server/auth/password.ts';
import { saslPrep } from '../../../server/auth/saslprep.ts';
import { deriveScramKeys } from '../../../server/auth/scram-keys.ts';

describe('argon2id', () => {
  // Made by the reference implementation: echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1 -l 32 -e (its own test vector).
  const reference = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';

  test("verifies the reference implementation's string", async () => {
    expect(await verifyArgon2(reference, 'password')).toBe(true);
    expect(await verifyArgon2(reference, 'Password')).toBe(false);
  });

  test("writes the reference implementation's string", async () => {
    expect(await hashArgon2('password', Buffer.from('somesalt'), { memoryKiB: 65_536, passes: 2, parallelism: 1 })).toBe(reference);
  });

  test('hashes with the parameters of the day, and the string says them', async () => {
    const phc = await hashArgon2('correct horse', Buffer.alloc(16, 7));
    expect(phc).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(parsePhc(phc).salt).toEqual(Buffer.alloc(16, 7));
    expect(await verifyArgon2(phc, 'correct horse')).toBe(true);
  });

  test.each([
    ['another algorithm', reference.replace('argon2id', 'argon2i')],
    ['another version', reference.replace('v=19', 'v=16')],
    ['a memory that would stop the server', reference.replace('m=65536', 'm=9999999')],
    ['no hash', reference.slice(0, 50)],
    ['a word', 'secret'],
  ])('%s in a stored string is corrupt, not a wrong password', async (_claim, phc) => {
    await expect(verifyArgon2(phc, 'password')).rejects.toMatchObject({ name: 'StorageError', code: 'corrupt' });
  });
});

describe('SASLprep', () => {
  test.each([
    ['RFC 4013 §3: a soft hyphen is mapped to nothing', 'I\u00adX', 'IX'],
    ['RFC 4013 §3: no transformation', 'user', 'user'],
    ['RFC 4013 §3: case is kept', 'USER', 'USER'],
    ['RFC 4013 §3: the feminine ordinal is an a', '\u00aa', 'a'],
    ['RFC 4013 §3: the Roman nine is IX', '\u2168', 'IX'],
    ['a no-break space is a space', 'a\u00a0b', 'a b'],
    ['a decomposed letter is composed', 'e\u0301', '\u00e9'],
    ['an emoji stays', 'pass\u{1f511}', 'pass\u{1f511}'],
  ])('%s', (_claim, text, prepared) => {
    expect(saslPrep(text)).toBe(prepared);
  });

  test.each([
    ['RFC 4013 §3: a control character', '\u0007'],
    ['a DEL', 'a\u007f'],
    ['a private use character', '\ue000'],
    ['half a surrogate pair', '\ud800'],
    ['a non-character', '\uffff'],
    ['a change of direction', 'a\u202eb'],
    ['a tag character', 'a\u{e0041}'],
  ])('%s is prohibited', (_claim, text) => {
    expect(saslPrep(text)).toBeUndefined();
  });
});

describe('a new password', () => {
  test('is kept as an argon2id string and SCRAM keys, each with a salt of its own', async () => {
    const [first, second] = await Promise.all([makePasswordKeys('correct horse'), makePasswordKeys('correct horse')]);
    expect(await verifyArgon2(first.argon2, 'correct horse')).toBe(true);
    const { salt, iterations } = first.scramSha256;
    expect(await deriveScramKeys('correct horse', Buffer.from(salt, 'base64'), iterations)).toEqual(first.scramSha256);
    expect(Buffer.from(salt, 'base64')).toHaveLength(16);
    expect(first.argon2).not.toBe(second.argon2);
    expect(salt).not.toBe(second.scramSha256.salt);
  });

  test.each([
    ['an empty one', '', 'invalidArguments', /empty/],
    ['a control character', 'correct\u0000horse', 'invalidArguments', /cannot be used/],
    ['more than a kilobyte', 'x'.repeat(1_025), 'tooLarge', /at most 1024 bytes/],
  ])('of %s is refused', async (_claim, password, code, sentence) => {
    await expect(makePasswordKeys(password)).rejects.toMatchObject({ code, message: expect.stringMatching(sentence) });
  });

  test('drawn at random has 100 bits in characters that cannot be confused, and is accepted', async () => {
    const drawn = Array.from({ length: 2_000 }, randomPassword);
    for (const password of drawn) expect(password).toMatch(/^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){4}$/);
    expect(new Set(drawn).size).toBe(drawn.length);
    expect(new Set(drawn.join('').replaceAll('-', '')).size).toBe(32);
    await expect(makePasswordKeys(drawn[0]!)).resolves.toBeDefined();
  });
});
