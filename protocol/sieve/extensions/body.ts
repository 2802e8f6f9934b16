/** RFC 5173 (body): text of the message, decoded, whole parts by type, or the raw body. */
import type { Part } from '../../mime/structure.ts';
import { bodyBytesMax } from '../limits.ts';
import type { Machine } from '../machine.ts';
import type { Matching } from '../match.ts';
import { partsBelow, partText } from '../message.ts';
import { type Call, defineTest } from '../row.ts';
import { matchTags, readMatching } from './matching.ts';

/** §5.2: `text`, `text/plain`; '' is every type. */
function isOfType({ type, subtype }: Part, wanted: string): boolean {
  const [major = '', minor] = wanted.toLowerCase().split('/');
  return wanted === '' || (type === major && (minor === undefined || minor === subtype));
}

function* contents(machine: Machine, call: Call): Generator<string> {
  const { raw, root } = machine.message;
  const types = call.tags.get('content');
  if (call.tags.has('raw')) {
    yield raw.subarray(root.bodyStart, Math.min(raw.length, root.bodyStart + bodyBytesMax)).toString('utf8');
    return;
  }
  const wanted = types === undefined ? ['text'] : machine.texts(types.texts);
  for (const part of partsBelow(root)) {
    if (!wanted.some((type) => isOfType(part, type))) continue;
    // A multipart's own content is its prologue; a message's its header.
    if (part.children !== undefined) {
      if (types !== undefined)
        yield raw.toString('utf8', part.bodyStart, Math.min(part.children[0]!.headerStart, part.bodyStart + bodyBytesMax));
    } else if (part.message !== undefined) yield raw.toString('utf8', part.message.root.headerStart, part.message.root.bodyStart);
    else if (types !== undefined || part.disposition?.type !== 'attachment') yield partText(raw, part, types === undefined);
  }
}

export const bodyTests = [
  defineTest({
    name: 'body',
    extension: 'body',
    tags: [
      ...matchTags,
      { name: 'raw', group: 'transform' },
      { name: 'content', takes: 'strings', group: 'transform' },
      { name: 'text', group: 'transform' },
    ],
    values: ['strings'],
    check: (call, facts) => readMatching(call, facts, 0),
    run(machine, call) {
      const matching = call.data as Matching;
      const patterns = machine.texts(call.values[0]!.texts);
      if (matching.type === 'count') return machine.match(matching, [String([...contents(machine, call)].length)], patterns);
      return machine.match(matching, contents(machine, call), patterns);
    },
  }),
];
