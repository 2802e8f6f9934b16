/** The fast selection of header fields gives byte for byte what the parser of messages gives. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../protocol/imap/wire/byte-writer.ts';
import { headerFieldsFromRaw, scanHeader } from '../../protocol/mime/header.ts';
import { encodeKeptHeader, KeptHeader } from '../../protocol/mime/kept-header.ts';
import { HeaderSelection } from '../../server/imap/fetch/header-selection.ts';

const pieces = fc.constantFrom(
  'From: a',
  'SUBJECT: b',
  'X-Long-Name : c',
  'To',
  ':',
  ' folded',
  '\tfolded',
  '\r\n',
  '\n',
  '\r\n',
  'no colon',
  '\xe9: x',
  '\0',
  'Subject:',
);
const names = fc.subarray(['From', 'subject', 'X-LONG-NAME', 'To', 'Missing']);

describe('header selection', () => {
  it('equals headerFieldsFromRaw, with names and with names excluded', () => {
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), names, fc.boolean(), (list, wanted, isNot) => {
        const header = Buffer.from(list.join(''), 'latin1');
        // What the index keeps are fields: the header ends where its empty line is.
        const fields = header.toString('latin1', 0, scanHeader(header, 0, Number.POSITIVE_INFINITY).fieldsEnd);
        const out = new ByteWriter();
        const kept = new KeptHeader().load(encodeKeptHeader(fields, ['received']));
        const isWritten = new HeaderSelection(wanted, isNot).write(out, kept);
        // A NUL is left to the slow way.
        expect(isWritten).toBe(!fields.includes('\0'));
        if (!isWritten) {
          expect(out.size).toBe(0);
          return;
        }
        const want = Buffer.from(headerFieldsFromRaw(header, wanted, isNot)).toString('latin1');
        expect(out.toBuffer().toString('latin1')).toBe(`{${want.length}}\r\n${want}`);
      }),
      { numRuns: 3000 },
    );
  });
});
