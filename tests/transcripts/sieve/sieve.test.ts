/**
 * Scripts with messages and what is to become of them: every .sieve file here is a claim, every line of tables/*.claims is one, and every extension has some.
 * The tables were run through the Pigeonhole of Dovecot 2.3.19 too, where it has the extension: a comment stands above each claim in which it says otherwise.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { capabilities } from '../../../protocol/sieve/extensions/index.ts';
import { givenBy, run, sections } from '../../support/sieve-scripts.ts';

const folder = new URL('./', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.sieve'));
const tables = readdirSync(new URL('tables/', folder));

describe('a Sieve script', () => {
  test.each(files)('%s', (name) => {
    const read = sections(readFileSync(new URL(name, folder), 'utf8'));
    const of = (title: string) => read.filter((section) => section.title === title).map(({ text }) => text);
    const [script = ''] = of('script');
    const messages = of('message');
    expect(messages.length).toBeGreaterThan(0);
    for (const [index, message] of messages.entries()) {
      expect(run(script, givenBy(of('given').join('')), message)).toEqual(of('expect')[index]!.trimEnd().split('\n'));
    }
  });

  test('is tried for every extension that is offered', () => {
    const scripts = files.map((name) => readFileSync(new URL(name, folder), 'utf8')).join('\n');
    expect(capabilities.filter((name) => !scripts.includes(`"${name}"`))).toEqual([]);
  });
});

/** `yes TEST`, `no TEST` and `refused TEST` of tests; `SCRIPT => outcome` of commands, behind a require, and of scripts, as they stand there. */
function claims(name: string): { readonly got: readonly string[]; readonly want: readonly string[] } {
  const got: string[] = [];
  const want: string[] = [];
  let given: ReturnType<typeof givenBy> = [];
  let message = '';
  let before = '';
  // Without encoded-character: strings stay as they are.
  let required = capabilities.filter((each) => each !== 'encoded-character');
  const outcome = (script: string) => run(script, given, message).join(' | ');
  const head = () => `require [${required.map((each) => JSON.stringify(each)).join(',')}];\n${before}`;
  for (const { title, text } of sections(readFileSync(new URL(`tables/${name}`, folder), 'utf8'))) {
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('# '));
    if (title === 'given') given = givenBy(text);
    else if (title === 'message') message = text;
    else if (title === 'before') before = text;
    else if (title === 'require') required = text.trim().split(' ');
    else if (title === 'tests') {
      for (const line of lines) {
        const asked = line.slice(line.indexOf(' ') + 1);
        const found = outcome(`${head()}if ${asked} { fileinto "yes"; } else { fileinto "no"; }`);
        want.push(line);
        got.push(`${/^fileinto (yes|no)/.exec(found)?.[1] ?? 'refused'} ${asked}`);
      }
    } else {
      for (const line of lines) {
        const script = line.slice(0, line.lastIndexOf(' => '));
        want.push(line);
        got.push(
          `${script} => ${outcome(title === 'commands' ? head() + script : script.replaceAll('\\n', '\n').replaceAll('\\r', '\r'))}`,
        );
      }
    }
  }
  return { got, want };
}

describe('a table of claims', () => {
  test.each(tables)('%s', (name) => {
    const { got, want } = claims(name);
    expect(want.length).toBeGreaterThan(0);
    expect(got).toEqual(want);
  });
});
