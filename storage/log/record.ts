/**
 * What a log says: commits of mutations of changes. These types are the durable format (docs/FORMAT.md); old ones are read for ever.
 * A commit carries every assigned value (numbers, UIDs, modSeqs, times), so that applying it is deterministic.
 */
import type { AccountId, EmailNumber, MailboxNumber, ModSeq, ThreadNumber, Uid } from '../../protocol/mail/ids.ts';
import type { Ranges } from '../../protocol/mail/ranges.ts';
import type { MessageFacts } from '../../protocol/mime/facts.ts';

/** Bytes in the store: `length` bytes at `offset` of the account's object `object` (`raw/<sha256>-<random>`), with their SHA-256 in hex. */
export interface BlobRef {
  readonly object: string;
  readonly offset: number;
  readonly length: number;
  readonly sha256: string;
}

/** RFC 6154 and RFC 8621 §2 roles; JMAP's spelling. */
export type MailboxRole = 'inbox' | 'archive' | 'drafts' | 'flagged' | 'important' | 'junk' | 'sent' | 'trash' | 'all';

/** A mailbox as its owner set it up. What follows from its messages (counts, uidNext) is not here. */
export interface MailboxRecord {
  readonly id: MailboxNumber;
  /** One level of the hierarchy, Unicode NFC, without the delimiter. */
  readonly name: string;
  readonly parent: MailboxNumber | null;
  readonly role: MailboxRole | null;
  readonly order: number;
  readonly subscribed: boolean;
  readonly uidValidity: number;
}

/** What the road that a message came by said about it: SES's verdicts, or another scanner's. */
export interface DeliveryFacts {
  readonly source: 'ses' | 'lmtp' | 'inbound' | 'import' | 'append' | 'jmap' | 'submission';
  readonly sesMessageId?: string;
  readonly envelopeFrom?: string;
  readonly envelopeTo?: string;
  /** Its lines had these ends where it was imported from, and have CRLF here. */
  readonly lineEnds?: 'LF';
  readonly spam?: string;
  readonly virus?: string;
  readonly spf?: string;
  readonly dkim?: string;
  readonly dmarc?: string;
}

/** A place of an email in a mailbox. */
export interface MembershipRecord {
  readonly mailbox: MailboxNumber;
  readonly uid: Uid;
  readonly deleted?: true;
}

export interface EmailAdd {
  readonly do: 'email.add';
  readonly id: EmailNumber;
  readonly thread: ThreadNumber;
  readonly blob: BlobRef;
  /** INTERNALDATE, JMAP receivedAt: milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly keywords: readonly string[];
  readonly in: readonly MembershipRecord[];
  readonly facts: MessageFacts;
  /** Decoded text for search, at most 64 KiB of UTF-8. */
  readonly text: string;
  readonly preview: string;
  readonly delivery?: DeliveryFacts;
}

export type Change =
  /** Creates the mailbox, or replaces what its owner set. */
  | { readonly do: 'mailbox.put'; readonly mailbox: MailboxRecord }
  /** Removes the mailbox and its memberships; emails that are nowhere else go with it. */
  | { readonly do: 'mailbox.remove'; readonly id: MailboxNumber }
  | EmailAdd
  /** A second email on the same blob and facts: COPY into a mailbox that holds the first already. */
  | {
      readonly do: 'email.copy';
      readonly from: EmailNumber;
      readonly id: EmailNumber;
      readonly thread: ThreadNumber;
      readonly keywords: readonly string[];
      readonly in: readonly MembershipRecord[];
    }
  /** Removes emails with all their memberships. */
  | { readonly do: 'email.remove'; readonly emails: Ranges }
  /** `set` replaces; `add` and `remove` change. Keywords are the email's, in every mailbox it is in. */
  | {
      readonly do: 'keywords';
      readonly emails: Ranges;
      readonly set?: readonly string[];
      readonly add?: readonly string[];
      readonly remove?: readonly string[];
    }
  /** Puts `emails`, in the order listed, into `mailbox` under consecutive UIDs from `uid`. An email that is in it already is an error. */
  | { readonly do: 'membership.add'; readonly mailbox: MailboxNumber; readonly emails: Ranges; readonly uid: Uid }
  /** Takes UIDs out of a mailbox; an email that was nowhere else is removed. */
  | { readonly do: 'membership.remove'; readonly mailbox: MailboxNumber; readonly uids: Ranges }
  /** Sets or clears `\Deleted`. */
  | { readonly do: 'membership.deleted'; readonly mailbox: MailboxNumber; readonly uids: Ranges; readonly deleted: boolean }
  /** \Seen of one of those with whom mailboxes are shared. The owner's own is the keyword $seen. */
  | { readonly do: 'seen'; readonly viewer: AccountId; readonly emails: Ranges; readonly seen: boolean }
  /** Remembers for 30 days that a message was taken in, so that it is taken in once. */
  | { readonly do: 'ingest'; readonly key: string; readonly email: EmailNumber | null }
  /** Anything else that is kept whole under a type and an id: identities, credentials, sieve scripts, directory entries. */
  | { readonly do: 'object.put'; readonly type: string; readonly id: string; readonly value: unknown }
  | { readonly do: 'object.remove'; readonly type: string; readonly id: string }
  /** The account's last change: nothing may follow. */
  | { readonly do: 'closed' };

export interface Mutation {
  readonly modSeq: ModSeq;
  readonly changes: readonly Change[];
}

export interface Commit {
  /** From 1, without gaps. */
  readonly seq: number;
  /** Random; tells our own commit from another's under the same number after a lost reply. */
  readonly id: string;
  /** Hash of the commit before (hex SHA-256 of its payload); '' for the first. */
  readonly prev: string;
  /** Milliseconds since the epoch by the writer's clock, never less than the commit before it. */
  readonly at: number;
  /** The node that wrote it. */
  readonly by: string;
  /** None in a fence, which only takes its number. */
  readonly mutations: readonly Mutation[];
}
