/** README, CHANGELOG and docs/: their links lead somewhere, their commands are commands, and their configurations can be read. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import jsonc from 'jsonc-parser';
import { expect, it } from 'vitest';
import { verbs } from '../../../server/admin/verbs.ts';
import { runCommandLine } from '../../../server/cli/program.ts';
import { effectiveConfig } from '../../../server/config.ts';

const root = join(import.meta.dirname, '../../..');
const inDocs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => `docs/${name}`);
const documents = ['README.md', 'CHANGELOG.md', ...inDocs.filter((name) => name.endsWith('.md'))];
const read = (name: string) => readFileSync(join(root, name), 'utf8');

it.each(documents)('%s has no dead link', (document) => {
  const links = Array.from(read(document).matchAll(/\]\(([^)\s]+)\)/g), ([, link]) => link!).filter((link) => !/^https?:/.test(link));
  const dead = links.filter((link) => {
    const [path, fragment] = link.split('#');
    const target = path === '' ? document : normalize(join(dirname(document), path!));
    return !existsSync(join(root, target)) || (fragment !== undefined && !fragmentsOf(read(target)).includes(fragment));
  });
  expect(dead).toEqual([]);
});

it('docs/ARCHITECTURE.md lists every decision under its title', () => {
  const entries = inDocs.filter((name) => name.startsWith('docs/decisions/')).sort();
  const list = entries.map((name) => /^# (\d+\. )(.*)$/m.exec(read(name))!).map(([, number, title]) => `${number}[${title}]`);
  const listed = Array.from(read('docs/ARCHITECTURE.md').matchAll(/^(\d+\. \[.*\])\(decisions\/.*\)$/gm), ([, entry]) => entry!);
  expect(listed).toEqual(list);
});

/** As GitHub makes them of headings. */
function fragmentsOf(text: string): string[] {
  const headings = Array.from(text.matchAll(/^#+ (.*)$/gm), ([, heading]) => heading!.toLowerCase());
  return headings.map((heading) => heading.replace(/[^\p{L}\p{N}_\- ]/gu, '').replaceAll(' ', '-'));
}

interface Block {
  readonly language: string;
  readonly text: string;
}

const blocksOf = (text: string): Block[] =>
  Array.from(text.matchAll(/^```(\w*)\n(.*?)^```$/gms), ([, language, body]) => ({ language: language!, text: body! }));

const commands = documents.flatMap((document) =>
  blocksOf(read(document)).flatMap(({ text }) =>
    text
      .split('\n')
      .filter((line) => line.startsWith('npx satchel '))
      .map((line) => [document, line.replace(/ +# .*$/, '')] as const),
  ),
);

it('knows of commands to try', () => expect(commands.length).toBeGreaterThan(15));

it.each(commands)('%s: %s is used rightly', async (_, line) => {
  const words = Array.from(line.matchAll(/'([^']*)'|"([^"]*)"|([^\s'"]+)/g), ([, single, double, bare]) => single ?? double ?? bare!);
  let said = '';
  const away = async () => {
    throw new Error('It has come as far as the server.');
  };
  const code = await runCommandLine(words.slice(2), {
    verbs,
    version: '1.2.3',
    stdout: () => {},
    stderr: (text) => {
      said += text;
    },
    readStdin: async () => 'x',
    runVerb: away,
    openVerbs: away,
    terminal: undefined,
    now: () => 0,
    serve: async () => {},
    showConfig: async () => '{}',
  });
  expect({ code, said }).not.toMatchObject({ code: 2 });
});

const isConfig = ({ language, text }: Block) => language === 'jsonc' && /^\s*(\/\/.*\n)?\s*("\w+": [{[]|\{\n)/.test(text);
const configs = documents.flatMap((document) =>
  blocksOf(read(document))
    .filter(isConfig)
    .map(({ text }) => [document, text] as const),
);

it('knows of configurations to read', () => expect(configs.length).toBeGreaterThan(5));

it.each(configs)('%s: a configuration can be read: %s', (_, text) => {
  const whole = /^\s*(\/\/.*\n)?\s*\{/.test(text) ? text : `{${text}}`;
  const errors: jsonc.ParseError[] = [];
  // A secret that is left out in print.
  const given: unknown = jsonc.parse(whole.replaceAll('"…"', '"sixteen characters or more"'), errors);
  expect(errors).toEqual([]);
  expect(() => effectiveConfig(given, { base: '/tmp', hasFile: true })).not.toThrow();
});
