/** The arguments of every IMAP command, and what stands in them, come back as they were encoded. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCommandStart } from '../../protocol/imap/command.ts';
import { decodeAclSubject, decodeSetAcl, encodeAclSubject, encodeSetAcl } from '../../protocol/imap/commands/acl.ts';
import { decodeAppend, decodeReplace, encodeAppend, encodeReplace } from '../../protocol/imap/commands/append.ts';
import { decodeAuthenticate, encodeAuthenticate } from '../../protocol/imap/commands/authenticate.ts';
import { decodeCompress, encodeCompress } from '../../protocol/imap/commands/compress.ts';
import { plainContext } from '../../protocol/imap/commands/context.ts';
import { decodeCopy, encodeCopy } from '../../protocol/imap/commands/copy.ts';
import { decodeCreate, encodeCreate } from '../../protocol/imap/commands/create.ts';
import { decodeEnable, encodeEnable } from '../../protocol/imap/commands/enable.ts';
import { decodeEsearch, type EsearchArguments, encodeEsearch } from '../../protocol/imap/commands/esearch.ts';
import { decodeUidExpunge, encodeUidExpunge } from '../../protocol/imap/commands/expunge.ts';
import { decodeFetch, encodeFetch, type FetchArguments } from '../../protocol/imap/commands/fetch.ts';
import { decodeId, encodeId } from '../../protocol/imap/commands/id.ts';
import { decodeList, encodeList } from '../../protocol/imap/commands/list.ts';
import { decodeLogin, encodeLogin } from '../../protocol/imap/commands/login.ts';
import { decodeMailboxArgument, encodeMailboxArgument } from '../../protocol/imap/commands/mailbox-argument.ts';
import { decodeGetMetadata, decodeSetMetadata, encodeGetMetadata, encodeSetMetadata } from '../../protocol/imap/commands/metadata.ts';
import { decodeNotify, encodeNotify, type NotifyArguments, type NotifyEvent, notifyEvents } from '../../protocol/imap/commands/notify.ts';
import { decodeGetQuota, decodeSetQuota, encodeGetQuota, encodeSetQuota } from '../../protocol/imap/commands/quota.ts';
import { decodeRename, encodeRename } from '../../protocol/imap/commands/rename.ts';
import { decodeSearch, encodeSearch, type SearchArguments, type SearchReturnOption } from '../../protocol/imap/commands/search.ts';
import { decodeSelect, encodeSelect } from '../../protocol/imap/commands/select.ts';
import { decodeSort, encodeSort, type SortArguments, sortKeys } from '../../protocol/imap/commands/sort.ts';
import { decodeStatus, encodeStatus, statusItems } from '../../protocol/imap/commands/status.ts';
import { decodeStore, encodeStore } from '../../protocol/imap/commands/store.ts';
import { decodeThread, encodeThread, type ThreadArguments, threadAlgorithms } from '../../protocol/imap/commands/thread.ts';
import { decodeUidBatches, encodeUidBatches } from '../../protocol/imap/commands/uid-batches.ts';
import { decodeDateTime, formatDateTime } from '../../protocol/imap/date-time.ts';
import { type FetchAttribute, plainItems } from '../../protocol/imap/fetch-attribute.ts';
import { decodeMailboxName, encodeMailboxName } from '../../protocol/imap/mailbox-name.ts';
import type { SearchKey } from '../../protocol/imap/search-key.ts';
import type { SequenceSet } from '../../protocol/imap/sequence-set.ts';
import { CommandReader } from '../../protocol/imap/wire/command-reader.ts';
import { Scanner } from '../../protocol/imap/wire/scanner.ts';
import { RightSet } from '../../protocol/mail/acl.ts';
import { rangesOf } from '../../protocol/mail/ranges.ts';

const names = fc
  .string({ minLength: 1, maxLength: 20, unit: 'grapheme' })
  .map((name) => name.normalize('NFC'))
  .filter((name) => !name.includes('\0') && name.isWellFormed());
const numbers = fc.integer({ min: 0, max: 0xffffffff });
const sets: fc.Arbitrary<SequenceSet> = fc.oneof(
  fc.constant('$' as const),
  fc.array(fc.tuple(numbers, numbers), { minLength: 1, maxLength: 5 }),
);
const flags = fc.array(fc.constantFrom('\\Seen', '\\Deleted', '$Forwarded', 'work'), { maxLength: 4 });
const fields = fc.array(fc.constantFrom('From', 'x-odd"name', 'Subject', 'a(b)', 'To]'), { minLength: 1, maxLength: 3 });
const partNumbers = fc.array(fc.integer({ min: 1, max: 99 }), { maxLength: 4 });
const partials = fc.option(fc.record({ offset: fc.maxSafeNat(), count: fc.integer({ min: 1, max: 1 << 30 }) }), { nil: undefined });
const withPartial = <T extends object>(value: T, partial: { offset: number; count: number } | undefined) =>
  partial === undefined ? value : { ...value, partial };

const attributes: fc.Arbitrary<FetchAttribute> = fc.oneof(
  fc.constantFrom(...plainItems).map((item) => ({ item })),
  fc.boolean().map((isLazy) => ({ item: 'PREVIEW' as const, isLazy })),
  fc
    .tuple(
      partNumbers,
      fc.constantFrom(undefined, 'HEADER', 'TEXT', 'MIME', 'HEADER.FIELDS', 'HEADER.FIELDS.NOT'),
      fields,
      partials,
      fc.boolean(),
    )
    .map(([numbers, text, names, partial, isPeek]): FetchAttribute => {
      const kind = text === 'MIME' && numbers.length === 0 ? 'TEXT' : text;
      const section =
        kind === undefined ? { numbers } : kind.startsWith('HEADER.') ? { numbers, text: kind, fields: names } : { numbers, text: kind };
      return withPartial({ item: 'section', name: 'BODY', section, isPeek } as FetchAttribute, partial);
    }),
  fc
    .tuple(partNumbers, partials, fc.boolean())
    .map(([numbers, partial, isPeek]) => withPartial({ item: 'BINARY' as const, numbers, isPeek }, partial)),
  partNumbers.map((numbers) => ({ item: 'BINARY.SIZE' as const, numbers })),
);

const searchStrings = fc.string({ maxLength: 12, unit: 'grapheme' }).filter((text) => text.isWellFormed());
const searchKeys: fc.Arbitrary<SearchKey> = fc.letrec<{ key: SearchKey }>((tie) => ({
  key: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<SearchKey>(
      { key: 'all' },
      { key: 'deleted' },
      { key: 'recent' },
      { key: 'saveDateSupported' },
      { key: 'keyword', keyword: '$seen' },
      { key: 'keyword', keyword: 'work' },
    ),
    fc.record({ key: fc.constantFrom('text' as const, 'body' as const), value: searchStrings }),
    fc.record({ key: fc.constant('header' as const), name: fc.constantFrom('subject', 'x-mailer', 'from'), value: searchStrings }),
    fc.record({
      key: fc.constant('date' as const),
      field: fc.constantFrom('received' as const, 'sent' as const, 'saved' as const),
      relation: fc.constantFrom('before' as const, 'on' as const, 'since' as const),
      day: fc.integer({ min: -700_000, max: 2_000_000 }),
    }),
    fc.record({ key: fc.constant('size' as const), relation: fc.constantFrom('larger' as const, 'smaller' as const), octets: numbers }),
    fc.record({
      key: fc.constant('within' as const),
      relation: fc.constantFrom('older' as const, 'younger' as const),
      seconds: fc.integer({ min: 1, max: 1 << 30 }),
    }),
    fc.record({ key: fc.constantFrom('sequence' as const, 'uid' as const), set: sets }),
    fc.record({
      key: fc.constant('uidRange' as const),
      relation: fc.constantFrom('after' as const, 'before' as const),
      uid: fc.integer({ min: 1, max: 0xffffffff }),
    }),
    fc.record({ key: fc.constant('modSeq' as const), modSeq: fc.maxSafeNat() }),
    fc.record({ key: fc.constant('not' as const), of: tie('key') }),
    fc.record({ key: fc.constant('or' as const), left: tie('key'), right: tie('key') }),
    fc.record({ key: fc.constant('and' as const), keys: fc.array(tie('key'), { minLength: 2, maxLength: 3 }) }),
  ),
})).key;

/** Runs an encoded command through the reader and gives the scanner before its arguments. */
function arrive(encoded: Buffer): Scanner {
  const reader = new CommandReader(1 << 20);
  reader.push(Buffer.concat([Buffer.from('t '), encoded, Buffer.from('\r\n')]));
  let event = reader.next();
  while (event?.kind === 'literal') {
    reader.acceptLiteral();
    event = reader.next();
  }
  expect(event?.kind).toBe('command');
  if (event?.kind !== 'command') throw new Error('no command');
  return decodeCommandStart(event.text, event.literals).scanner;
}

const texts = fc.string({ maxLength: 30 }).filter((text) => !text.includes('\0') && text.isWellFormed());

function inverse<T>(
  arbitrary: fc.Arbitrary<T>,
  encode: (value: T) => Buffer,
  decode: (scanner: Scanner, context: typeof plainContext) => T,
): void {
  fc.assert(
    fc.property(arbitrary, (value) => {
      expect(decode(arrive(encode(value)), plainContext)).toEqual(value);
    }),
    { numRuns: 300 },
  );
}

describe('decode is the inverse of encode', () => {
  it('for LOGIN', () => inverse(fc.record({ user: texts, password: texts }), encodeLogin, decodeLogin));
  it('for SELECT', () => {
    const known = fc.uniqueArray(fc.integer({ min: 1, max: 0xffffffff }), { minLength: 1, maxLength: 5 });
    const ascending = known.map((list) => rangesOf(list.sort((a, b) => a - b)));
    const qresync = fc.record(
      {
        uidValidity: fc.integer({ min: 1, max: 0xffffffff }),
        modSeq: fc.maxSafeNat(),
        knownUids: ascending,
        matches: ascending.map((ranges) => ({ sequences: ranges, uids: ranges })),
      },
      { requiredKeys: ['uidValidity', 'modSeq'] },
    );
    inverse(
      fc.record({ mailbox: names, isCondstore: fc.boolean(), qresync }, { requiredKeys: ['mailbox', 'isCondstore'] }),
      (value) => encodeSelect(value),
      decodeSelect,
    );
  });
  it('for CREATE', () => inverse(fc.record({ mailbox: names, use: fc.subarray(['\\Sent', '\\Drafts']) }), encodeCreate, decodeCreate));
  it('for RENAME', () => inverse(fc.record({ from: names, to: names }), encodeRename, decodeRename));
  it('for STATUS', () =>
    inverse(fc.record({ mailbox: names, items: fc.subarray([...statusItems], { minLength: 1 }) }), encodeStatus, decodeStatus));
  it('for COPY', () => inverse(fc.record({ set: sets, mailbox: names }), (value) => encodeCopy(value, 'COPY'), decodeCopy));
  it('for ID', () =>
    inverse(
      fc.record({ pairs: fc.array(fc.tuple(fc.constantFrom('name', 'version', 'os'), fc.option(texts)), { maxLength: 3 }) }),
      encodeId,
      decodeId,
    ));
  const positions = fc
    .tuple(fc.integer({ min: 1, max: 0xffffffff }), fc.integer({ min: 1, max: 0xffffffff }), fc.constantFrom(1, -1))
    .map(([from, to, sign]) => ({ from: sign * from, to: sign * to }));
  const returns = fc.oneof(
    fc.constant({ return: undefined }),
    fc.record({ return: fc.subarray<SearchReturnOption>(['MIN', 'MAX', 'ALL', 'COUNT', 'SAVE'], { minLength: 1 }) }),
    fc.record({ return: fc.subarray<SearchReturnOption>(['MIN', 'MAX', 'COUNT', 'SAVE']), partial: positions }),
  );
  const program = { key: searchKeys, charset: fc.constant('UTF-8'), isCharsetKnown: fc.constant(true) };
  it('for SEARCH', () =>
    inverse<SearchArguments>(
      fc.tuple(fc.record(program), returns).map(([keys, returned]) => ({ ...keys, ...returned })),
      (value) => encodeSearch(value),
      decodeSearch,
    ));
  it('for SORT', () =>
    inverse<SortArguments>(
      fc
        .tuple(
          fc.record({
            ...program,
            criteria: fc.array(fc.record({ key: fc.constantFrom(...sortKeys), isReverse: fc.boolean() }), { minLength: 1, maxLength: 4 }),
          }),
          returns,
        )
        .map(([keys, returned]) => ({ ...keys, ...returned })),
      (value) => encodeSort(value),
      decodeSort,
    ));
  it('for THREAD', () =>
    inverse<ThreadArguments>(
      fc.record({ ...program, algorithm: fc.constantFrom(...threadAlgorithms) }),
      (value) => encodeThread(value),
      decodeThread,
    ));
  it('for FETCH', () =>
    inverse(
      fc
        .record({
          set: sets,
          attributes: fc.array(attributes, { minLength: 1, maxLength: 4 }),
          changedSince: fc.option(fc.maxSafeNat(), { nil: undefined }),
          vanished: fc.constantFrom(undefined, true as const),
          partial: fc.option(positions, { nil: undefined }),
        })
        .map(({ vanished, ...fetch }): FetchArguments => (vanished && fetch.changedSince !== undefined ? { ...fetch, vanished } : fetch)),
      (value) => encodeFetch(value),
      (scanner, context) => decodeFetch(scanner, context),
    ));
  it('for GETQUOTA and SETQUOTA', () => {
    inverse(fc.record({ root: texts }), encodeGetQuota, decodeGetQuota);
    const limit = fc.record({ resource: fc.constantFrom('STORAGE', 'MESSAGE'), limit: fc.maxSafeNat() });
    inverse(fc.record({ root: texts, limits: fc.array(limit, { maxLength: 3 }) }), encodeSetQuota, decodeSetQuota);
  });
  it('for SETACL, DELETEACL and LISTRIGHTS', () => {
    const subject = { mailbox: names, identifier: texts };
    const how = fc.constantFrom('replace' as const, 'add' as const, 'remove' as const);
    const rights = fc.subarray([...RightSet.all.letters]).map((letters) => RightSet.of(letters.join('')));
    inverse(fc.record({ ...subject, how, rights }), encodeSetAcl, decodeSetAcl);
    inverse(fc.record(subject), (value) => encodeAclSubject('DELETEACL', value), decodeAclSubject);
  });
  it('for GETMETADATA and SETMETADATA', () => {
    const entry = fc.constantFrom('/private/comment', '/shared/vendor/x y/"z"', '/private/a]b');
    inverse(
      fc.record(
        {
          mailbox: names,
          entries: fc.array(entry, { minLength: 1, maxLength: 3 }),
          depth: fc.constantFrom(0 as const, 1 as const, 'infinity' as const),
          maxSize: fc.nat(),
        },
        { requiredKeys: ['mailbox', 'entries', 'depth'] },
      ),
      encodeGetMetadata,
      decodeGetMetadata,
    );
    const value = fc.option(fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)));
    inverse(
      fc.record({ mailbox: names, values: fc.array(fc.record({ entry, value }), { minLength: 1, maxLength: 3 }) }),
      encodeSetMetadata,
      decodeSetMetadata,
    );
  });
  it('for AUTHENTICATE', () =>
    inverse(
      fc.record(
        {
          mechanism: fc.constantFrom('PLAIN', 'SCRAM-SHA-256'),
          initialResponse: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
        },
        { requiredKeys: ['mechanism'] },
      ),
      encodeAuthenticate,
      decodeAuthenticate,
    ));
  it('for COMPRESS', () => inverse(fc.record({ algorithm: fc.constantFrom('DEFLATE', 'ZSTD') }), encodeCompress, decodeCompress));
  it('for ENABLE', () =>
    inverse(
      fc.record({ capabilities: fc.array(fc.constantFrom('CONDSTORE', 'UTF8=ACCEPT', 'X'), { minLength: 1, maxLength: 4 }) }),
      encodeEnable,
      decodeEnable,
    ));
  it('for UID EXPUNGE', () => inverse(fc.record({ uids: sets }), encodeUidExpunge, decodeUidExpunge));
  it('for DELETE, SUBSCRIBE and UNSUBSCRIBE', () => {
    for (const name of ['DELETE', 'SUBSCRIBE', 'UNSUBSCRIBE'] as const)
      inverse(fc.record({ mailbox: names }), (value) => encodeMailboxArgument(value, name), decodeMailboxArgument);
  });
  it('for ESEARCH', () =>
    inverse<EsearchArguments>(
      fc
        .tuple(
          fc.record(program),
          returns.filter((returned) => returned.return !== undefined),
          fc.array(
            fc.oneof(
              fc.record({ kind: fc.constantFrom('selected' as const, 'personal' as const) }),
              fc.record({ kind: fc.constantFrom('subtree-one' as const), mailboxes: fc.array(names, { minLength: 1, maxLength: 2 }) }),
            ),
            { minLength: 1, maxLength: 3 },
          ),
        )
        .map(([keys, returned, sources]) => ({ ...keys, ...returned, sources })),
      encodeEsearch,
      decodeEsearch,
    ));
  it('for NOTIFY', () => {
    const withNames = fc.record({
      kind: fc.constantFrom('subtree' as const, 'mailboxes' as const),
      mailboxes: fc.array(names, { minLength: 1, maxLength: 3 }),
    });
    const others = fc.oneof(
      fc.record({ kind: fc.constantFrom('inboxes' as const, 'personal' as const, 'subscribed' as const) }),
      withNames,
    );
    const events = fc.constantFrom<readonly NotifyEvent[]>([], ['MessageNew', 'MessageExpunge'], ['MailboxName'], [...notifyEvents]);
    const group = fc.record({ filter: others, events, attributes: fc.constant([]) });
    const ofSelected = fc.record({
      filter: fc.record({ kind: fc.constantFrom('selected' as const, 'selected-delayed' as const) }),
      events: fc.constant(['MessageNew', 'MessageExpunge'] as const),
      attributes: fc.array(attributes, { maxLength: 3 }),
    });
    inverse<NotifyArguments>(
      fc.oneof(
        fc.constant({ groups: undefined }),
        fc
          .tuple(fc.boolean(), fc.array(group, { minLength: 1, maxLength: 3 }), fc.option(ofSelected, { nil: undefined }))
          .map(([wantsStatus, groups, one]) => ({ wantsStatus, unknown: [], groups: one === undefined ? groups : [one, ...groups] })),
      ),
      encodeNotify,
      decodeNotify,
    );
  });
  it('for UIDBATCHES', () => {
    const number = fc.integer({ min: 1, max: 0xffffffff });
    inverse(
      fc.record({ size: number, batches: fc.record({ first: number, last: number }) }, { requiredKeys: ['size'] }),
      encodeUidBatches,
      decodeUidBatches,
    );
  });
  it('for STORE', () =>
    inverse(
      fc.record({
        set: sets,
        unchangedSince: fc.option(fc.maxSafeNat(), { nil: undefined }),
        operation: fc.constantFrom('set' as const, 'add' as const, 'remove' as const),
        isSilent: fc.boolean(),
        flags,
      }),
      (value) => encodeStore(value),
      decodeStore,
    ));
  const messages = (maxLength: number) =>
    fc.array(
      fc.record(
        {
          flags,
          receivedAt: fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => seconds * 1000),
          message: fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
        },
        { requiredKeys: ['flags', 'message'] },
      ),
      { minLength: 1, maxLength },
    );
  it('for CATENATE', () => {
    const part = fc.oneof(
      fc.record({ text: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)) }),
      fc.record({ url: texts.filter((url) => url !== '') }),
    );
    inverse(
      fc.record({
        mailbox: names,
        messages: fc.array(fc.record({ flags, parts: fc.array(part, { minLength: 1, maxLength: 4 }) }), { minLength: 1, maxLength: 2 }),
      }),
      encodeAppend,
      decodeAppend,
    );
  });
  it('for APPEND', () => inverse(fc.record({ mailbox: names, messages: messages(4) }), encodeAppend, decodeAppend));
  it('for REPLACE', () =>
    inverse(fc.record({ target: numbers, mailbox: names, messages: messages(1) }), (value) => encodeReplace(value), decodeReplace));
  it('for LIST', () =>
    inverse(
      fc
        .record({
          reference: names,
          patterns: fc.array(fc.oneof(names, fc.constantFrom('*', '%', 'Work/%')), { minLength: 1, maxLength: 3 }),
          select: fc.subarray(['SUBSCRIBED', 'REMOTE', 'SPECIAL-USE'] as ('SUBSCRIBED' | 'REMOTE' | 'SPECIAL-USE')[]),
          return: fc.subarray(['CHILDREN', 'SPECIAL-USE', 'MYRIGHTS'] as ('CHILDREN' | 'SPECIAL-USE' | 'MYRIGHTS')[]),
          status: fc.subarray(['MESSAGES', 'UNSEEN'] as ('MESSAGES' | 'UNSEEN')[]),
          metadata: fc.subarray(['/private/comment', '/shared/vendor/x y']),
        })
        .map((value) => ({
          ...value,
          isExtended:
            value.patterns.length > 1 || value.select.length + value.return.length + value.status.length + value.metadata.length > 0,
        })),
      encodeList,
      decodeList,
    ));
  it('for date-time', () => {
    fc.assert(
      fc.property(fc.integer({ min: -30_000_000_000, max: 100_000_000_000 }), (seconds) => {
        expect(decodeDateTime(new Scanner(Buffer.from(formatDateTime(seconds * 1000))))).toBe(seconds * 1000);
      }),
    );
  });
  it('for modified UTF-7', () => {
    fc.assert(
      fc.property(names, (name) => {
        const wire = encodeMailboxName(name);
        expect(wire).toMatch(/^[\x20-\x7e]*$/);
        expect(decodeMailboxName(wire)).toBe(name);
      }),
    );
  });
  it('for every command that has arguments', () => {
    const folder = join(import.meta.dirname, '../../protocol/imap/commands');
    const encoders = readdirSync(folder).flatMap((file) =>
      [...readFileSync(join(folder, file), 'utf8').matchAll(/^export function (encode\w+)/gm)].map(([, name]) => name!),
    );
    const here = readFileSync(import.meta.filename, 'utf8');
    expect(encoders.length).toBeGreaterThan(25);
    expect(encoders.filter((name) => !new RegExp(`\\b${name}\\b[^']*(?:[,)]|$)`, 'm').test(here))).toEqual([]);
  });
});
