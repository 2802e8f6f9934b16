import { describe, expect, it } from 'vitest';
import { baseSubject } from '../../../protocol/mime/base-subject.ts';
import { asDate, asMessageIds, asRaw, asText, asUrls } from '../../../protocol/mime/header-forms.ts';

describe('dates', () => {
  const rows: [value: string, want: string | null][] = [
    ['Fri, 21 Nov 1997 09:55:06 -0600', '1997-11-21T09:55:06-06:00'],
    ['21 Nov 97 09:55:06 GMT', '1997-11-21T09:55:06Z'],
    ['Fri, 21 Nov 1997 09(comment):   55  :  06 -0600', '1997-11-21T09:55:06-06:00'],
    ['Thu, 13 Feb 1969 23:32 -0330 (Newfoundland Time)', '1969-02-13T23:32:00-03:30'],
    ['Mon, 1 Jan 2001 00:00:00 EST', '2001-01-01T00:00:00-05:00'],
    ['Mon, 1 Jan 2001 00:00:00 PDT', '2001-01-01T00:00:00-07:00'],
    ['Mon, 1 Jan 2001 00:00:00 Z', '2001-01-01T00:00:00Z'],
    ['Mon, 1 Jan 2001 00:00:00 constructor', '2001-01-01T00:00:00Z'],
    ['Mon, 1 Jan 2001 00:00:00 K', '2001-01-01T00:00:00Z'],
    ['Mon, 1 Jan 2001 00:00:00 +0530', '2001-01-01T00:00:00+05:30'],
    ['Mon, 1 Jan 2001 00:00:00 +05:30', '2001-01-01T00:00:00+05:30'],
    ['Mon, 1 Jan 2001 00:00:00 GMT+0200', '2001-01-01T00:00:00+02:00'],
    ['Mon, 1 Jan 2001 00:00:00 -0000', '2001-01-01T00:00:00Z'],
    ['Mon, 1 Jan 2001 00:00:00', '2001-01-01T00:00:00Z'],
    ['Mon,1 Jan 2001 00:00:00 +0000', '2001-01-01T00:00:00Z'],
    ['Mon, 1 January 2001 1:02:03 PM', '2001-01-01T13:02:03Z'],
    ['1-Jan-2001 00:00:00 +0100', '2001-01-01T00:00:00+01:00'],
    ['Wed Jan 30 12:00:00 2002', '2002-01-30T12:00:00Z'],
    ['Wed Jan 30 12:00:00 EST 2002', '2002-01-30T12:00:00-05:00'],
    ['Jan 30, 2002 12:00', '2002-01-30T12:00:00Z'],
    ['2002-01-30T12:00:00.123+01:00', '2002-01-30T12:00:00+01:00'],
    ['2002-01-30 12:00:00', '2002-01-30T12:00:00Z'],
    ['Mon, 1 Jan 100 00:00:00 +0000', '2000-01-01T00:00:00Z'],
    ['Mon, 1 Jan 49 00:00:00 +0000', '2049-01-01T00:00:00Z'],
    ['Mon, 1 Jan 50 00:00:00 +0000', '1950-01-01T00:00:00Z'],
    ['Sat, 30 Dec 2016 23:59:60 +0000', '2016-12-30T23:59:59Z'],
    ['31 Feb 2001 00:00:00 +0000', null],
    ['1 Foo 2001 00:00:00 +0000', null],
    ['1 Jan 2001 25:00:00 +0000', null],
    ['yesterday', null],
    ['', null],
    ['0'.repeat(100_000), null],
  ];
  it.each(rows)('%.60s', (value, want) => {
    expect(asDate(value)).toBe(want);
  });
});

describe('base subjects (RFC 5256 §2.1)', () => {
  const rows: [subject: string, want: string][] = [
    ['Hello', 'Hello'],
    ['Re: Hello', 'Hello'],
    ['re:hello', 'hello'],
    ['Re: Fwd: FW: Hello', 'Hello'],
    ['Re[2]: Hello', 'Hello'],
    ['Re [list]: Hello', 'Hello'],
    ['[list] Re: Hello', 'Hello'],
    ['Re: [list] Hello', 'Hello'],
    ['[a] [b] Hello', 'Hello'],
    ['[only]', '[only]'],
    ['Re: [only]', '[only]'],
    ['[a] [b]', '[b]'],
    ['Hello (fwd)', 'Hello'],
    ['Hello (fwd) (FWD)', 'Hello'],
    ['[Fwd: Re: Hello (fwd)]', 'Hello'],
    ['[fwd: [fwd: Hello]]', 'Hello'],
    ['Regarding: x', 'Regarding: x'],
    ['Re :  Hello   there', 'Hello there'],
    ['Re:', ''],
    ['', ''],
    ['(fwd)', ''],
  ];
  it.each(rows)('%s', (subject, want) => {
    expect(baseSubject(subject)).toBe(want);
  });
});

describe('JMAP forms (RFC 8621 §4.1.2)', () => {
  it('Raw keeps folds and replaces what is no UTF-8', () => {
    expect(asRaw(' a\r\n b\0\xff\xc3\xa4')).toBe(' a\r\n b\ufffdä');
  });
  it('Text is unfolded, decoded, trimmed and NFC', () => {
    expect(asText(' a\r\n =?utf-8?q?e=CC=81?= ')).toBe('a é');
  });
  it('MessageIds lose brackets, phrases and folds', () => {
    expect(asMessageIds(' <a@b>\r\n <c@ d>, "phrase" (x) <e>')).toEqual(['a@b', 'c@d', 'e']);
    expect(asMessageIds('bare@id')).toEqual(['bare@id']);
    expect(asMessageIds('Your message of Monday')).toBeNull();
  });
  it('URLs are those in brackets', () => {
    expect(asUrls(' <mailto:list@x?subject=a>, (Web)\r\n <http://x/\r\n y>')).toEqual(['mailto:list@x?subject=a', 'http://x/y']);
    expect(asUrls('none')).toBeNull();
  });
});
