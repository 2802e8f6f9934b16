/** Scripts drawn from seeds: whatever they say, each ends within the step limit, with an outcome or with a sentence. */
import { expect, test } from 'vitest';
import { parseStructure } from '../../protocol/mime/structure.ts';
import { compile } from '../../protocol/sieve/compile.ts';
import { capabilities } from '../../protocol/sieve/extensions/index.ts';
import { actionsMax, redirectsMax, stepsMax } from '../../protocol/sieve/limits.ts';
import { runScript } from '../../protocol/sieve/machine.ts';
import { SieveError } from '../../protocol/sieve/syntax.ts';

const scripts = 10_000;
const raw = Buffer.from(
  `From: a+b@example.org\r\nSubject: ${'aaaa '.repeat(40)}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n${'aab '.repeat(200)}\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n--b--\r\n`,
);
const { root } = parseStructure(raw);

/** mulberry32. */
function chanceOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000;
  };
}

function draw(seed: number): string {
  const chance = chanceOf(seed);
  const pick = <T>(all: readonly T[]): T => all[Math.floor(chance() * all.length)]!;
  const text = () =>
    JSON.stringify(
      pick(['', 'subject', 'a*a*a*b', '${0}${v}${v}', '${v}', '*', 'from', '(a+)+b', 'self', 'year', '\\Seen', 'a@b.example']),
    );
  const match = () => pick(['', ':is', ':contains', ':matches', ':regex', ':count "ge"', ':value "lt"']);
  const test = (depth: number): string => {
    if (depth > 3) return pick(['true', 'false']);
    return pick([
      () => `not ${test(depth + 1)}`,
      () => `anyof (${test(depth + 1)}, ${test(depth + 1)})`,
      () => `allof (${test(depth + 1)}, ${test(depth + 1)})`,
      () => `header ${match()} ["subject", ${text()}] [${text()}, ${text()}]`,
      () => `body ${pick(['', ':raw', ':content "text"'])} ${match()} ${text()}`,
      () => `string ${match()} ${text()} ${text()}`,
      () => `hasflag ${match()} ${text()}`,
      () => `address ${pick([':user', ':detail', ''])} ${match()} "from" ${text()}`,
      () => 'duplicate',
      () => `size :over ${Math.floor(chance() * 2000)}`,
    ])();
  };
  const command = (depth: number): string =>
    pick([
      () => (depth > 4 ? 'stop;' : `if ${test(0)} { ${block(depth + 1)} } else { ${block(depth + 1)} }`),
      () => (depth > 4 ? 'break;' : `foreverypart { ${block(depth + 1)} }`),
      () => `set ${pick(['', ':upper', ':quotewildcard', ':length'])} "v" ${text()};`,
      () => `fileinto ${text()};`,
      () => `redirect :copy ${text()};`,
      () => `include "self";`,
      () => `addflag ${text()};`,
      () => `addheader "X-A" ${text()};`,
      () => `deleteheader "subject" ${text()};`,
      () => 'extracttext "v";',
      () => `vacation ${text()};`,
      () => `reject ${text()};`,
      () => 'keep;',
      () => 'return;',
    ])();
  const block = (depth: number): string => Array.from({ length: 1 + Math.floor(chance() * 4) }, () => command(depth)).join(' ');
  return `require [${capabilities.map((name) => JSON.stringify(name)).join(', ')}];\n${block(0)}`;
}

test(`${scripts} scripts each end within the step limit`, () => {
  const seen = { compiled: 0, ran: 0, refused: 0, failed: 0 };
  for (let seed = 1; seed <= scripts; seed++) {
    const source = draw(seed);
    try {
      const script = compile(source);
      seen.compiled++;
      const outcome = runScript(script, {
        raw,
        root,
        envelopeFrom: 'a@b.example',
        envelopeTo: 'ada@example.com',
        spamScore: 0,
        virusScore: 0,
        now: 0,
        environment: {},
        mailboxExists: () => true,
        specialUseExists: () => false,
        isTracked: () => false,
        script: () => script,
      });
      expect(outcome.steps, `seed ${seed}`).toBeLessThanOrEqual(stepsMax);
      expect(outcome.actions.length, `seed ${seed}`).toBeLessThanOrEqual(actionsMax + 1);
      expect(outcome.actions.filter((action) => action.do === 'redirect').length, `seed ${seed}`).toBeLessThanOrEqual(redirectsMax);
      seen.ran++;
    } catch (error) {
      if (!(error instanceof SieveError)) throw new Error(`seed ${seed}: ${source}`, { cause: error });
      seen.failed++;
    }
  }
  // The draw is worth something: most of them mean something, and some go wrong.
  expect(seen.compiled).toBeGreaterThan(scripts / 4);
  expect(seen.ran).toBeGreaterThan(scripts / 10);
  expect(seen.failed).toBeGreaterThan(scripts / 100);
});

const slow: readonly (readonly [what: string, test: string])[] = [
  ['many wildcards', ':matches "*a*a*a*a*a*a*a*a*a*a*a*a*a*b"'],
  ['a large regular expression', ':regex "(\\\\pL?){120}9"'],
];
test.each(slow)('a script made to take long by %s is ended by the step limit', (_, matching) => {
  const variable = `"${'${v}'.repeat(8)}"`;
  const source = `require ["variables","regex"];\nset "v" "${'a'.repeat(4000)}";\n${`if string ${matching.replace(/^(:\w+) /, `$1 ${variable} `)} { stop; }\n`.repeat(2000)}`;
  const script = compile(source);
  const began = performance.now();
  expect(() =>
    runScript(script, {
      raw,
      root,
      envelopeFrom: undefined,
      envelopeTo: undefined,
      spamScore: 0,
      virusScore: 0,
      now: 0,
      environment: {},
      mailboxExists: () => false,
      specialUseExists: () => false,
      isTracked: () => false,
      script: () => undefined,
    }),
  ).toThrow('took more than');
  // Some hundreds of milliseconds at most where nothing else runs.
  expect(performance.now() - began).toBeLessThan(10_000);
});
