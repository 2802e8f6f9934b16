/** Rights of RFC 4314 as JMAP has them (RFC 8621 §2, and `mayShare` of draft-ietf-jmap-mail-sharing): one table for both directions. */
import { type Right, RightSet } from '../../protocol/mail/acl.ts';

/** Letters that a right of JMAP stands for: all of them must be there, and all are given by it. */
const letters = {
  mayReadItems: 'lr',
  mayAddItems: 'i',
  mayRemoveItems: 'te',
  maySetSeen: 's',
  maySetKeywords: 'w',
  mayCreateChild: 'k',
  mayRename: 'x',
  mayDelete: 'x',
  maySubmit: 'p',
  mayShare: 'a',
} as const;

export type MailboxRight = keyof typeof letters;
export type MailboxRights = Readonly<Record<MailboxRight, boolean>>;

export const mailboxRights = Object.keys(letters) as readonly MailboxRight[];

export function jmapRightsOf(rights: RightSet): MailboxRights {
  return Object.fromEntries(mailboxRights.map((right) => [right, rights.hasAll(letters[right])])) as MailboxRights;
}

/**
 * The rights after a client has set some of `before`. Only what it sets otherwise than it stood changes: an ACL may hold single letters that JMAP cannot
 * say. Renaming and deleting are one letter: given when either is, taken when either is.
 */
export function rightsFromJmap(wanted: Readonly<Partial<Record<string, boolean>>>, before: RightSet): RightSet {
  const was = jmapRightsOf(before);
  let given = before;
  for (const right of mailboxRights) {
    const is = wanted[right] === true;
    if (is === was[right]) continue;
    const changed = RightSet.of(letters[right]);
    given = is ? given.with(changed) : given.without(changed);
  }
  // Who may do anything in a mailbox may know of it.
  return given === RightSet.none || given.letters === '' ? RightSet.none : given.with(RightSet.of('l' satisfies Right));
}
