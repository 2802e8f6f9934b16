import { describe, expect, test } from 'vitest';
import { canonicalAddress, canonicalDomain, displayDomain, requireAddress } from '../../../storage/directory/address.ts';

describe('addresses that mean the same mailbox have one canonical form', () => {
  test.each([
    ['the domain is compared without case', 'ann@EXAMPLE.com', 'ann@example.com'],
    ['so is the local part', 'Ann.Lee@example.com', 'ann.lee@example.com'],
    ['a U-label is its A-label', 'ann@bücher.example', 'ann@xn--bcher-kva.example'],
    ['an A-label is itself, in lower case', 'ann@XN--BCHER-KVA.example', 'ann@xn--bcher-kva.example'],
    ['a decomposed local part is composed', 'jose\u0301@example.com', 'jos\u00e9@example.com'],
    ['a quoted local part is unquoted', '"ann.lee"@example.com', 'ann.lee@example.com'],
    ['a quoted pair is its character', '"a\\"b"@example.com', 'a"b@example.com'],
    ['the last @ divides', '"a@b"@example.com', 'a@b@example.com'],
    ['a single label is a domain', 'me@localhost', 'me@localhost'],
  ])('%s', (_claim, address, canonical) => {
    expect(canonicalAddress(address)).toBe(canonical);
  });

  test.each([
    ['nothing before the @', '@example.com'],
    ['nothing behind it', 'ann@'],
    ['no @', 'ann'],
    ['a domain with an empty label', 'ann@example..com'],
    ['a trailing dot', 'ann@example.com.'],
    ['a space in the domain', 'ann@exa mple.com'],
    ['an encoded character, which a URL would decode', 'ann@exa%6dple.com'],
    ['an IP address', 'ann@127.0.0.1'],
    ['an address literal', 'ann@[127.0.0.1]'],
    ['a control character', 'a\u0000nn@example.com'],
    ['a label of 64', `ann@${'a'.repeat(64)}.com`],
    ['a local part of 65', `${'a'.repeat(65)}@example.com`],
    ['300 characters', `ann@${'a.'.repeat(150)}com`],
  ])('%s is no address', (_claim, address) => {
    expect(canonicalAddress(address)).toBeUndefined();
  });

  test.each([
    'a b@example.com',
    'ann..lee@example.com',
    '.ann@example.com',
    '"a@b"@example.com',
    'ann,bob@example.com',
    '*@example.com.',
    'ann',
  ])('the directory does not take %s', (address) => {
    expect(() => requireAddress(address)).toThrow(/is not a mail address/);
  });

  test('a domain is shown as people write it', () => {
    expect(displayDomain(canonicalDomain('BÜCHER.example')!)).toBe('bücher.example');
  });
});
