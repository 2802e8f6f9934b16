/** Scripts of tests: sections of their files, their runs, and what they did as lines that a claim can hold. */
import { assertNever } from '../../protocol/mail/errors.ts';
import { parseStructure } from '../../protocol/mime/structure.ts';
import { compile } from '../../protocol/sieve/compile.ts';
import { runScript } from '../../protocol/sieve/machine.ts';
import type { FileCopy, Outcome } from '../../protocol/sieve/outcome.ts';
import { SieveError } from '../../protocol/sieve/syntax.ts';

export interface Section {
  readonly title: string;
  readonly text: string;
}

export function sections(source: string): Section[] {
  return source
    .split(/^--- /m)
    .slice(1)
    .map((piece) => ({ title: piece.slice(0, piece.indexOf('\n')), text: piece.slice(piece.indexOf('\n') + 1) }));
}

/** `key: value` lines. */
export function givenBy(text: string): readonly (readonly [key: string, value: string])[] {
  return text.split('\n').flatMap((line) => {
    const [, key, value] = /^([^:]+): ?(.*)$/.exec(line) ?? [];
    return key === undefined ? [] : [[key, value!] as const];
  });
}

export function run(script: string, given: readonly (readonly [string, string])[], message: string): string[] {
  const of = (key: string) => given.find(([name]) => name === key)?.[1];
  const all = (key: string) => given.filter(([name]) => name === key).map(([, value]) => value);
  const raw = Buffer.from(message.replace(/\r?\n/g, '\r\n'));
  try {
    const outcome = runScript(compile(script), {
      raw,
      root: parseStructure(raw).root,
      envelopeFrom: of('from'),
      envelopeTo: of('to'),
      spamScore: Number(of('spam') ?? 0),
      virusScore: Number(of('virus') ?? 0),
      now: Date.UTC(2026, 10, 24, 12, 0, 0),
      environment: { name: 'Satchel', location: 'MDA', phase: 'during' },
      mailboxExists: (name) => name === 'INBOX' || all('mailbox').includes(name),
      specialUseExists: (mailbox, uses) => mailbox === undefined && uses.every((use) => all('use').includes(use)),
      isTracked: (name) => all('tracked').includes(name),
      script(name) {
        const source = of(`script ${name}`);
        return source === undefined ? undefined : compile(source);
      },
    });
    return describeOutcome(outcome, raw);
  } catch (error) {
    if (!(error instanceof SieveError)) throw error;
    return [`error ${error.line}: ${error.reason}`];
  }
}

const plain = (text: string) => (/[\r\n]/.test(text) ? JSON.stringify(text) : text);
const listed = (flags: readonly string[] | undefined) => (flags === undefined || flags.length === 0 ? '' : ` [${flags.join(' ')}]`);
const copied = (copy: FileCopy | undefined) =>
  copy === undefined ? '' : ` fcc ${copy.mailbox}${copy.mayCreate ? ' create' : ''}${listed(copy.flags)}`;

function describeOutcome({ actions, tracked }: Outcome, raw: Buffer): string[] {
  const changed = (bytes: Buffer) => {
    if (bytes === raw) return [];
    const text = bytes.toString('utf8');
    return text
      .slice(0, text.indexOf('\r\n\r\n'))
      .split('\r\n')
      .map((line) => `  ${line}`);
  };
  const lines = actions.flatMap((action): readonly string[] => {
    switch (action.do) {
      case 'keep':
        return [`keep${listed(action.flags)}${action.bytes === raw ? '' : ' as:'}`, ...changed(action.bytes)];
      case 'fileinto': {
        const { mailbox, mayCreate, specialUse, flags } = action;
        return [
          `fileinto ${plain(mailbox)}${mayCreate ? ' create' : ''}${specialUse === undefined ? '' : ` use ${specialUse}`}${listed(flags)}`,
        ];
      }
      case 'redirect':
        return [`redirect ${action.address}`];
      case 'discard':
        return ['discard'];
      case 'reject':
      case 'ereject':
        return [`${action.do} ${plain(action.reason)}`];
      case 'vacation': {
        const { seconds, subject, from, handle, reason, fileCopy } = action;
        const named = handle.startsWith('[') ? '' : ` ${handle}`;
        const about = `${subject === undefined ? '' : ` "${subject}"`}${from === undefined ? '' : ` from ${from}`}`;
        return [`vacation ${seconds}${about}${named}: ${plain(reason)}${copied(fileCopy)}`];
      }
      case 'notify':
        return [`notify ${action.method} ${action.importance}: ${action.message ?? ''}${copied(action.fileCopy)}`];
      default:
        return assertNever(action);
    }
  });
  return [...lines, ...tracked.map(({ name, seconds, isRenewed }) => `track ${name} ${seconds}${isRenewed ? ' renewed' : ''}`)];
}
