/**
 * THREAD=ORDEREDSUBJECT (RFC 5256 §3): messages of one base subject are a thread; its first message by date is the parent of all others. Threads follow
 * each other by the dates of their first messages.
 */
import type { ThreadFacts } from './facts.ts';
import { Forest } from './forest.ts';

export function threadBySubject({ count, byDate, subjects }: ThreadFacts): Forest {
  const forest = new Forest(count, 0);
  const heads = new Map<number, number>();
  for (let at = 0; at < count; at += 1) {
    const row = byDate[at]!;
    const head = heads.get(subjects[row]!);
    if (head !== undefined) forest.append(head, row);
    else {
      heads.set(subjects[row]!, row);
      forest.roots.push(row);
    }
  }
  return forest;
}
