/**
 * thread-data = "THREAD" [SP 1*thread-list] (RFC 5256 §4);
 *   thread-list = "(" (thread-members / thread-nested) ")"
 *   thread-members = nz-number *(SP nz-number) [SP thread-nested]
 *   thread-nested = 2*thread-list
 */
import type { ByteWriter } from '../../../protocol/imap/wire/byte-writer.ts';
import type { Forest } from './forest.ts';

/** A step of the walk that ends a list; others are nodes. */
const close = -1;

export function writeThreads(out: ByteWriter, forest: Forest, numberOf: (row: number) => number): void {
  out.ascii('* THREAD');
  if (forest.roots.length > 0) out.ascii(' ');
  // A list of its own, for threads may be deeper than calls can be.
  const steps: number[] = [];
  for (const root of forest.roots) {
    steps.push(root);
    while (steps.length > 0) {
      const step = steps.pop()!;
      if (step === close) {
        out.ascii(')');
        continue;
      }
      out.ascii('(');
      steps.push(close);
      let node = step;
      if (!forest.isDummy(node)) out.number(numberOf(node));
      // A line of only children.
      for (let child = forest.firstChild(node); child >= 0 && forest.nextSibling(child) < 0; child = forest.firstChild(node)) {
        if (!forest.isDummy(node)) out.ascii(' ');
        out.number(numberOf(child));
        node = child;
      }
      const first = forest.firstChild(node);
      if (first < 0) continue;
      if (!forest.isDummy(node)) out.ascii(' ');
      const children: number[] = [];
      for (let child = first; child >= 0; child = forest.nextSibling(child)) children.push(child);
      for (let at = children.length - 1; at >= 0; at -= 1) steps.push(children[at]!);
    }
  }
  out.crlf();
}
