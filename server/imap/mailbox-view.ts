/**
 * A selected mailbox as one client knows it (RFC 9051 §2.3.1.2, §7.5.1): the UIDs behind its sequence numbers, which change only when the client is
 * told. The account's effects are gathered as they come true; sync() tells them when the protocol allows. The list of UIDs is the account's own
 * shared snapshot until an EXPUNGE has to be held back.
 */

import { resolveSequenceSet, type SequenceSet } from '../../protocol/imap/sequence-set.ts';
import type { ByteWriter } from '../../protocol/imap/wire/byte-writer.ts';
import { type Right, RightSet } from '../../protocol/mail/acl.ts';
import { ProtocolError } from '../../protocol/mail/errors.ts';
import type { MailboxNumber, ModSeq } from '../../protocol/mail/ids.ts';
import { flagOf, systemFlags } from '../../protocol/mail/keywords.ts';
import { normalizeRanges, type Range, type Ranges, rangesOf } from '../../protocol/mail/ranges.ts';
import type { Account, AccountReader, Effect, MailboxEffect } from '../../storage/account/api.ts';
import { SharedAccount } from '../../storage/sharing/shared-account.ts';
import { writeFetchStart } from './fetch/fetch-start.ts';
import { flagBytesOf } from './flag-bytes.ts';
import { pendingEffectsMax } from './limits.ts';
import type { RecentRegistry } from './recent.ts';
import { writeVanished } from './vanished.ts';

export interface ViewOptions {
  readonly account: Account;
  readonly mailbox: MailboxNumber;
  readonly isReadOnly: boolean;
  readonly recents: RecentRegistry;
  /** Called when there is something to sync. Must not throw. */
  readonly onChange: () => void;
}

export interface SyncOptions {
  /** Changed flags are told; else they are forgotten (RFC 5465 §5.1). */
  readonly withFlags: boolean;
  readonly mayExpunge: boolean;
  /** MODSEQ goes with the flags (RFC 7162 §3.2). */
  readonly withModSeq: boolean;
  /** The client has enabled QRESYNC or UIDONLY: VANISHED takes the place of EXPUNGE (RFC 7162 §3.2.10, RFC 9586 §3.4). */
  readonly asVanished: boolean;
  /** UIDFETCH takes the place of FETCH (RFC 9586 §3.6). */
  readonly isUidOnly: boolean;
}

interface PendingEffect {
  readonly modSeq: ModSeq;
  readonly effect: Pick<MailboxEffect, 'changed'>;
}

export class MailboxView implements Disposable {
  readonly account: Account;
  readonly mailbox: MailboxNumber;
  readonly uidValidity: number;
  readonly isReadOnly: boolean;
  /** The mailbox was deleted by another session, or the right to read it was taken away. */
  isGone = false;
  /** \Recent and RECENT are told: RFC 9051 has them no more. */
  tellsRecent = true;
  /** Saved result of a search (RFC 5182): UIDs, ascending. */
  saved: readonly number[] = [];
  readonly #recents: RecentRegistry;
  readonly #watch: Disposable;
  #uids: Uint32Array;
  /** Largest UID that the client was told of, expunged ones included. */
  #lastUid: number;
  /** UIDs that are recent here: ranges of them, ascending. */
  #recent: Range[] = [];
  #pending: PendingEffect[] = [];
  #isStale = false;
  /** All changes up to this one were told. */
  #toldModSeq: ModSeq;
  readonly #own = new Set<ModSeq>();
  /** New messages of this session, of which the client knows by its own command. */
  readonly #ownUids = new Set<number>();
  /** Keywords that the client was told in FLAGS, and keyword sets that hold no others. */
  readonly #knownKeywords: Set<string>;
  readonly #knownSets = new Set<number>();
  /** That the client was told in PERMANENTFLAGS. */
  #toldRights: RightSet;

  /** Reads the mailbox as it is now, which must exist. */
  constructor({ account, mailbox, isReadOnly, recents, onChange }: ViewOptions) {
    this.account = account;
    this.mailbox = mailbox;
    this.isReadOnly = isReadOnly;
    this.#recents = recents;
    // Before the first read, so that nothing falls between.
    this.#watch = account.watch(
      (effects) => {
        if (this.#note(effects)) onChange();
      },
      () => {
        this.#expectAnything();
        onChange();
      },
    );
    const { uids, record, keywords, modSeq } = account.read((reader) => ({
      modSeq: reader.modSeq,
      uids: reader.uids(mailbox),
      record: reader.mailbox(mailbox)!,
      keywords: reader.keywordsIn(mailbox),
    }));
    this.#uids = uids;
    this.#toldModSeq = modSeq;
    this.#lastUid = record.uidNext - 1;
    this.uidValidity = record.uidValidity;
    this.#knownKeywords = new Set(keywords);
    this.#toldRights = this.rights;
    this.#claimRecent(record.uidNext);
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }

  /** As they are now; of an own mailbox all. */
  get rights(): RightSet {
    return this.account instanceof SharedAccount ? this.account.rightsOn(this.mailbox) : RightSet.all;
  }

  may(right: Right): boolean {
    return !(this.account instanceof SharedAccount) || this.rights.has(right);
  }

  get #isReadable(): boolean {
    return !(this.account instanceof SharedAccount) || this.rights.hasAll('lr');
  }

  /** EXISTS. */
  get exists(): number {
    return this.#uids.length;
  }

  /** UIDs by sequence number minus one. Shared: do not modify. */
  get uids(): Uint32Array {
    return this.#uids;
  }

  /** Keywords that FLAGS has told of. */
  get knownKeywords(): ReadonlySet<string> {
    return this.#knownKeywords;
  }

  get recentCount(): number {
    return this.#recent.reduce((sum, [first, last]) => sum + lowerBound(this.#uids, last + 1) - lowerBound(this.#uids, first), 0);
  }

  isRecent(uid: number): boolean {
    return this.tellsRecent && this.#recent.length > 0 && this.#recent.some(([first, last]) => first <= uid && uid <= last);
  }

  /** The sequence number of a UID, 0 when the client does not know it. */
  sequenceOf(uid: number): number {
    const at = lowerBound(this.#uids, uid);
    return this.#uids[at] === uid ? at + 1 : 0;
  }

  /**
   * Indexes into `uids` that a set names, as ranges in normal form. UIDs that are not there are passed over (RFC 9051 §6.4.9); a sequence number that
   * is not there is the client's error.
   */
  resolve(set: SequenceSet, isUid: boolean): Ranges {
    if (set === '$') return this.indexesOfUids(this.saved.map((uid) => [uid, uid]));
    if (isUid) return this.indexesOfUids(resolveSequenceSet(set, this.#uids.at(-1) ?? 0));
    const { exists } = this;
    for (const [first, last] of set) {
      const isOpen = first === 0 || last === 0;
      if (!isOpen && Math.max(first, last) > exists) throw new ProtocolError(`expected message numbers up to ${exists}`);
    }
    if (exists === 0) return [];
    return resolveSequenceSet(set, exists).map(([first, last]): Range => [Math.min(first, exists) - 1, Math.min(last, exists) - 1]);
  }

  /** Indexes of those of these UIDs that the client knows. */
  indexesOfUids(ranges: Ranges): Ranges {
    const indexes: Range[] = [];
    for (const [first, last] of ranges) {
      const from = lowerBound(this.#uids, first);
      const to = lowerBound(this.#uids, last + 1) - 1;
      if (from <= to) indexes.push([from, to]);
    }
    return normalizeRanges(indexes);
  }

  /** UIDs at these indexes, as few ranges as there are gaps between them. */
  uidRanges(indexes: Ranges): Ranges {
    const ranges: [number, number][] = [];
    for (const [from, to] of indexes) {
      for (let at = from; at <= to; at += 1) {
        const uid = this.#uids[at]!;
        const previous = ranges.at(-1);
        if (previous !== undefined && previous[1] + 1 === uid) previous[1] = uid;
        else ranges.push([uid, uid]);
      }
    }
    return ranges;
  }

  /** Notes a committed change that this session made and answers for itself; call right before sync(). */
  noteOwn(modSeq: ModSeq): void {
    this.#own.add(modSeq);
  }

  /** The same of messages that it added. */
  noteOwnUids(uids: Iterable<number>): void {
    for (const uid of uids) this.#ownUids.add(uid);
  }

  #note(effects: readonly Effect[]): boolean {
    let isNews = false;
    for (const { modSeq, mailboxes } of effects) {
      for (const effect of mailboxes) {
        if (effect.mailbox !== this.mailbox) continue;
        isNews = true;
        if (effect.record === 'removed' || !this.#isReadable) this.isGone = true;
        if (effect.added.length > 0 || effect.removed.length > 0) this.#isStale = true;
        if (effect.changed.length > 0) this.#pending.push({ modSeq, effect });
      }
    }
    if (this.#pending.length > pendingEffectsMax) {
      const others = this.#pending.filter(({ modSeq }) => !this.#own.has(modSeq));
      const changed = normalizeRanges(others.flatMap(({ effect }) => effect.changed));
      this.#pending = [{ modSeq: 0 as ModSeq, effect: { changed } }];
      this.#own.clear();
    }
    return isNews;
  }

  /** The account was made anew from the bucket: messages and flags may have changed in any way. */
  #expectAnything(): void {
    this.isGone = !this.#isReadable || this.account.read((reader) => reader.mailbox(this.mailbox) === undefined);
    this.#isStale = true;
    this.#pending = [{ modSeq: 0 as ModSeq, effect: { changed: [[1, 0xffffffff]] } }];
  }

  /** Tells the client what has changed, and returns the UIDs of new messages that it did not add itself. Writes to `out` and waits for nothing. */
  sync(out: ByteWriter, options: SyncOptions): Ranges {
    if (this.#toldRights !== RightSet.all && this.#toldRights.letters !== this.rights.letters) this.writeFlags(out);
    if (!this.#isStale && this.#pending.length === 0) {
      this.#own.clear();
      return [];
    }
    const lastUid = this.#lastUid;
    if (!options.withFlags) this.#pending = [];
    this.account.read((reader) => {
      if (this.#isStale) this.#tellMessages(out, reader, options);
      this.#tellFlags(out, reader, options);
      if (!this.#isStale) this.#toldModSeq = reader.modSeq;
      // RFC 7162 §3.2.4: a client that has heard of younger changes and not of a removal must not believe that it has heard of all.
      else if (options.asVanished && options.withModSeq)
        out.ascii(`* OK [HIGHESTMODSEQ ${this.#toldModSeq}] Removals are to be told yet.`).crlf();
    });
    if (this.#lastUid === lastUid) return [];
    const added = this.#uids.subarray(lowerBound(this.#uids, lastUid + 1)).filter((uid) => !this.#ownUids.delete(uid));
    return rangesOf(added);
  }

  /** RFC 9051 §7.5.1, §7.4.1: EXPUNGE from the highest number down, so that each number is still right; then EXISTS. */
  #tellMessages(out: ByteWriter, reader: AccountReader, { mayExpunge, asVanished }: SyncOptions): void {
    const now = reader.uids(this.mailbox);
    const firstNew = lowerBound(now, this.#lastUid + 1);
    const gone = goneIndexes(this.#uids, now);
    const hasNew = firstNew < now.length;
    if (gone.length > 0 && mayExpunge) {
      if (asVanished) writeVanished(out, rangesOf(gone.map((at) => this.#uids[at]!)), 'now');
      else for (let at = gone.length - 1; at >= 0; at -= 1) out.ascii(`* ${gone[at]! + 1} EXPUNGE\r\n`);
      if (this.saved.length > 0) this.#forgetSaved(gone);
    }
    if (gone.length === 0 || mayExpunge) {
      this.#uids = now;
      this.#isStale = false;
    } else if (hasNew) {
      const both = new Uint32Array(this.#uids.length + now.length - firstNew);
      both.set(this.#uids);
      both.set(now.subarray(firstNew), this.#uids.length);
      this.#uids = both;
    }
    if (!hasNew) return;
    this.tellNewKeywords(out, reader, [[this.#lastUid + 1, now.at(-1)!]]);
    this.#lastUid = now.at(-1)!;
    this.#claimRecent(this.#lastUid + 1);
    out.ascii('* ').number(this.#uids.length).ascii(' EXISTS\r\n');
    if (this.tellsRecent) out.ascii('* ').number(this.recentCount).ascii(' RECENT\r\n');
  }

  #forgetSaved(gone: readonly number[]): void {
    const uids = new Set(gone.map((at) => this.#uids[at]!));
    this.saved = this.saved.filter((uid) => !uids.has(uid));
  }

  #tellFlags(out: ByteWriter, reader: AccountReader, { withModSeq, isUidOnly }: SyncOptions): void {
    const others = this.#pending.filter(({ modSeq }) => !this.#own.has(modSeq));
    this.#pending = [];
    this.#own.clear();
    if (others.length === 0) return;
    const flags = flagBytesOf(this.account);
    const changed = normalizeRanges(others.flatMap(({ effect }) => effect.changed));
    this.tellNewKeywords(out, reader, changed);
    for (const [first, last] of changed) {
      reader.forEachMembership(this.mailbox, first, last, (row) => {
        const sequence = this.sequenceOf(row.uid);
        if (sequence === 0) return;
        writeFetchStart(out, sequence, row.uid, isUidOnly);
        if (!isUidOnly) out.ascii('UID ').number(row.uid).ascii(' ');
        if (withModSeq) out.ascii('MODSEQ (').number(row.modSeq).ascii(') ');
        out.ascii('FLAGS ');
        flags.write(out, reader, row.keywordSet, row.deleted, this.isRecent(row.uid));
        out.ascii(')\r\n');
      });
    }
  }

  /** FLAGS and PERMANENTFLAGS, by the rights of now (RFC 4314 §5.1.1: again when they have changed). */
  writeFlags(out: ByteWriter): void {
    const { rights, isReadOnly } = this;
    this.#toldRights = rights;
    const flags = applicableFlags(this.#knownKeywords);
    const changeable = [...flags, '\\*'];
    const permanent = isReadOnly ? [] : rights === RightSet.all ? changeable : changeable.filter((flag) => rights.has(rightOfFlag(flag)));
    const text = isReadOnly ? 'Read-only.' : rights.has('w') ? 'Any keyword may be set.' : 'Others are not for you to set.';
    out.ascii(`* FLAGS (${flags.join(' ')})\r\n* OK [PERMANENTFLAGS (${permanent.join(' ')})] ${text}\r\n`);
  }

  /** RFC 9051 §7.3.5: FLAGS again, when one of these messages brings a keyword into use. */
  tellNewKeywords(out: ByteWriter, reader: AccountReader, uids: Ranges): void {
    let hasNew = false;
    for (const [first, last] of uids) {
      reader.forEachMembership(this.mailbox, first, last, ({ keywordSet }) => {
        if (this.#knownSets.has(keywordSet)) return;
        this.#knownSets.add(keywordSet);
        for (const keyword of reader.keywordsOf(keywordSet)) {
          hasNew ||= !this.#knownKeywords.has(keyword) && !systemFlags.has(keyword);
          this.#knownKeywords.add(keyword);
        }
      });
    }
    if (hasNew) out.ascii(`* FLAGS (${applicableFlags(this.#knownKeywords).join(' ')})\r\n`);
  }

  #claimRecent(uidNext: number): void {
    const { account, mailbox } = this;
    // \Recent of a shared mailbox is its owner's.
    if (this.isReadOnly || account instanceof SharedAccount) {
      const first = this.#recents.peek(account, mailbox, uidNext);
      if (first < uidNext) this.#recent = [[first, uidNext - 1]];
      return;
    }
    const first = this.#recents.claim(account, mailbox, uidNext);
    if (first < uidNext) this.#recent.push([first, uidNext - 1]);
    if (this.#recent.length > 64) this.#recent = [...normalizeRanges(this.#recent)];
  }
}

/** RFC 4314 §2.1. */
function rightOfFlag(flag: string): Right {
  return flag === '\\Seen' ? 's' : flag === '\\Deleted' ? 't' : 'w';
}

/** FLAGS's list: the system flags and the keywords in use. */
function applicableFlags(keywords: Iterable<string>): string[] {
  const system = ['\\Answered', '\\Flagged', '\\Deleted', '\\Seen', '\\Draft'];
  const own = [...keywords].map(flagOf).filter((flag) => !flag.startsWith('\\'));
  return [...system, ...own];
}

/** Indexes in `before` whose UIDs are not in `now`. Both ascending. */
function goneIndexes(before: Uint32Array, now: Uint32Array): number[] {
  const gone: number[] = [];
  let at = 0;
  for (let index = 0; index < before.length; index += 1) {
    const uid = before[index]!;
    while (at < now.length && now[at]! < uid) at += 1;
    if (now[at] !== uid) gone.push(index);
  }
  return gone;
}

/** First index whose UID is not below `uid`. */
export function lowerBound(uids: Uint32Array, uid: number): number {
  let low = 0;
  let high = uids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (uids[middle]! < uid) low = middle + 1;
    else high = middle;
  }
  return low;
}
