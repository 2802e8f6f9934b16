import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Answer } from '../../../indexer/outbox/answers.ts';
import { openAnswerFile } from '../../../server/submission/answer-file.ts';
import { answerFileBytesMax } from '../../../server/submission/limits.ts';
import { ada } from '../indexer/rig.ts';

let folder: string;
let path: string;
let now = 1_800_000_000_000;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'satchel-answers-'));
  path = join(folder, 'relay-answers');
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = () => openAnswerFile({ path, now: () => now, onFault: (error) => expect(error).toBeUndefined() });
const answer = (submission: string, more: Partial<Answer> = {}): Answer => ({
  account: ada,
  submission,
  claimedAt: now,
  outcomes: [[0, { kind: 'relayed', smtpReply: '250 2.0.0 Ok', relayId: 'r1' }]],
  ...more,
});

test('an answer that nobody forgot is there in the next run, and gone after it was forgotten', () => {
  const first = open();
  const [one, two] = [answer('s1'), answer('s2')];
  first.note(one);
  first.note(two);
  first.forget(one);
  // No farewell: the process dies.
  const second = open();
  expect(second.leftBehind(ada, 's1')).toEqual([one]);
  expect(second.leftBehind(ada, 's2')).toEqual([two]);
  for (const id of ['s1', 's2']) for (const left of second.leftBehind(ada, id)) second.forget(left);
  expect(second.leftBehind(ada, 's1')).toEqual([]);
  expect(readFileSync(path, 'utf8')).toBe('');
  expect(open().leftBehind(ada, 's2')).toEqual([]);
});

test('a line that was cut short, and what is no answer, are passed over', () => {
  open().note(answer('s1'));
  appendFileSync(path, '{"account":7}\nnull\n{"account":"ada1","submission":"s2","claimedAt":1,"outc');
  const file = open();
  expect(file.leftBehind(ada, 's1')).toHaveLength(1);
  expect(file.leftBehind(ada, 's2')).toEqual([]);
});

test('the file does not grow past its bound, whatever is left open', () => {
  const file = open();
  const kept = answer('kept');
  file.note(kept);
  for (let at = 0; at < 15_000; at += 1) {
    const passing = answer(`s${at}`);
    file.note(passing);
    file.forget(passing);
  }
  expect(statSync(path).size).toBeLessThan(answerFileBytesMax + 1000);
  expect(open().leftBehind(ada, 'kept')).toEqual([kept]);
});

test('an answer that nobody asked for in six days is dropped', () => {
  open().note(answer('s1'));
  now += 7 * 24 * 60 * 60 * 1000;
  expect(open().leftBehind(ada, 's1')).toEqual([]);
});
