/**
 * search-key (RFC 9051 §6.4.4, RFC 3501 §6.4.4) with those of CONDSTORE, WITHIN (RFC 5032), SAVEDATE (RFC 8514) and OBJECTID (RFC 8474), as a tree.
 * Keys that say the same are one node: SEEN is KEYWORD $seen, FROM a header, NEW two keys.
 */

import { keywordOf } from '../mail/keywords.ts';
import { decodeText } from '../mime/charset.ts';
import { decodeDate, formatDate } from './date-time.ts';
import { listDepthMax, searchKeysMax } from './limits.ts';
import { decodeSequenceSet, formatSequenceSet, type SequenceSet } from './sequence-set.ts';
import type { CommandWriter } from './wire/command-writer.ts';
import type { Scanner } from './wire/scanner.ts';

export type SearchKey =
  | { readonly key: 'all' | 'deleted' | 'recent' | 'saveDateSupported' }
  | { readonly key: 'and'; readonly keys: readonly SearchKey[] }
  | { readonly key: 'or'; readonly left: SearchKey; readonly right: SearchKey }
  | { readonly key: 'not'; readonly of: SearchKey }
  /** A keyword in JMAP's spelling. */
  | { readonly key: 'keyword'; readonly keyword: string }
  | { readonly key: 'text' | 'body'; readonly value: string }
  /** Field name in lower case. An empty value asks whether the field is there. */
  | { readonly key: 'header'; readonly name: string; readonly value: string }
  /** Number of a day since the epoch. */
  | { readonly key: 'date'; readonly field: DateField; readonly relation: 'before' | 'on' | 'since'; readonly day: number }
  | { readonly key: 'within'; readonly relation: 'older' | 'younger'; readonly seconds: number }
  | { readonly key: 'size'; readonly relation: 'larger' | 'smaller'; readonly octets: number }
  | { readonly key: 'sequence' | 'uid'; readonly set: SequenceSet }
  /** RFC 9738 §3.2. */
  | { readonly key: 'uidRange'; readonly relation: 'after' | 'before'; readonly uid: number }
  | { readonly key: 'modSeq'; readonly modSeq: number }
  | { readonly key: 'emailId' | 'threadId'; readonly id: string };

export type DateField = 'received' | 'sent' | 'saved';

const keywordKeys: Readonly<Record<string, string>> = { SEEN: '$seen', ANSWERED: '$answered', FLAGGED: '$flagged', DRAFT: '$draft' };
const headerKeys = new Set(['FROM', 'TO', 'CC', 'BCC', 'SUBJECT']);
const dateFields: Readonly<Record<string, DateField>> = { '': 'received', SENT: 'sent', SAVED: 'saved' };

const not = (of: SearchKey): SearchKey => ({ key: 'not', of });

export class SearchKeyDecoder {
  readonly #scanner: Scanner;
  readonly #charset: string;
  #keys = 0;

  constructor(scanner: Scanner, charset: string) {
    this.#scanner = scanner;
    this.#charset = charset;
  }

  /** search-key *(SP search-key), up to the end or a parenthesis. */
  decodeAll(depth = 0): SearchKey {
    const keys: SearchKey[] = [];
    do keys.push(this.#decode(depth));
    while (this.#scanner.take(' '));
    return keys.length === 1 ? keys[0]! : { key: 'and', keys };
  }

  #decode(depth: number): SearchKey {
    const scanner = this.#scanner;
    if (depth > listDepthMax) scanner.fail(`at most ${listDepthMax} levels of search keys`);
    this.#keys += 1;
    if (this.#keys > searchKeysMax) scanner.fail(`at most ${searchKeysMax} search keys`);
    if (scanner.take('(')) {
      const inner = this.decodeAll(depth + 1);
      scanner.expect(')');
      return inner;
    }
    const next = scanner.peek();
    // 0-9, "*" or "$"
    if ((next >= 0x30 && next <= 0x39) || next === 0x2a || next === 0x24) return { key: 'sequence', set: decodeSequenceSet(scanner) };
    const start = scanner.position;
    const name = scanner.keyword('a search key');
    const key = this.#named(name, depth);
    if (key !== undefined) return key;
    scanner.position = start;
    return scanner.fail('a search key');
  }

  #named(name: string, depth: number): SearchKey | undefined {
    const scanner = this.#scanner;
    const argument = <T>(read: () => T): T => {
      scanner.space();
      return read();
    };
    const keyword = keywordKeys[name] ?? keywordKeys[name.replace(/^UN/, '')];
    if (keyword !== undefined) return name.startsWith('UN') ? not({ key: 'keyword', keyword }) : { key: 'keyword', keyword };
    if (headerKeys.has(name)) return { key: 'header', name: name.toLowerCase(), value: argument(() => this.#string()) };
    const date = /^(SENT|SAVED|)(BEFORE|ON|SINCE)$/.exec(name);
    if (date !== null) {
      const relation = date[2]!.toLowerCase() as 'before' | 'on' | 'since';
      return { key: 'date', field: dateFields[date[1]!]!, relation, day: argument(() => decodeDate(scanner)) };
    }
    switch (name) {
      case 'ALL':
        return { key: 'all' };
      case 'DELETED':
        return { key: 'deleted' };
      case 'UNDELETED':
        return not({ key: 'deleted' });
      case 'RECENT':
        return { key: 'recent' };
      case 'OLD':
        return not({ key: 'recent' });
      case 'NEW':
        return { key: 'and', keys: [{ key: 'recent' }, not({ key: 'keyword', keyword: '$seen' })] };
      case 'KEYWORD':
        return argument(() => this.#flag());
      case 'UNKEYWORD':
        return not(argument(() => this.#flag()));
      case 'BODY':
        return { key: 'body', value: argument(() => this.#string()) };
      case 'TEXT':
        return { key: 'text', value: argument(() => this.#string()) };
      case 'HEADER': {
        const field = argument(() => scanner.astringText()).toLowerCase();
        return { key: 'header', name: field, value: argument(() => this.#string()) };
      }
      case 'LARGER':
        return { key: 'size', relation: 'larger', octets: argument(() => scanner.number(Number.MAX_SAFE_INTEGER)) };
      case 'SMALLER':
        return { key: 'size', relation: 'smaller', octets: argument(() => scanner.number(Number.MAX_SAFE_INTEGER)) };
      case 'UID':
        return { key: 'uid', set: argument(() => decodeSequenceSet(scanner)) };
      case 'UIDAFTER':
        return { key: 'uidRange', relation: 'after', uid: argument(() => scanner.nzNumber()) };
      case 'UIDBEFORE':
        return { key: 'uidRange', relation: 'before', uid: argument(() => scanner.nzNumber()) };
      case 'NOT':
        return not(argument(() => this.#decode(depth + 1)));
      case 'OR': {
        const left = argument(() => this.#decode(depth + 1));
        return { key: 'or', left, right: argument(() => this.#decode(depth + 1)) };
      }
      case 'OLDER':
        return { key: 'within', relation: 'older', seconds: argument(() => scanner.nzNumber()) };
      case 'YOUNGER':
        return { key: 'within', relation: 'younger', seconds: argument(() => scanner.nzNumber()) };
      case 'MODSEQ':
        return { key: 'modSeq', modSeq: argument(() => this.#modSeq()) };
      case 'SAVEDATESUPPORTED':
        return { key: 'saveDateSupported' };
      case 'EMAILID':
        return { key: 'emailId', id: argument(() => scanner.astringText()) };
      case 'THREADID':
        return { key: 'threadId', id: argument(() => scanner.astringText()) };
      default:
        return undefined;
    }
  }

  /** An astring in the command's charset. */
  #string(): string {
    return decodeText(this.#scanner.astring(), this.#charset);
  }

  /** flag-keyword = "$MDNSent" / … / atom. System flags have keys of their own. */
  #flag(): SearchKey {
    return { key: 'keyword', keyword: keywordOf(this.#scanner.atom())! };
  }

  /** RFC 7162 §3.1.5: MODSEQ [entry-name SP entry-type-req SP] mod-sequence-valzer. All flags share one mod-sequence, so the entry says nothing. */
  #modSeq(): number {
    const scanner = this.#scanner;
    if (!scanner.isStringNext()) return scanner.modSeq();
    const start = scanner.position;
    if (!/^\/flags\/./i.test(scanner.stringText())) {
      scanner.position = start;
      scanner.fail('an entry name such as "/flags/\\\\Seen"');
    }
    scanner.space();
    if (!['ALL', 'PRIV', 'SHARED'].includes(scanner.keyword())) scanner.fail('all, priv or shared');
    scanner.space();
    return scanner.modSeq();
  }
}

/** The client's side: strings in UTF-8. */
export function encodeSearchKey(writer: CommandWriter, key: SearchKey): CommandWriter {
  switch (key.key) {
    case 'all':
    case 'deleted':
    case 'recent':
      return writer.raw(key.key.toUpperCase());
    case 'saveDateSupported':
      return writer.raw('SAVEDATESUPPORTED');
    case 'and':
      return writer.list(key.keys, (inner) => encodeSearchKey(writer, inner));
    case 'or':
      encodeSearchKey(writer.raw('OR '), key.left);
      return encodeSearchKey(writer.sp(), key.right);
    case 'not':
      return encodeSearchKey(writer.raw('NOT '), key.of);
    case 'keyword': {
      const name = Object.keys(keywordKeys).find((known) => keywordKeys[known] === key.keyword);
      return writer.raw(name ?? `KEYWORD ${key.keyword}`);
    }
    case 'text':
    case 'body':
      return writer.raw(`${key.key.toUpperCase()} `).string(key.value);
    case 'header':
      return writer.raw('HEADER ').string(key.name).sp().string(key.value);
    case 'date': {
      const prefix = { received: '', sent: 'SENT', saved: 'SAVED' }[key.field];
      return writer.raw(`${prefix}${key.relation.toUpperCase()} ${formatDate(key.day)}`);
    }
    case 'within':
      return writer.raw(`${key.relation.toUpperCase()} ${key.seconds}`);
    case 'size':
      return writer.raw(`${key.relation.toUpperCase()} ${key.octets}`);
    case 'sequence':
      return writer.raw(formatSequenceSet(key.set));
    case 'uid':
      return writer.raw(`UID ${formatSequenceSet(key.set)}`);
    case 'uidRange':
      return writer.raw(`UID${key.relation.toUpperCase()} ${key.uid}`);
    case 'modSeq':
      return writer.raw(`MODSEQ ${key.modSeq}`);
    case 'emailId':
    case 'threadId':
      return writer.raw(`${key.key.toUpperCase()} `).astring(key.id);
  }
}
