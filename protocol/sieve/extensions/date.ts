/** RFC 5260 (date, index): the parts of a date, in a zone. */
import { parseDate } from '../../mime/date.ts';
import { unfold } from '../../mime/header.ts';
import type { Matching } from '../match.ts';
import { fieldsNamed } from '../message.ts';
import { type Call, defineTest, type ScriptFacts, type TagRow } from '../row.ts';
import { indexed, indexTags, matchTags, matchValues, readMatching, requireIndex } from './matching.ts';

const two = (number: number) => String(number).padStart(2, '0');
const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function zoneOf(minutes: number, separator: string): string {
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${separator}${two(size % 60)}`;
}

/** §4.2. `local` shows the zone's time by its UTC fields. */
const parts: Readonly<Record<string, (local: Date, zone: number) => string>> = {
  year: (local) => String(local.getUTCFullYear()).padStart(4, '0'),
  month: (local) => two(local.getUTCMonth() + 1),
  day: (local) => two(local.getUTCDate()),
  date: (local) => local.toISOString().slice(0, 10),
  // The modified Julian day: 0 was 17 November 1858.
  julian: (local) => String(Math.floor(local.getTime() / 86_400_000) + 40_587),
  hour: (local) => two(local.getUTCHours()),
  minute: (local) => two(local.getUTCMinutes()),
  second: (local) => two(local.getUTCSeconds()),
  time: (local) => local.toISOString().slice(11, 19),
  iso8601: (local, zone) => `${local.toISOString().slice(0, 19)}${zoneOf(zone, ':')}`,
  std11: (local, zone) =>
    `${days[local.getUTCDay()]}, ${two(local.getUTCDate())} ${months[local.getUTCMonth()]} ${local.getUTCFullYear()} ${local.toISOString().slice(11, 19)} ${zoneOf(zone, '')}`,
  zone: (_, zone) => zoneOf(zone, ''),
  weekday: (local) => String(local.getUTCDay()),
};

/** `+0200`; undefined for no zone. */
function minutesOf(zone: string): number | undefined {
  const found = /^([+-])(\d\d)([0-5]\d)$/.exec(zone);
  if (found === null || Number(found[2]) > 23) return undefined;
  return (found[1] === '-' ? -1 : 1) * (Number(found[2]) * 60 + Number(found[3]));
}

const zoneTag: TagRow = { name: 'zone', takes: 'string', group: 'zone' };

function readDateCall(call: Omit<Call, 'data'>, facts: ScriptFacts, partIndex: number): Matching {
  const zone = call.tags.get('zone')?.texts[0];
  if (typeof zone === 'string' && minutesOf(zone) === undefined) throw facts.fail(call.line, ':zone takes an offset such as "+0200".');
  const part = call.values[partIndex]!.texts[0]!;
  if (typeof part === 'string' && !Object.hasOwn(parts, part.toLowerCase())) {
    throw facts.fail(call.values[partIndex]!.line, `a date has no part ${JSON.stringify(part.slice(0, 40))}.`);
  }
  return readMatching(call, facts, partIndex + 1);
}

/** `-0500` by the server is UTC's here: it lives in no zone of its owner. */
function partOf(ms: number, zone: number, name: string): string[] {
  const lower = name.toLowerCase();
  const part = Object.hasOwn(parts, lower) ? parts[lower] : undefined;
  const local = new Date(ms + zone * 60_000);
  return part === undefined || Number.isNaN(local.getTime()) ? [] : [part(local, zone)];
}

export const dateTests = [
  defineTest({
    name: 'date',
    extension: 'date',
    tags: [...matchTags, ...indexTags, zoneTag, { name: 'originalzone', group: 'zone' }],
    values: ['string', 'string', 'strings'],
    check(call, facts) {
      requireIndex(call, facts);
      return readDateCall(call, facts, 1);
    },
    run(machine, call) {
      const [name, part, patterns] = call.values.map(({ texts }) => machine.texts(texts)) as [string[], string[], string[]];
      const zone = call.tags.get('zone')?.texts[0];
      const minutes = zone === undefined ? 0 : (minutesOf(machine.text(zone)) ?? 0);
      const fields = indexed(call, fieldsNamed(machine.message.fields, name[0]!));
      // §4: without an index, the first that can be read. Of Received the date stands behind the last semicolon.
      const dates = fields.flatMap(
        ({ raw }) =>
          parseDate(
            unfold(raw)
              .slice(unfold(raw).lastIndexOf(';') + 1)
              .trim(),
          ) ?? [],
      );
      const values = dates
        .slice(0, 1)
        .flatMap(({ ms, offsetMinutes }) => partOf(ms, call.tags.has('originalzone') ? offsetMinutes : minutes, part[0]!));
      return matchValues(machine, call.data as Matching, values, patterns);
    },
  }),
  defineTest({
    name: 'currentdate',
    extension: 'date',
    tags: [...matchTags, zoneTag],
    values: ['string', 'strings'],
    check: (call, facts) => readDateCall(call, facts, 0),
    run(machine, call) {
      const [part, patterns] = call.values.map(({ texts }) => machine.texts(texts)) as [string[], string[]];
      const zone = call.tags.get('zone')?.texts[0];
      const minutes = zone === undefined ? 0 : (minutesOf(machine.text(zone)) ?? 0);
      return matchValues(machine, call.data as Matching, partOf(machine.input.now, minutes, part[0]!), patterns);
    },
  }),
];
