import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mailboxesOf, parseAddresses, parseList, parsePlainAddress, toEmailAddress } from '../../protocol/mime/address.ts';
import { baseSubject } from '../../protocol/mime/base-subject.ts';
import { decodeText } from '../../protocol/mime/charset.ts';
import { formatDate, parseDate } from '../../protocol/mime/date.ts';
import { decodeWords, encodeWords } from '../../protocol/mime/encoded-word.ts';
import { scanHeader } from '../../protocol/mime/header.ts';
import { asDate, asGroupedAddresses, asMessageIds, asRaw, asText, asUrls } from '../../protocol/mime/header-forms.ts';
import { decodeParameter, parseParameterized } from '../../protocol/mime/parameters.ts';
import { extractText } from '../../protocol/mime/text-extract.ts';
import { decodeBase64, decodedLength, decodeQuotedPrintable, decodeTransfer } from '../../protocol/mime/transfer-encoding.ts';
import { spamAssassinMessages } from '../support/corpus.ts';
import { checkMessage } from '../unit/mime/invariants.ts';

const bytes = fc.uint8Array({ maxLength: 400 });

/** Pieces that mail is made of, glued together at random: far likelier to reach odd states than random bytes. */
const piece = fc.constantFrom(
  '--b\r\n',
  '--b--\r\n',
  '--bb\n',
  '--b',
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  'Content-Type: multipart/mixed; boundary=b\r\n',
  'Content-Type: multipart/digest; boundary="bb"\n',
  'Content-Type: message/rfc822\r\n',
  'Content-Type: text/html; charset=\xe4\r\n',
  'Content-Transfer-Encoding: base64\r\n',
  'Content-Transfer-Encoding: quoted-printable\r\n',
  "Content-Disposition: attachment; filename*0*=utf-8''%e4; filename*1=x\r\n",
  'From: "A \\" <a@b>, c (d) <e@f>; g: h@i;\r\n',
  'To: undisclosed-recipients:;\r\n',
  'Subject: =?utf-8?q?=e4=b8?= =?utf-8?q?=ad?=\r\n',
  'Received: x\r\n',
  'no colon\r\n',
  'From me Mon Jan 1\r\n',
  ': empty\r\n',
  'X:\xff\xfe\r\n',
  '=3D=\r\n',
  'aGVsbG8=',
  '<p>text</p>',
  'Content-Type: message/global\r\n',
  'Content-Language: de, (c) en\r\n',
  'Content-Description: "\\\r\n',
);
const messageLike = fc.array(piece, { maxLength: 30 }).map((pieces) => Buffer.from(pieces.join(''), 'latin1'));

const headerPiece = fc.constantFrom(
  '"',
  '\\',
  '(',
  ')',
  '<',
  '>',
  '@',
  ',',
  ';',
  ':',
  '.',
  ' ',
  '\t',
  '\r\n ',
  '[',
  ']',
  'a',
  'bc',
  '=?utf-8?q?x?=',
  '=?',
  '?=',
  '=?a?b?',
  '\xe4',
  '\0',
  '*0*',
  '=',
  "'",
  '%41',
  'Re:',
  'fwd',
  '(fwd)',
  '[x]',
  '1',
  ' Jan ',
  '2020',
  '12:00',
  '+0100',
);
const headerLike = fc.array(headerPiece, { maxLength: 40 }).map((pieces) => pieces.join(''));

describe('any bytes', () => {
  it('parse without a throw, and hold every invariant', () => {
    fc.assert(
      fc.property(bytes, (raw) => checkMessage(raw)),
      { numRuns: 500 },
    );
  });

  it('that look like mail hold every invariant', () => {
    fc.assert(
      fc.property(messageLike, (raw) => checkMessage(raw)),
      { numRuns: 3000 },
    );
  });

  it('that look like mail yield text without a throw', async () => {
    await fc.assert(
      fc.asyncProperty(messageLike, async (raw) => {
        const { text, preview } = await extractText(raw);
        return text.isWellFormed() && preview.isWellFormed() && preview.length <= 256;
      }),
      { numRuns: 300 },
    );
  });

  it('decode to as many bytes as decodedLength says', () => {
    fc.assert(
      fc.property(bytes, fc.constantFrom('base64', 'quoted-printable', 'x-uuencode', '7bit', 'nonsense'), (raw, encoding) => {
        return decodeTransfer(raw, encoding).length === decodedLength(raw, encoding);
      }),
    );
  });

  it('are text in any charset', () => {
    fc.assert(
      fc.property(
        bytes,
        fc.oneof(fc.string(), fc.constantFrom('utf-7', 'iso-2022-jp', 'hz-gb-2312', 'iso-2022-kr', 'gb18030')),
        (raw, charset) => typeof decodeText(raw, charset) === 'string',
      ),
    );
  });
});

describe('mutated real messages', () => {
  it('hold every invariant', () => {
    const messages = spamAssassinMessages().filter((message) => message.raw.length < 12_000);
    const mutation = fc.record({
      at: fc.nat(),
      kind: fc.constantFrom('flip', 'cut', 'repeat', 'insert'),
      value: fc.nat(255),
      length: fc.nat(200),
    });
    fc.assert(
      fc.property(fc.nat(messages.length - 1), fc.array(mutation, { minLength: 1, maxLength: 6 }), (index, mutations) => {
        let raw = Buffer.from(messages[index]!.raw);
        for (const { at, kind, value, length } of mutations) {
          const from = at % (raw.length + 1);
          const piece = raw.subarray(from, from + length);
          if (kind === 'flip') raw[Math.min(from, raw.length - 1)] = value;
          if (kind === 'cut') raw = Buffer.concat([raw.subarray(0, from), raw.subarray(from + length)]);
          if (kind === 'repeat') raw = Buffer.concat([raw.subarray(0, from), piece, piece, raw.subarray(from)]);
          if (kind === 'insert') raw = Buffer.concat([raw.subarray(0, from), Buffer.from([10, value, 58]), raw.subarray(from)]);
        }
        checkMessage(raw);
      }),
      { numRuns: 1500 },
    );
  });
});

describe('header field names', () => {
  it('are those written, in lower case, whatever names were read before', () => {
    const char = fc.integer({ min: 33, max: 126 }).map((code) => (code === 58 ? '{' : String.fromCharCode(code)));
    const name = fc.oneof(fc.string({ unit: char, minLength: 1, maxLength: 3 }), fc.string({ unit: char, minLength: 50, maxLength: 80 }));
    fc.assert(
      fc.property(fc.array(name, { minLength: 200, maxLength: 400 }), (names) => {
        const header = Buffer.from(names.map((text) => `${text}: x\r\n`).join(''), 'latin1');
        expect(scanHeader(header).fields.map((field) => field.name)).toEqual(names.map((text) => text.toLowerCase()));
      }),
      { numRuns: 50 },
    );
  });
});

describe('header values', () => {
  it('of any form are read without a throw', () => {
    fc.assert(
      fc.property(fc.oneof(headerLike, fc.string({ unit: 'binary', maxLength: 200 })), (value) => {
        const latin1 = Buffer.from(value).toString('latin1');
        for (const input of [value, latin1]) {
          parseAddresses(input);
          decodeWords(input);
          parseDate(input);
          baseSubject(input);
          for (const [name] of parseParameterized(input).parameters)
            decodeParameter(parseParameterized(input).parameters, name.replace(/\*$/, ''));
          for (const form of [asRaw, asText, asDate, asGroupedAddresses, asMessageIds, asUrls]) form(input);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('of a plain form hold the address that the whole grammar reads', () => {
    const some = (...pieces: readonly string[]) => fc.array(fc.constantFrom(...pieces), { maxLength: 5 }).map((list) => list.join(''));
    const name = some('a', 'B c', '_', ' ', '.', ', ', '-', "'", '@', '"', '=?');
    const address = fc.tuple(some('a', '1', '.', '-', '+', '_'), some('x', '.', '-', 'y.example', ' ')).map((both) => both.join('@'));
    const quoted = fc.tuple(name, fc.constantFrom('', ' ')).map(([words, gap]) => `"${words}"${gap}`);
    const value = fc.oneof(
      address,
      fc
        .tuple(
          fc.oneof(
            fc.constant(''),
            name.map((words) => `${words} `),
            quoted,
          ),
          address,
        )
        .map(([before, spec]) => `${before}<${spec}>`),
    );
    let plain = 0;
    fc.assert(
      fc.property(value, (text) => {
        const found = parsePlainAddress(text);
        if (found === undefined) return;
        plain++;
        expect(parseList(text)).toEqual([found]);
      }),
      { numRuns: 3000 },
    );
    // Some 340 by chance: the claim is not about nothing.
    expect(plain).toBeGreaterThan(100);
  });

  it('never lose an address that was written well', () => {
    const local = fc.stringMatching(/^[a-z][a-z0-9+_-]{0,10}$/);
    const address = fc
      .tuple(fc.string({ maxLength: 12 }), local, local)
      .map(([name, user, host]) => ({ name, email: `${user}@${host}.example` }));
    fc.assert(
      fc.property(fc.array(address, { maxLength: 6 }), (addresses) => {
        const value = addresses.map(({ name, email }) => `"${encodeWords(name).replace(/["\\]/g, '\\$&')}" <${email}>`).join(', ');
        const read = mailboxesOf(parseAddresses(value)).map(toEmailAddress);
        const emails = read.map((entry) => entry.email).join();
        return emails === addresses.map((entry) => entry.email).join();
      }),
    );
  });

  it('encoded as words decode to the same text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 120 }),
        (text) => text.includes('=?') || decodeWords(encodeWords(text)) === text,
      ),
    );
  });

  it('dates come back from their JMAP form', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e9 }), fc.integer({ min: -12 * 60, max: 14 * 60 }), (seconds, offsetMinutes) => {
        const date = { ms: seconds * 1000, offsetMinutes };
        const read = parseDate(formatDate(date));
        return read !== null && read.ms === date.ms && read.offsetMinutes === offsetMinutes;
      }),
    );
  });

  it('base64 and quoted-printable give back what was encoded', () => {
    fc.assert(
      fc.property(bytes, (raw) => {
        const base64 = Buffer.from(raw).toString('base64').replace(/.{20}/g, '$&\r\n');
        const quoted = [...raw]
          .map((byte) => `=${byte.toString(16).padStart(2, '0').toUpperCase()}`)
          .join('')
          .replace(/.{30}/g, '$&=\r\n');
        return (
          Buffer.compare(decodeBase64(Buffer.from(base64)), raw) === 0 &&
          Buffer.compare(decodeQuotedPrintable(Buffer.from(quoted)), raw) === 0
        );
      }),
    );
  });
});
