/** RFC 5256 §2.1: the subject without reply and forward marks, by which threads and sorts compare. */
import { subjectBytesMax } from './limits.ts';

export interface BaseSubject {
  readonly text: string;
  /** A reply or forward mark was removed. */
  readonly isReplyOrForward: boolean;
}

/** The base subject of decoded text. White space is one space each; letter case stays (compare with a casemap). */
export function baseSubject(decoded: string): string {
  return readBaseSubject(decoded).text;
}

/** The same with what was removed. Linear per mark removed. */
export function readBaseSubject(decoded: string): BaseSubject {
  let isReplyOrForward = false;
  let subject = decoded.slice(0, subjectBytesMax).replace(/\s+/g, ' ').trim();
  for (;;) {
    // (2) subj-trailer
    let length = subject.length;
    while (subject.slice(Math.max(0, length - 5), length).toLowerCase() === '(fwd)') {
      length -= 5;
      isReplyOrForward = true;
      while (subject[length - 1] === ' ') length--;
    }
    subject = subject.slice(0, length);
    // (3) to (5): subj-leader and subj-blob
    const leader = leaderEnd(subject);
    isReplyOrForward ||= leader.hasMark;
    subject = subject.slice(leader.end);
    // (6) subj-fwd-hdr: "[fwd:" … "]"
    if (!/^\[fwd:.*\]$/is.test(subject)) return { text: subject, isReplyOrForward };
    isReplyOrForward = true;
    subject = subject.slice(5, -1).trim();
  }
}

function leaderEnd(subject: string): { readonly end: number; readonly hasMark: boolean } {
  let start = 0;
  for (;;) {
    // *subj-blob subj-refwd: blobs before a "Re:" go with it.
    let position = start;
    let lastBlob = start;
    for (let next = blobEnd(subject, position); next > position; next = blobEnd(subject, position)) {
      lastBlob = position;
      position = next;
    }
    const refwd = refwdEnd(subject, position);
    // Blobs without a "Re:" go where something is left after them.
    if (refwd === position) return { end: position < subject.length ? position : lastBlob, hasMark: start > 0 };
    start = refwd;
  }
}

/** subj-blob = "[" *BLOBCHAR "]" *WSP, BLOBCHAR without brackets. The start itself where there is none. */
function blobEnd(subject: string, start: number): number {
  if (subject[start] !== '[') return start;
  let position = start + 1;
  while (position < subject.length && subject[position] !== '[' && subject[position] !== ']') position++;
  return subject[position] === ']' ? skipSpaces(subject, position + 1) : start;
}

/** subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":" */
function refwdEnd(subject: string, start: number): number {
  const mark = /^(?:re|fwd?)/i.exec(subject.slice(start, start + 3));
  if (mark === null) return start;
  const position = blobEnd(subject, skipSpaces(subject, start + mark[0].length));
  return subject[position] === ':' ? skipSpaces(subject, position + 1) : start;
}

function skipSpaces(subject: string, position: number): number {
  while (subject[position] === ' ') position++;
  return position;
}
