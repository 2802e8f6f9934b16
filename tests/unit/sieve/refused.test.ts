/** What is no script is refused, with the line and the reason. */
import { describe, expect, test } from 'vitest';
import { compile } from '../../../protocol/sieve/compile.ts';
import { SieveError } from '../../../protocol/sieve/syntax.ts';

function fault(source: string): string {
  try {
    compile(source);
    return 'accepted';
  } catch (error) {
    if (error instanceof SieveError) return `${error.line}: ${error.reason}`;
    throw error;
  }
}

const rows: readonly (readonly [script: string, fault: string])[] = [
  ['keep', "1: a semicolon after keep was expected, and the script's end is there."],
  ['keep;\n}', '2: } stands where a command was expected.'],
  ['\n\nfrob;', '3: frob is no command that there is here.'],
  ['header "a" "b";', '1: header is a test, and no command.'],
  ['if keep { stop; }', '1: keep is a command, and no test.'],
  ['fileinto "x";', '1: fileinto needs require "fileinto".'],
  ['require "fileinto";\nfileinto :copy "x";', '2: :copy needs require "copy".'],
  ['require "fileinto";\nfileinto;', '2: fileinto takes one argument, and has 0.'],
  ['require "fileinto";\nfileinto 3;', '2: fileinto takes a string.'],
  ['keep;\nrequire "copy";', '2: require stands at the top, before all other commands.'],
  ['require ["copy",\n"vnd.none"];', '2: there is no extension "vnd.none" here.'],
  ['else { stop; }', '1: else follows an if or an elsif.'],
  ['if true { stop; }\nkeep;\nelsif true { stop; }', '3: elsif follows an if or an elsif.'],
  ['if true;', '1: if needs a block in braces.'],
  ['keep { stop; }', '1: keep has no block.'],
  ['if allof true { stop; }', '1: allof takes tests in parentheses.'],
  ['if header :is :contains "a" "b" { stop; }', '1: :contains and :is exclude each other.'],
  ['if header :comparator "i;none" "a" "b" { stop; }', '1: there is no comparator "i;none" here.'],
  ['if header :comparator "i;ascii-numeric" "a" "b" { stop; }', '1: the comparator needs require "comparator-i;ascii-numeric".'],
  [
    'require "comparator-i;ascii-numeric"; if header :contains :comparator "i;ascii-numeric" "a" "b" { stop; }',
    '1: i;ascii-numeric knows no :contains.',
  ],
  ['if address "subject" "b" { stop; }', '1: the field "subject" holds no addresses.'],
  ['if size 3 { stop; }', '1: size takes no argument, and has 1.'],
  ['redirect "nobody";', '1: "nobody" is no address.'],
  [
    'require "regex"; if header :regex "a" "(" { stop; }',
    '1: the regular expression "(" is not one: error parsing regexp: missing closing ): `(?i)(`',
  ],
  [
    'require "regex"; if header :regex "a" "((a|aa|aaa){1,30}){30}" { stop; }',
    '1: the regular expression "((a|aa|aaa){1,30}){30}" is not one: its repetitions make it too large',
  ],
  ['require "encoded-character"; redirect "${unicode:D800}@x.example";', '1: ${unicode:d800} is no character.'],
  ['require "variables"; set "1a" "x";', '1: set takes the name of a variable.'],
  ['require "vacation"; vacation :seconds 3 "x";', '1: :seconds needs require "vacation-seconds".'],
  ['require "enotify"; notify "xmpp:a@b";', '1: notify knows mailto: with an address, and no other method.'],
  ['keep; /* no end', '1: this comment does not end.'],
  ['redirect "a', '1: this string does not end.'],
  ['keep text:\na\n;', '1: this text does not end: a line with a dot alone is missing.'],
  ['keep 1x;', '1: "1" begins nothing that a script may hold.'],
  ['stop;\n\0', '2: a NUL is no part of a script.'],
  [`${'if true {'.repeat(40)}`, '1: blocks are nested deeper than 32.'],
  [`if ${'not '.repeat(40)} true { stop; }`, '1: tests are nested deeper than 32.'],
  [`# ${'x'.repeat(600_000)}`, '1: the script is larger than 524288 bytes.'],
];

/* Placeholders of Sieve, not of JavaScript. */
describe('a broken script', () => {
  test.each(rows)('%s', (script, expected) => {
    expect(fault(script)).toBe(expected);
  });
});
