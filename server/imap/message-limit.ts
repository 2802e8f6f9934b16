/**
 * MESSAGELIMIT (RFC 9738), where it is configured: one command is about the newest messages up to the limit, answered from the highest UID down, and its
 * answer says how far down it came.
 */
import { type Range, type Ranges, sizeOf } from '../../protocol/mail/ranges.ts';
import type { MailboxView } from './mailbox-view.ts';
import type { Reply } from './refusal.ts';
import type { Session } from './session.ts';

export interface Limited {
  readonly indexes: Ranges;
  /** Response code, where messages were left out. */
  readonly code: string | undefined;
}

/** Of these indexes into the view's UIDs the last ones. */
export function limitMessages({ services: { messagesMax } }: Session, view: MailboxView, indexes: Ranges): Limited {
  if (messagesMax === undefined || sizeOf(indexes) <= messagesMax) return { indexes, code: undefined };
  const newest = lastOf(indexes, messagesMax);
  return { indexes: newest, code: `MESSAGELIMIT ${messagesMax} ${view.uids[newest[0]![0]]!}` };
}

function lastOf(indexes: Ranges, count: number): Ranges {
  const last: Range[] = [];
  let left = count;
  for (let at = indexes.length - 1; at >= 0 && left > 0; at -= 1) {
    const [first, end] = indexes[at]!;
    const from = Math.max(first, end - left + 1);
    last.unshift([from, end]);
    left -= end - from + 1;
  }
  return last;
}

/** RFC 9738 §3.1: the answer to a command that did its work for a part of the messages. A code of its own stays; the limit is told before it then. */
export function limitedReply({ output }: Session, name: string, code: string | undefined, reply?: Reply): Reply | undefined {
  if (code === undefined) return reply;
  const text = `${name} completed for the newest of these messages`;
  if (reply?.code === undefined) return { status: 'OK', code, text };
  output.untagged(`NO [${code}] ${text}`);
  return reply;
}

/** What needs all messages at once, of which none is done where there are too many: no UID says how far it came (RFC 9738 §3.1, §3.3). */
export function refuseAbove({ services: { messagesMax } }: Session, count: number): Reply | undefined {
  return messagesMax === undefined || count <= messagesMax ? undefined : refuseForLimit(`MESSAGELIMIT ${messagesMax}`);
}

/** RFC 9738 §3.1: what is done for all or none is refused. */
export function refuseForLimit(code: string): Reply {
  return { status: 'NO', code, text: 'Too many messages, ask for fewer at a time.' };
}
