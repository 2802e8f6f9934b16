/**
 * Rights on a mailbox (RFC 4314 §2.1), and who was given which: an object of the owner's log for each shared mailbox. The owner has all of them,
 * always, and stands in no list. The log's format: docs/FORMAT.md.
 */
import type { AccountId, MailboxNumber } from './ids.ts';

/**
 * `l` is listed, `r` its messages are read, `s` \Seen, `w` other flags, `i` messages come in by APPEND, COPY and MOVE, `p` mail may be sent to it,
 * `k` mailboxes below it, `x` it may be renamed and deleted, `t` \Deleted, `e` EXPUNGE, `a` the list of rights.
 */
export type Right = 'l' | 'r' | 's' | 'w' | 'i' | 'p' | 'k' | 'x' | 't' | 'e' | 'a';

const order = 'lrswipkxtea';

/** RFC 4314 §2.1.1: what RFC 2086 had, as the union of its members. Servers differ on `x`; we hold it with Dovecot, for `c`. */
const obsolete: Readonly<Record<string, string>> = { c: 'kx', d: 'te' };

export class RightSet {
  static readonly none = new RightSet('');
  static readonly all = new RightSet(order);
  /** In the order of RFC 4314 §2.1, each once. */
  readonly letters: string;

  private constructor(letters: string) {
    this.letters = letters;
  }

  /** Of letters that are rights; others are passed over. */
  static of(letters: string): RightSet {
    const sorted = [...order].filter((right) => letters.includes(right)).join('');
    if (sorted === order) return RightSet.all;
    return sorted === '' ? RightSet.none : new RightSet(sorted);
  }

  /** As a client writes them, the obsolete ones too; undefined when one is none of ours, which RFC 4314 §3.1 has answered with BAD. */
  static parse(text: string): RightSet | undefined {
    const letters = text.replace(/[cd]/g, (right) => obsolete[right]!);
    return [...letters].every((right) => order.includes(right)) ? RightSet.of(letters) : undefined;
  }

  has(right: Right): boolean {
    return this.letters.includes(right);
  }

  /** Any of them. */
  hasAny(rights: string): boolean {
    return [...rights].some((right) => this.letters.includes(right));
  }

  hasAll(rights: string): boolean {
    return [...rights].every((right) => this.letters.includes(right));
  }

  with(others: RightSet): RightSet {
    return RightSet.of(this.letters + others.letters);
  }

  without(others: RightSet): RightSet {
    return RightSet.of([...this.letters].filter((right) => !others.letters.includes(right)).join(''));
  }

  /** RFC 4314 §2.1.1: with each obsolete right of which a member is there, for clients that know no others. */
  format(): string {
    const old = Object.keys(obsolete).filter((right) => this.hasAny(obsolete[right]!));
    return this.letters + old.join('');
  }
}

/** LISTRIGHTS' optional rights: each stands for itself. */
export const optionalRights: readonly string[] = [...order, ...Object.keys(obsolete)];

/** Whoever has an account here (RFC 4314 §2: `anyone`; there is no anonymous login). */
export const anyone = 'anyone';
export type AclIdentifier = AccountId | typeof anyone;

export const mailboxAclType = 'mailboxAcl';
export const mailboxAclId = (mailbox: MailboxNumber): string => String(mailbox);

/** Rights by account id or `anyone`, in the order of RFC 4314 §2.1. */
export interface MailboxAcl {
  readonly rights: Readonly<Record<string, string>>;
}

/** A mailbox that one of those it is shared with has subscribed to: an object of the owner's log. */
export const sharedSubscriptionType = 'sharedSubscription';
export const sharedSubscriptionPrefix = (mailbox: MailboxNumber): string => `${mailbox}/`;
export const sharedSubscriptionId = (mailbox: MailboxNumber, viewer: AccountId): string => `${sharedSubscriptionPrefix(mailbox)}${viewer}`;
