/** What goes back to the sender, or out to the owner: vacation (RFC 5230, RFC 6131), reject and ereject (RFC 5429), notify (RFC 5435, 5436), with fcc (RFC 8580). */
import { reasonBytesMax, vacationSecondsDefault, vacationSecondsMax, vacationSecondsMin } from '../limits.ts';
import type { Machine } from '../machine.ts';
import { baseComparators, comparators, type Matching } from '../match.ts';
import type { FileCopy } from '../outcome.ts';
import { type Call, defineCommand, defineTest, type ScriptFacts, type TagRow } from '../row.ts';
import { cutToBytes } from '../text.ts';
import { addressIn } from './addresses.ts';
import { requireUse, targetOf, targetTags } from './control.ts';
import { flagsIn } from './flags.ts';
import { matchTags, readMatching } from './matching.ts';

/** RFC 8580 §3: tags of fileinto go with :fcc. */
const copyTags: readonly TagRow[] = [
  { name: 'fcc', takes: 'string', extension: 'fcc' },
  { name: 'flags', takes: 'strings', extension: 'imap4flags' },
  ...targetTags,
];

function requireFileCopy(call: Omit<Call, 'data'>, facts: ScriptFacts): void {
  const { tags, line } = call;
  const lonely = ['flags', 'create', 'specialuse'].find((tag) => tags.has(tag));
  if (lonely !== undefined && !tags.has('fcc')) throw facts.fail(line, `:${lonely} goes with :fcc here.`);
  requireUse(call, facts);
}

function fileCopyOf(machine: Machine, call: Call): FileCopy | undefined {
  const mailbox = tagText(machine, call, 'fcc');
  if (mailbox === undefined) return undefined;
  return { ...targetOf(machine, call, mailbox), flags: flagsIn(machine.texts(call.tags.get('flags')?.texts ?? [])) };
}

function tagText(machine: Machine, { tags }: Call, tag: string): string | undefined {
  const text = tags.get(tag)?.texts[0];
  return text === undefined ? undefined : machine.text(text);
}

function requireFrom({ tags, line }: Omit<Call, 'data'>, facts: ScriptFacts): void {
  const from = tags.get('from')?.texts[0];
  if (typeof from === 'string' && from !== '' && addressIn(from) === undefined) throw facts.fail(line, ':from takes one address.');
}

const refusal = (name: 'reject' | 'ereject') =>
  defineCommand({
    name,
    extension: name,
    values: ['string'],
    run(machine, { values: [reason] }) {
      machine.addAction({ do: name, reason: cutToBytes(machine.text(reason!.texts[0]!), reasonBytesMax) });
      machine.isImplicitlyKept = false;
    },
  });

export const answerCommands = [
  refusal('reject'),
  refusal('ereject'),
  defineCommand({
    name: 'vacation',
    extension: 'vacation',
    tags: [
      { name: 'days', takes: 'number', group: 'time' },
      { name: 'seconds', takes: 'number', group: 'time', extension: 'vacation-seconds' },
      { name: 'subject', takes: 'string' },
      { name: 'from', takes: 'string' },
      { name: 'addresses', takes: 'strings' },
      { name: 'mime' },
      { name: 'handle', takes: 'string' },
      ...copyTags,
    ],
    values: ['string'],
    check(call, facts) {
      requireFileCopy(call, facts);
      requireFrom(call, facts);
    },
    run(machine, call) {
      const { tags, values } = call;
      const reason = cutToBytes(machine.text(values[0]!.texts[0]!), reasonBytesMax);
      const subject = tagText(machine, call, 'subject');
      const from = tagText(machine, call, 'from');
      const isMime = tags.has('mime');
      const days = tags.get('days');
      const wanted = tags.get('seconds')?.number ?? (days === undefined ? vacationSecondsDefault : Math.max(1, days.number) * 24 * 60 * 60);
      machine.addAction({
        do: 'vacation',
        // RFC 5230 §4.2: without a handle, other words are another answer.
        handle: tagText(machine, call, 'handle') ?? JSON.stringify([subject ?? null, from ?? null, isMime, reason]),
        seconds: Math.min(Math.max(wanted, vacationSecondsMin), vacationSecondsMax),
        subject: subject === undefined ? undefined : cutToBytes(subject.replace(/[\r\n\0]+/g, ' '), 998),
        from: from === undefined || addressIn(from) === undefined ? undefined : from,
        addresses: machine.texts(tags.get('addresses')?.texts ?? []),
        isMime,
        reason,
        fileCopy: fileCopyOf(machine, call),
      });
    },
  }),
  defineCommand({
    name: 'notify',
    extension: 'enotify',
    tags: [
      { name: 'from', takes: 'string' },
      { name: 'importance', takes: 'string' },
      { name: 'options', takes: 'strings' },
      { name: 'message', takes: 'string' },
      ...copyTags,
    ],
    values: ['string'],
    check(call, facts) {
      requireFileCopy(call, facts);
      requireFrom(call, facts);
      const importance = call.tags.get('importance')?.texts[0];
      if (typeof importance === 'string' && !/^[123]$/.test(importance)) throw facts.fail(call.line, ':importance takes "1", "2" or "3".');
      const [method] = call.values[0]!.texts;
      if (typeof method === 'string' && !isMailto(method))
        throw facts.fail(call.line, 'notify knows mailto: with an address, and no other method.');
    },
    run(machine, call) {
      const method = machine.text(call.values[0]!.texts[0]!);
      if (!isMailto(method)) throw machine.fail('notify knows mailto: with an address, and no other method.');
      const importance = tagText(machine, call, 'importance');
      const from = tagText(machine, call, 'from');
      const message = tagText(machine, call, 'message');
      machine.addAction({
        do: 'notify',
        method,
        from: from === undefined || addressIn(from) === undefined ? undefined : from,
        importance: importance === '1' || importance === '3' ? importance : '2',
        message: message === undefined ? undefined : cutToBytes(message, reasonBytesMax),
        fileCopy: fileCopyOf(machine, call),
      });
    },
  }),
];

/** RFC 6068, as RFC 5436 §2 uses it. */
function isMailto(method: string): boolean {
  return mailtoOf(method) !== undefined;
}

export interface Mailto {
  readonly to: readonly string[];
  readonly cc: readonly string[];
  /** Lower-case names. */
  readonly fields: ReadonlyMap<string, string>;
}

/** Undefined for what is no mailto: of addresses that can be written to. */
export function mailtoOf(method: string): Mailto | undefined {
  const found = /^mailto:([^?#]*)(?:\?([^#]*))?$/i.exec(method);
  if (found === null || method.length > 2048) return undefined;
  try {
    const fields = new Map<string, string>();
    for (const pair of (found[2] ?? '').split('&')) {
      const [name = '', value = ''] = pair.split('=', 2).map((piece) => decodeURIComponent(piece));
      if (name !== '') fields.set(name.toLowerCase(), value);
    }
    const list = (text: string) =>
      text
        .split(',')
        .filter((piece) => piece.trim() !== '')
        .map((piece) => piece.trim());
    // RFC 2368 has the commas between addresses encoded too.
    const decoded = list(found[1]!)
      .map((piece) => decodeURIComponent(piece))
      .flatMap((piece) => (addressIn(piece) === piece ? [piece] : list(piece)));
    const to = [...new Set([...decoded, ...list(fields.get('to') ?? '')])];
    const cc = [...new Set(list(fields.get('cc') ?? ''))].filter((address) => !to.includes(address));
    const all = [...to, ...cc];
    if (to.length === 0 || all.length > 4 || all.some((address) => addressIn(address) !== address)) return undefined;
    return { to, cc, fields };
  } catch {
    // A percent sign that begins no octet.
    return undefined;
  }
}

export const answerTests = [
  defineTest({
    name: 'valid_notify_method',
    extension: 'enotify',
    values: ['strings'],
    run: (machine, { values: [methods] }) => machine.texts(methods!.texts).every(isMailto),
  }),
  defineTest({
    name: 'notify_method_capability',
    extension: 'enotify',
    tags: matchTags,
    values: ['string', 'string', 'strings'],
    check: (call, facts) => readMatching(call, facts, 2),
    run(machine, call) {
      const [[method], [capability], keys] = call.values.map(({ texts }) => machine.texts(texts)) as [string[], string[], string[]];
      // RFC 5436 §2.6: mail cannot tell whether somebody is online.
      if (!isMailto(method!) || capability!.toLowerCase() !== 'online') return false;
      return machine.match(call.data as Matching, [(call.data as Matching).type === 'count' ? '1' : 'maybe'], keys!);
    },
  }),
];

/** RFC 5228 §2.7.3: comparators that must be required. */
export const comparatorExtensions = [...comparators.keys()]
  .filter((name) => !baseComparators.has(name))
  .map((name) => `comparator-${name}`);
