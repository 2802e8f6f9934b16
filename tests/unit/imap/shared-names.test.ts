import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatSharedName, parseSharedName } from '../../../protocol/imap/mailbox-name.ts';
import { RightSet } from '../../../protocol/mail/acl.ts';

it('names of what others share lead back to whose it is, also where an address has delimiters and wildcards', () => {
  const owner = fc.string({ minLength: 1, unit: fc.constantFrom('a', '/', '%', '*', '=', '2', 'F', '@', '.') });
  const path = fc.array(fc.stringMatching(/^[a-z =]{1,8}$/), { maxLength: 3 });
  fc.assert(
    fc.property(owner, path, (address, levels) => {
      const name = formatSharedName(address, levels);
      expect(name.split('/')[1]).not.toMatch(/[%*]/);
      expect(parseSharedName(name)).toEqual({ owner: address, path: levels });
    }),
  );
  expect(parseSharedName('Other Users/ann@example.com/inbox/Below')?.path).toEqual(['INBOX', 'Below']);
  expect(['Other Users', 'other users/ann@example.com/x', 'Others/x'].map(parseSharedName)).toEqual([undefined, undefined, undefined]);
});

it('rights are a set in the order of RFC 4314, with what RFC 2086 had for their members', () => {
  expect(RightSet.parse('elr')?.letters).toBe('lre');
  expect(RightSet.parse('lrcd')).toEqual(RightSet.of('lrkxte'));
  expect(['z', 'L', 'l r', '0', '+l', 'l-'].map(RightSet.parse)).toEqual(Array.from({ length: 6 }, () => undefined));
  expect(RightSet.of('lrx').format()).toBe('lrxc');
  expect(RightSet.of('lre').format()).toBe('lred');
  expect(RightSet.of('rl').with(RightSet.of('swipkxtea'))).toBe(RightSet.all);
  expect(RightSet.all.without(RightSet.all)).toBe(RightSet.none);
});
