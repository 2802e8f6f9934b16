/** RFC 5173 (body): text of the message, decoded, whole parts by type, or the raw body. */
import type { Part } from '../../mime/structure.ts';
import { bodyBytesMax } from '../limits.ts';
import type { Machine } from '../machine.ts';
import type { Matching } from '../match.ts';
import { partsBelow, partText } from '../message.ts';
import { type Call, defineTest } from '../row.ts';
import { matchTags, readMatching } from './matching.ts';

/** §5.2: `text`, `text/plain`; '' is every type, and several slashes are none. */
function isOfType({ type, subtype }: Part, wanted: string): boolean {
  const [major = '', minor, ...more] = wanted.toLowerCase().split('/');
  return wanted === '' || (type === major && (minor === undefined || minor === subtype) && more.length === 0);
}

/** §5.3: what a reader sees as text. */
const isShown = ({ type, subtype }: Part) => type === 'text' || (type === 'application' && subtype === 'xhtml+xml');

/** §5.2: what stands before a multipart's first delimiter line, and after its last. */
function* aroundParts(raw: Buffer, { bodyStart, bodyEnd }: Part, children: readonly Part[]): Generator<string> {
  const start = children[0]!.headerStart;
  yield raw.toString('utf8', Math.max(bodyStart, start - bodyBytesMax), start).replace(/(^|\n)--[^\n]*\n?$/, '$1');
  const end = children.at(-1)!.bodyEnd;
  const after = raw.toString('utf8', end, Math.min(bodyEnd, end + bodyBytesMax)).replace(/^\r?\n?--[^\n]*(?:\n|$)/, '');
  if (after !== '') yield after;
}

function* contents(machine: Machine, call: Call): Generator<string> {
  const { raw, root } = machine.message;
  const types = call.tags.get('content');
  if (call.tags.has('raw')) {
    yield raw.subarray(root.bodyStart, Math.min(raw.length, root.bodyStart + bodyBytesMax)).toString('utf8');
    return;
  }
  const wanted = types === undefined ? undefined : machine.texts(types.texts);
  for (const part of partsBelow(root)) {
    const isMeant = wanted === undefined ? isShown(part) : wanted.some((type) => isOfType(part, type));
    if (!isMeant) continue;
    if (part.children !== undefined) yield* aroundParts(raw, part, part.children);
    // Of a message its header.
    else if (part.message !== undefined) yield raw.toString('utf8', part.message.root.headerStart, part.message.root.bodyStart);
    else yield partText(raw, part, wanted === undefined);
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
      const values = matching.type === 'count' ? [String([...contents(machine, call)].length)] : contents(machine, call);
      // §6: match variables stay as they are.
      return machine.find(matching, values, patterns) !== undefined;
    },
  }),
];
