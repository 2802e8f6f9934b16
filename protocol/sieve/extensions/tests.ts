/** RFC 5228 §5: tests, with what index (RFC 5260) and mime (RFC 5703) add to address, header and exists. */

import { unfold } from '../../mime/header.ts';
import { asRaw } from '../../mime/header-forms.ts';
import { decodeParameter, parseParameterized } from '../../mime/parameters.ts';
import type { Matching } from '../match.ts';
import { addressesIn, addressPart, addrSpec, type Field, textOf } from '../message.ts';
import { type Call, defineTest } from '../row.ts';
import {
  addressTags,
  entitiesOf,
  fieldsOf,
  indexed,
  indexTags,
  matchTags,
  matchValues,
  mimePartTags,
  mimeTags,
  partOf,
  readMatching,
  requireIndex,
  requireMime,
} from './matching.ts';

/** RFC 5228 §5.1: fields that hold addresses. Others must not be asked for theirs; we are lenient with `X-` and variables. */
const addressFields =
  /^(?:from|to|cc|bcc|sender|reply-to|resent-(?:from|to|cc|bcc|sender|reply-to)|return-path|delivered-to|disposition-notification-to|return-receipt-to|errors-to|x-.*)$/i;

/** RFC 5703 §4.2: the piece of Content-Type or Content-Disposition that the tags name. */
function mimePieces(field: Field, call: Call, parameters: readonly string[]): readonly string[] {
  const value = unfold(field.raw).trim();
  if (!['type', 'subtype', 'contenttype', 'param'].some((tag) => call.tags.has(tag))) return [textOf(field)];
  const read = parseParameterized(value);
  const isType = field.name === 'content-type';
  const isParameterized = isType || field.name === 'content-disposition';
  const whole = asRaw(value).split(';')[0]!.replace(/\s+/g, '').toLowerCase();
  const [type = '', subtype = ''] = whole.split('/');
  // Other fields have a blank type, and a disposition has a blank subtype.
  if (call.tags.has('type')) return [isParameterized ? type : ''];
  if (call.tags.has('subtype')) return [isType ? subtype : ''];
  if (call.tags.has('contenttype')) return [isParameterized ? whole : ''];
  return parameters.flatMap((name) => decodeParameter(read.parameters, name.toLowerCase()) ?? []);
}

export const baseTests = [
  defineTest({ name: 'true', run: () => true }),
  defineTest({ name: 'false', run: () => false }),
  defineTest({ name: 'not', tests: 'one', run: (machine, { tests }) => !machine.test(tests[0]!) }),
  defineTest({ name: 'allof', tests: 'list', run: (machine, { tests }) => tests.every((test) => machine.test(test)) }),
  defineTest({ name: 'anyof', tests: 'list', run: (machine, { tests }) => tests.some((test) => machine.test(test)) }),
  defineTest({
    name: 'size',
    tags: [
      { name: 'over', takes: 'number', group: 'size' },
      { name: 'under', takes: 'number', group: 'size' },
    ],
    check({ tags, line }, facts) {
      if (tags.size !== 1) throw facts.fail(line, 'size takes :over or :under, and a number.');
    },
    run(machine, { tags }) {
      // RFC 5293 §1: of the message as it is now.
      const { length } = machine.message;
      const over = tags.get('over');
      return over === undefined ? length < tags.get('under')!.number : length > over.number;
    },
  }),
  defineTest({
    name: 'exists',
    tags: mimeTags,
    values: ['strings'],
    check: requireMime,
    run(machine, call) {
      const entities = entitiesOf(machine, call);
      return machine.texts(call.values[0]!.texts).every((name) => fieldsOf(entities, name).length > 0);
    },
  }),
  defineTest({
    name: 'header',
    tags: [...matchTags, ...indexTags, ...mimeTags, ...mimePartTags],
    values: ['strings', 'strings'],
    check(call, facts) {
      requireIndex(call, facts);
      requireMime(call, facts);
      return readMatching(call, facts, 1);
    },
    run(machine, call) {
      const [names, patterns] = call.values.map(({ texts }) => machine.texts(texts)) as [string[], string[]];
      const parameters = machine.texts(call.tags.get('param')?.texts ?? []);
      const entities = entitiesOf(machine, call);
      const values = names.flatMap((name) =>
        indexed(call, fieldsOf(entities, name)).flatMap((field) => mimePieces(field, call, parameters)),
      );
      return matchValues(machine, call.data as Matching, values, patterns);
    },
  }),
  defineTest({
    name: 'address',
    tags: [...matchTags, ...addressTags, ...indexTags, ...mimeTags],
    values: ['strings', 'strings'],
    check(call, facts) {
      requireIndex(call, facts);
      requireMime(call, facts);
      const [names] = call.values;
      const wrong = names!.texts.find((text) => typeof text === 'string' && !addressFields.test(text));
      if (wrong !== undefined) throw facts.fail(names!.line, `the field ${JSON.stringify(wrong.slice(0, 100))} holds no addresses.`);
      return readMatching(call, facts, 1);
    },
    run(machine, call) {
      const [names, patterns] = call.values.map(({ texts }) => machine.texts(texts)) as [string[], string[]];
      const part = partOf(call);
      const entities = entitiesOf(machine, call);
      const matching = call.data as Matching;
      const addresses = names.flatMap((name) => indexed(call, fieldsOf(entities, name))).flatMap(addressesIn);
      // RFC 5231 §4.2: :count counts addresses, whatever part of them is asked for. RFC 5228 §5.1: of what is no address there are no parts.
      const isWhole = part === 'all' || matching.type === 'count';
      const values = isWhole
        ? addresses.map(addrSpec)
        : addresses.flatMap((each) => (each.mailbox === '' || each.host === '' ? [] : (addressPart(addrSpec(each), part) ?? [])));
      return matchValues(machine, matching, values, patterns);
    },
  }),
  defineTest({
    name: 'envelope',
    extension: 'envelope',
    tags: [...matchTags, ...addressTags],
    values: ['strings', 'strings'],
    check(call, facts) {
      const wrong = call.values[0]!.texts.find((text) => typeof text === 'string' && !/^(from|to)$/i.test(text));
      if (wrong !== undefined)
        throw facts.fail(call.line, `envelope knows "from" and "to", and not ${JSON.stringify(wrong.slice(0, 100))}.`);
      return readMatching(call, facts, 1);
    },
    run(machine, call) {
      const [names, patterns] = call.values.map(({ texts }) => machine.texts(texts)) as [string[], string[]];
      const part = partOf(call);
      const { envelopeFrom, envelopeTo } = machine.input;
      const values = names.flatMap((name) => {
        const address = name.toLowerCase() === 'from' ? envelopeFrom : name.toLowerCase() === 'to' ? envelopeTo : undefined;
        // RFC 5228 §5.4: the null path is the empty string, whatever part is asked for.
        return address === undefined ? [] : address === '' ? [''] : (addressPart(address, part) ?? []);
      });
      return matchValues(machine, call.data as Matching, values, patterns);
    },
  }),
];
