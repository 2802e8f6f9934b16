import Type from 'typebox';
import { describe, expect, it } from 'vitest';
import { defineVerb, formatTable, parameters, type Verb } from '../../../server/admin/verb.ts';
import { verbs } from '../../../server/admin/verbs.ts';
import { type CliPorts, runCommandLine } from '../../../server/cli/program.ts';

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly calls: readonly unknown[];
}

async function run(args: string[], answer: (verb: Verb) => unknown = () => ({}), over: Partial<CliPorts> = {}): Promise<Run> {
  const seen = { out: '', err: '', calls: [] as unknown[] };
  const ports: CliPorts = {
    verbs,
    version: '1.2.3',
    stdout: (text) => {
      seen.out += text;
    },
    stderr: (text) => {
      seen.err += text;
    },
    readStdin: async () => 'correct horse\n',
    runVerb: async (verb, given, options) => {
      seen.calls.push([verb.name, given, options.config]);
      return answer(verb);
    },
    openVerbs: async () => ({ call: async () => ({}), messageBytesMax: 1000, [Symbol.asyncDispose]: async () => {} }),
    terminal: undefined,
    now: () => 0,
    serve: async (options) => void seen.calls.push(['serve', options]),
    showConfig: async () => '{}',
    ...over,
  };
  const code = await runCommandLine(args, ports);
  return { code, ...seen };
}

describe('what mail says', () => {
  const record = { kind: 'failed', reason: 'empty', detail: '', recipients: [], deliveredTo: [], octets: 1, receivedAt: '', heldAt: '' };
  const held = { name: 'm1', record, beginning: 'Subject: \x1b]0;pwn\x07\r\n\r\n\x9b31m\tred \x7f\rover\r\n' };

  it('commands no terminal', async () => {
    const { out } = await run(['failed', 'show', 'm1'], () => held);
    expect(out).toContain('Subject: ␛]0;pwn␇\r\n\r\n\ufffd31m\tred ␡␍over\n');
  });

  it('commands none as JSON either, and stays what it was', async () => {
    const { out } = await run(['failed', 'show', 'm1', '--json'], () => held);
    expect(out).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
    expect(JSON.parse(out).beginning).toBe(held.beginning);
  });
});

describe('the command line', () => {
  const rows: readonly [claim: string, args: string[], call: unknown][] = [
    ['serves without a verb', [], ['serve', { config: undefined, isDemo: false }]],
    ['serves with a demo', ['serve', '--demo', '--config', 'x.json'], ['serve', { config: 'x.json', isDemo: true }]],
    ['takes the demo without the verb', ['--demo'], ['serve', { config: undefined, isDemo: true }]],
    ['adds a domain', ['domain', 'add', 'example.com'], ['domain add', { name: 'example.com' }, undefined]],
    [
      'adds an account with a name and a password from standard input',
      ['account', 'add', 'ada@example.com', '--name', 'Ada L.', '--password-stdin', '--config', 'x.json'],
      ['account add', { address: 'ada@example.com', name: 'Ada L.', password: 'correct horse' }, 'x.json'],
    ],
    [
      'asks for a random password otherwise',
      ['account', 'password', 'a@b.example'],
      ['account password', { address: 'a@b.example' }, undefined],
    ],
    ['takes an optional argument', ['verify', 'a@b.example', '--deep'], ['verify', { address: 'a@b.example', deep: true }, undefined]],
    ['does without it', ['verify'], ['verify', {}, undefined]],
    [
      'takes a list',
      ['group', 'add', 'all@b.example', 'x@b.example', 'y@b.example'],
      ['group add', { address: 'all@b.example', members: ['x@b.example', 'y@b.example'] }, undefined],
    ],
    ['does without a list', ['group', 'remove', 'all@b.example'], ['group remove', { address: 'all@b.example' }, undefined]],
  ];
  it.each(rows)('%s', async (_, args, call) => {
    const { code, calls, err } = await run(args, () => ({
      name: 'x',
      address: 'x',
      findings: [],
      accounts: [],
      members: [],
      records: [],
      isWhole: true,
    }));
    expect({ code, calls, err }).toEqual({ code: 0, calls: [call], err: '' });
  });

  const wrong: readonly [claim: string, args: string[], sentence: RegExp][] = [
    ['an unknown verb', ['domian'], /unknown command 'domian'.*\n.*domain/i],
    ['an unknown verb of a group', ['domain', 'ad', 'x'], /unknown command 'ad'/],
    ['a missing argument', ['domain', 'add'], /missing required argument 'name'/],
    ['an argument too many', ['domain', 'add', 'a', 'b'], /too many arguments/],
    ['an unknown option', ['account', 'list', '--jsno'], /unknown option '--jsno'.*\n.*--json/],
    ['a word that is none of the choices', ['sender', 'add', 'a@b', 'c@d', 'bad'], /Allowed choices are safe, blocked/],
    ['another such option', ['rule', 'add', 'x', 'drop', '--direction', 'up'], /Allowed choices are inbound, outbound/],
    ['without the option that it needs', ['sieve', 'put', 'a@b', 'main'], /required option '--script-stdin'/],
    ['a password as an argument', ['account', 'add', 'a@b', '--password', 'x'], /unknown option '--password'/],
  ];
  it.each(wrong)('is used wrongly with %s: exit code 2, and says how', async (_, args, sentence) => {
    const { code, err, calls } = await run(args);
    expect({ code, calls }).toEqual({ code: 2, calls: [] });
    expect(err).toMatch(sentence);
  });

  it('says once what a group of verbs is for, and lists them', async () => {
    const { code, out } = await run(['sender', '--help']);
    expect(code).toBe(0);
    expect(out).not.toContain('see `satchel sender');
    expect(out).toMatch(/list \[options\] <address>.*add \[options\].*remove \[options\]/s);
  });

  it('tells a refusal in one sentence, with exit code 1', async () => {
    const refused = () => {
      throw new Error('There is no domain example.com. Add it first.');
    };
    const { code, err, out } = await run(['account', 'add', 'a@example.com'], refused);
    expect({ code, err, out }).toEqual({ code: 1, err: 'satchel: There is no domain example.com. Add it first.\n', out: '' });
  });

  it.each([
    ['a folder that is a file', 'ENOTDIR', 'satchel: /f/index: a part of the path is no folder (mkdir, ENOTDIR).\n'],
    ['a folder of somebody else', 'EACCES', 'satchel: /f/index: this user may not do that there (mkdir, EACCES).\n'],
    ['an error of the system that has no words here', 'EXDEV', 'satchel: EXDEV: as the system says it\n'],
  ])('tells %s by its path and in words', async (_, code, sentence) => {
    const refused = () => {
      throw Object.assign(new Error(`${code}: as the system says it`), { code, path: '/f/index', syscall: 'mkdir' });
    };
    expect(await run(['domain', 'list'], refused)).toMatchObject({ code: 1, err: sentence });
  });

  it('ends with 1 when something is found wrong, after telling what', async () => {
    const summary = { commits: 3, manifests: 0, parts: 0, blobs: 2, tail: 3 };
    const finding = { severity: 'error', kind: 'missing-blob', key: '3f/a1/raw/x', sentence: 'The message is not there.' };
    const found = { accounts: [{ address: 'a@b.example', id: 'a1', findings: [finding], findingsOmitted: 0, summary }], isWhole: false };
    const { code, out } = await run(['verify'], () => found);
    expect(code).toBe(1);
    expect(out).toContain('a@b.example: 1 fault at commit 3');
    expect(out).toContain('missing-blob 3f/a1/raw/x: The message is not there.');
  });

  it('prints JSON when asked', async () => {
    const { out } = await run(['account', 'list', '--json'], () => ({ accounts: [] }));
    expect(JSON.parse(out)).toEqual({ accounts: [] });
  });

  it('helps with every verb, and names each argument', async () => {
    const shown = verbs.filter(({ isInternal }) => !isInternal);
    for (const verb of shown) {
      const { code, out } = await run([...verb.name.split(' '), '--help']);
      expect(code).toBe(0);
      expect(out).toContain(verb.summary.slice(0, 20));
      expect(out).toContain('--config');
      expect(out).toContain('--json');
      for (const name of verb.positional) expect(out).toContain(name);
    }
    const { out } = await run(['--help']);
    for (const verb of shown) expect(out).toContain(verb.name.split(' ')[0]);
    expect((await run(['--version'])).out).toBe('1.2.3\n');
  });

  it('knows each verb by one name and one route', () => {
    const routes = verbs.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(routes).size).toBe(verbs.length);
    expect(new Set(verbs.map(({ name }) => name)).size).toBe(verbs.length);
  });
});

it('options are kebab-case, and only what is given is passed on', async () => {
  const verb = defineVerb({
    name: 'try',
    summary: 'Try.',
    method: 'POST',
    path: '/try',
    parameters: parameters({ dryRun: Type.Optional(Type.Boolean()), mailBox: Type.Optional(Type.String()) }),
    positional: [],
    run: async () => ({}),
    print: () => '',
  });
  expect((await run(['try', '--dry-run', '--mail-box', 'x'], undefined, { verbs: [verb] })).calls).toEqual([
    ['try', { dryRun: true, mailBox: 'x' }, undefined],
  ]);
  expect((await run(['try'], undefined, { verbs: [verb] })).calls).toEqual([['try', {}, undefined]]);
});

it.each(['', '/'])('import into a mailbox without a name (%j) is refused before anything is read', async (mailbox) => {
  const openVerbs = () => expect.fail('nothing is to be opened');
  expect(await run(['import', 'a@b.example', '/nowhere', '--mailbox', mailbox], undefined, { openVerbs })).toMatchObject({
    code: 1,
    err: `satchel: "${mailbox}" names no mailbox: write it as Archive/2019.\n`,
  });
});

it('tables are as wide as their widest cells', () => {
  expect(
    formatTable(
      ['A', 'COUNT'],
      [
        ['long one', 5],
        ['b', 12345],
      ],
    ),
  ).toBe('A         COUNT\nlong one      5\nb         12345');
});
