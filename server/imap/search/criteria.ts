/**
 * A search compiled for one run: every key becomes a test. Cheap ones look at a row of the mailbox; costly ones at the message, and are asked only where
 * the cheap ones leave the answer open. Answers are yes, no or open, combined as in three-valued logic.
 */
import { dayOf } from '../../../protocol/imap/date-time.ts';
import type { SearchKey } from '../../../protocol/imap/search-key.ts';
import type { SequenceSet } from '../../../protocol/imap/sequence-set.ts';
import { assertNever } from '../../../protocol/mail/errors.ts';
import { parseEmailId, parseThreadId } from '../../../protocol/mail/ids.ts';
import { contains } from '../../../protocol/mail/ranges.ts';
import type { AccountReader, MembershipRow } from '../../../storage/account/api.ts';
import type { MailboxView } from '../mailbox-view.ts';
import { objectIds } from '../object-ids.ts';
import { bodyTest, headerTest, type SearchedMessage, textTest } from './text-tests.ts';

export type Answer = boolean | undefined;

export interface Criterion {
  /** By the row alone; undefined leaves it open. */
  fast(row: Readonly<MembershipRow>): Answer;
  /** By the message. Asked only where fast() left it open. */
  slow?(message: SearchedMessage): boolean | Promise<boolean>;
}

export interface SearchScene {
  readonly view: MailboxView;
  readonly reader: AccountReader;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function compile(key: SearchKey, scene: SearchScene): Criterion {
  const { view, reader, now } = scene;
  switch (key.key) {
    case 'all':
    case 'saveDateSupported':
      return { fast: () => true };
    case 'deleted':
      return { fast: (row) => row.deleted };
    case 'recent':
      return { fast: (row) => view.isRecent(row.uid) };
    case 'keyword':
      return keywordTest(reader, key.keyword);
    case 'and':
      return allOf(key.keys.map((inner) => compile(inner, scene)));
    case 'or':
      return anyOf([compile(key.left, scene), compile(key.right, scene)]);
    case 'not':
      return negationOf(compile(key.of, scene));
    case 'size':
      return { fast: (row) => (key.relation === 'larger' ? row.size > key.octets : row.size < key.octets) };
    case 'date':
      return dateTest(key);
    case 'within': {
      const limit = now - key.seconds * 1000;
      return { fast: (row) => (key.relation === 'older' ? row.receivedAt <= limit : row.receivedAt > limit) };
    }
    case 'sequence':
      return uidTest(view, key.set, false);
    case 'uid':
      return uidTest(view, key.set, true);
    case 'uidRange':
      return { fast: (row) => (key.relation === 'after' ? row.uid > key.uid : row.uid < key.uid) };
    case 'modSeq':
      return { fast: (row) => row.modSeq >= key.modSeq };
    case 'emailId': {
      const id = parseEmailId(objectIds(view.account).given(key.id));
      return { fast: (row) => row.email === id };
    }
    case 'threadId': {
      const id = parseThreadId(objectIds(view.account).given(key.id));
      return { fast: (row) => row.thread === id };
    }
    case 'header':
      return headerTest(reader, key.name, key.value);
    case 'body':
      return bodyTest(view, reader, key.value);
    case 'text':
      return textTest(view, reader, key.value);
    default:
      return assertNever(key);
  }
}

function keywordTest(reader: AccountReader, keyword: string): Criterion {
  const has = new Map<number, boolean>();
  return {
    fast: ({ keywordSet }) => {
      let answer = has.get(keywordSet);
      if (answer === undefined) has.set(keywordSet, (answer = reader.keywordsOf(keywordSet).includes(keyword)));
      return answer;
    },
  };
}

function uidTest(view: MailboxView, set: SequenceSet, isUid: boolean): Criterion {
  const uids = view.uidRanges(view.resolve(set, isUid));
  return { fast: (row) => contains(uids, row.uid) };
}

/** RFC 9051 §6.4.4: dates are compared without time and zone; of the Date field the day that the sender wrote. */
function dateTest({ field, relation, day }: SearchKey & { key: 'date' }): Criterion {
  const compare = (other: number) => (relation === 'on' ? other === day : relation === 'before' ? other < day : other >= day);
  if (field === 'received') return { fast: (row) => compare(dayOf(row.receivedAt)) };
  if (field === 'saved') return { fast: (row) => compare(dayOf(row.savedAt)) };
  return {
    // The sender's zone is less than a day from UTC: only near the limit does it matter.
    fast: (row) => (Math.abs(dayOf(row.sentAt) - day) > 1 ? compare(dayOf(row.sentAt)) : undefined),
    slow: ({ reader, email, sentAt }) => compare(dayOf(sentAt + (reader.facts(email)?.sentAtOffset ?? 0) * 60_000)),
  };
}

/** Cheap answers first; of the open ones, one after the other until the outcome is certain. */
function combine(criteria: readonly Criterion[], decisive: boolean): Criterion {
  const slow = criteria.filter((criterion) => criterion.slow !== undefined);
  const fast: Criterion['fast'] = (row) => {
    let answer: Answer = !decisive;
    for (const criterion of criteria) {
      const one = criterion.fast(row);
      if (one === decisive) return decisive;
      if (one === undefined) answer = undefined;
    }
    return answer;
  };
  if (slow.length === 0) return { fast };
  return {
    fast,
    async slow(message) {
      for (const criterion of slow) {
        const known = criterion.fast(message.row);
        const answer = known ?? (await criterion.slow!(message));
        if (answer === decisive) return decisive;
      }
      return !decisive;
    },
  };
}

const allOf = (criteria: readonly Criterion[]): Criterion => combine(criteria, false);
const anyOf = (criteria: readonly Criterion[]): Criterion => combine(criteria, true);

function negationOf({ fast, slow }: Criterion): Criterion {
  const not = (answer: Answer) => (answer === undefined ? undefined : !answer);
  if (slow === undefined) return { fast: (row) => not(fast(row)) };
  return {
    fast: (row) => not(fast(row)),
    slow(message) {
      const answer = slow(message);
      return typeof answer === 'boolean' ? !answer : answer.then((yes) => !yes);
    },
  };
}
