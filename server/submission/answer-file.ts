/**
 * The journal of relays' answers as a file of the data folder: a line of JSON each, appended by one synchronous write, so that it outlives the process (not
 * the machine: that would take a sync of the disk, which is as slow as the commit itself). The file is emptied when a commit says everything in it.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import type { Answer, AnswerJournal } from '../../indexer/outbox/answers.ts';
import { answerFileBytesMax, answerKeptMs } from './limits.ts';

export interface AnswerFile extends AnswerJournal, Disposable {}

export interface AnswerFileOptions {
  readonly path: string;
  readonly now: () => number;
  /** The disk is full or gone. */
  readonly onFault: (error: unknown) => void;
}

export function openAnswerFile({ path, now, onFault }: AnswerFileOptions): AnswerFile {
  const leftBehind = new Map<string, Answer[]>();
  const open = new Set<Answer>();
  for (const answer of readAnswers(path)) {
    // What no run has asked for in days is of an account that is gone.
    if (now() - answer.claimedAt > answerKeptMs) continue;
    const key = keyOf(answer.account, answer.submission);
    leftBehind.set(key, [...(leftBehind.get(key) ?? []), answer]);
    open.add(answer);
  }
  let file = -1;
  let bytes = 0;
  rewrite();

  function rewrite(): void {
    const text = [...open].map(lineOf).join('');
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
    if (file >= 0) closeSync(file);
    file = openSync(path, 'a', 0o600);
    bytes = Buffer.byteLength(text);
  }

  function attempt(change: () => void): void {
    try {
      change();
    } catch (error) {
      onFault(error);
    }
  }

  return {
    note(answer) {
      open.add(answer);
      attempt(() => {
        if (bytes > answerFileBytesMax) rewrite();
        else bytes += writeSync(file, lineOf(answer));
      });
    },
    forget(answer) {
      open.delete(answer);
      const key = keyOf(answer.account, answer.submission);
      const others = leftBehind.get(key)?.filter((other) => other !== answer) ?? [];
      if (others.length === 0) leftBehind.delete(key);
      else leftBehind.set(key, others);
      if (open.size > 0 || bytes === 0) return;
      attempt(() => ftruncateSync(file, 0));
      bytes = 0;
    },
    leftBehind: (account, submission) => leftBehind.get(keyOf(account, submission)) ?? [],
    [Symbol.dispose]: () => closeSync(file),
  };
}

const keyOf = (account: string, submission: string) => `${account}/${submission}`;
const lineOf = (answer: Answer) => `${JSON.stringify(answer)}\n`;

/** A line that the death of the process cut short is passed over. */
function readAnswers(path: string): Answer[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return text.split('\n').flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return isAnswer(value) ? [value] : [];
    } catch {
      return [];
    }
  });
}

function isAnswer(value: unknown): value is Answer {
  if (typeof value !== 'object' || value === null) return false;
  const { account, submission, claimedAt, outcomes } = value as Partial<Record<keyof Answer, unknown>>;
  const isNamed = typeof account === 'string' && typeof submission === 'string' && typeof claimedAt === 'number';
  return isNamed && Array.isArray(outcomes) && outcomes.every((one) => Array.isArray(one) && typeof one[1]?.smtpReply === 'string');
}
