/** The wire format of IMAP: commands are the same at every split of their bytes, and patterns of LIST match as they should. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesListPattern } from '../../protocol/imap/mailbox-name.ts';
import { CommandReader } from '../../protocol/imap/wire/command-reader.ts';

/** What a reader makes of `input` cut at `cuts`, every literal accepted up to `literalMax`. */
function read(input: Buffer, cuts: readonly number[], literalMax: number): string[] {
  const reader = new CommandReader(200);
  const events: string[] = [];
  const bounds = [0, ...[...new Set(cuts)].sort((a, b) => a - b), input.length];
  for (let at = 0; at + 1 < bounds.length; at += 1) {
    reader.push(Buffer.from(input.subarray(bounds[at], bounds[at + 1])));
    for (let event = reader.next(); event !== undefined; event = reader.next()) {
      if (event.kind === 'command')
        events.push(`${event.text.toString('latin1')} | ${event.literals.map((l) => l.toString('latin1')).join(' | ')}`);
      else if (event.kind === 'literal') {
        events.push(`literal ${event.octets} ${event.isSynchronizing} after ${event.text.toString('latin1')}`);
        if (event.octets <= literalMax) reader.acceptLiteral();
        else reader.refuseLiteral();
      } else events.push(event.kind === 'overlong' ? `overlong ${event.text.toString('latin1')}` : event.kind);
      if (event.kind === 'endless') return events;
    }
  }
  return events;
}

const pieces = fc.constantFrom(
  'a NOOP',
  'b LOGIN ',
  '{3}',
  '{3+}',
  '~{4+}',
  '{90+}',
  '\r\n',
  '\n',
  'xyz',
  '"q\\"q"',
  ' ',
  'D'.repeat(150),
  '{',
  '}',
  '\r',
  '}\r\n',
  '{0+}\r\n',
  '{99999}\r\n',
);
const inputs = fc.array(pieces, { maxLength: 24 }).map((list) => Buffer.from(list.join(''), 'latin1'));

describe('the command reader', () => {
  it('gives the same commands at every split of its input', () => {
    fc.assert(
      fc.property(inputs, fc.array(fc.nat(400), { maxLength: 12 }), (input, cuts) => {
        const whole = read(input, [], 10);
        const bytewise = read(input, Array.from(input.keys()), 10);
        const some = read(
          input,
          cuts.filter((cut) => cut < input.length),
          10,
        );
        expect(bytewise).toEqual(whole);
        expect(some).toEqual(whole);
      }),
      { numRuns: 1500 },
    );
  });
});

describe('LIST patterns', () => {
  it('match as the regular expression that they stand for', () => {
    const characters = fc.array(fc.constantFrom('a', 'b', '/', '%', '*'), { maxLength: 8 }).map((list) => list.join(''));
    fc.assert(
      fc.property(
        characters.map((text) => text.replace(/[*%]/g, 'a')),
        characters,
        (name, pattern) => {
          const expression = new RegExp(`^${pattern.replace(/[%*]/g, (wildcard) => (wildcard === '%' ? '[^/]*' : '.*'))}$`);
          expect(matchesListPattern(name, pattern)).toBe(expression.test(name));
        },
      ),
      { numRuns: 2000 },
    );
  });
});
