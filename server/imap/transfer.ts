/**
 * COPY and MOVE from one account to another. Each message's bytes are stored there and committed there before it is taken out here: a crash between the two
 * leaves both, never neither. What a MOVE has brought over is remembered by a key, so that the MOVE that the client tries again does not bring
 * it twice. A COPY that fails takes back what it had added (RFC 9051 §6.4.7).
 */
import { MailError } from '../../protocol/mail/errors.ts';
import type { EmailNumber, MailboxNumber, ModSeq, Uid } from '../../protocol/mail/ids.ts';
import { mustFit } from '../../protocol/mail/quota.ts';
import { eachOf, type Ranges, rangesOf } from '../../protocol/mail/ranges.ts';
import type { Account, AccountReader, AccountTransactor, NewEmail, PreparedBlob } from '../../storage/account/api.ts';
import { SharedAccount } from '../../storage/sharing/shared-account.ts';
import { transferPrefix } from '../../storage/sharing/shared-reader.ts';
import { transferredMessagesMax, transferredOctetsMax } from './limits.ts';
import type { Located } from './locate.ts';
import type { MailboxView } from './mailbox-view.ts';

export interface Pair {
  readonly from: Uid;
  readonly to: Uid;
}

export interface Moved {
  readonly pairs: readonly Pair[];
  /** Of the last removal here, when there was one. */
  readonly modSeq: ModSeq | undefined;
}

/** A message of the view, as it goes into the other account. */
interface Parcel {
  readonly from: Uid;
  readonly key: string;
  readonly blob: NonNullable<ReturnType<AccountReader['blob']>>;
  readonly email: Omit<NewEmail, 'blob'>;
}

export async function copyAcross(view: MailboxView, uids: Ranges, target: Located): Promise<readonly Pair[]> {
  mustFitThere(view, uids, target);
  const pairs: Pair[] = [];
  try {
    for (const piece of pieces(view, uids, target)) pairs.push(...(await send(view, piece, target, 'copy')));
  } catch (error) {
    const added = rangesOf(pairs.map(({ to }) => to));
    // Also without the right to take out what others have added.
    const holder = target.account instanceof SharedAccount ? target.account.owner : target.account;
    if (added.length > 0) await holder.transact((tx) => tx.mailbox(target.mailbox.id) && tx.expunge(target.mailbox.id, added));
    throw error;
  }
  return pairs;
}

/** What was moved before a failure stays moved (RFC 6851 §3.3 has each message moved or not). */
export async function moveAcross(view: MailboxView, uids: Ranges, target: Located): Promise<Moved> {
  mustFitThere(view, uids, target);
  const pairs: Pair[] = [];
  let modSeq: ModSeq | undefined;
  for (const piece of pieces(view, uids, target)) {
    const sent = await send(view, piece, target, 'move');
    modSeq = await view.account.transact((tx) => {
      const after = (tx.modSeq + 1) as ModSeq;
      return tx.expunge(view.mailbox, rangesOf(sent.map(({ from }) => from))).length > 0 ? after : modSeq;
    });
    pairs.push(...sent);
  }
  return { pairs, modSeq };
}

/** Before the first is stored; each mutation looks again. */
function mustFitThere(view: MailboxView, uids: Ranges, { account }: Located): void {
  let octets = 0;
  let messages = 0;
  view.account.read((reader) => {
    for (const [first, last] of uids)
      reader.forEachMembership(view.mailbox, first, last, ({ size }) => {
        octets += size;
        messages += 1;
      });
  });
  mustFit(
    account.read((reader) => reader.quota()),
    { octets, messages },
  );
}

/** In the order of the mailbox, as many at a time as are held in memory and fit into one commit. */
function* pieces(view: MailboxView, uids: Ranges, target: Located): Generator<readonly Parcel[]> {
  let piece: Parcel[] = [];
  let octets = 0;
  for (const uid of eachOf(uids) as Iterable<Uid>) {
    const parcel = view.account.read((reader) => readParcel(reader, view, uid, target.mailbox.id));
    if (parcel === undefined) continue;
    const size = parcel.blob.length + parcel.email.text.length + parcel.email.facts.header.length;
    if (piece.length >= transferredMessagesMax || (piece.length > 0 && octets + size > transferredOctetsMax)) {
      yield piece;
      piece = [];
      octets = 0;
    }
    piece.push(parcel);
    octets += size;
  }
  if (piece.length > 0) yield piece;
}

/** undefined: it has gone. */
function readParcel(reader: AccountReader, view: MailboxView, uid: Uid, mailbox: MailboxNumber): Parcel | undefined {
  const place = reader.membership(view.mailbox, uid);
  const email = place === undefined ? undefined : reader.email(place.email);
  const blob = email === undefined ? undefined : reader.blob(email.id);
  const facts = email === undefined ? undefined : reader.facts(email.id);
  if (place === undefined || email === undefined || blob === undefined || facts === undefined) return undefined;
  const delivery = reader.delivery(email.id);
  return {
    from: uid,
    key: `${transferPrefix}${view.account.id}:${view.mailbox}:${view.uidValidity}:${uid}`,
    blob,
    email: {
      receivedAt: email.receivedAt,
      keywords: email.keywords,
      mailboxes: [mailbox],
      deleted: place.deleted,
      facts,
      text: reader.text(email.id),
      preview: reader.preview(email.id) ?? '',
      ...(delivery === undefined ? {} : { delivery }),
    },
  };
}

async function send(view: MailboxView, piece: readonly Parcel[], target: Located, how: 'copy' | 'move'): Promise<readonly Pair[]> {
  const { account, mailbox } = target;
  const uploads = await Promise.all(piece.map((parcel) => carry(view.account, account, parcel, piece.length)));
  return account.transact(
    (tx) => {
      if (tx.mailbox(mailbox.id) === undefined) throw new MailError('mailboxNotFound', 'The mailbox has just been deleted.');
      return piece.map(({ from, key, email }, at) => {
        const arrived = how === 'move' ? arrivedAt(tx, key, mailbox.id) : undefined;
        if (arrived !== undefined) return { from, to: arrived };
        const { id, uids } = tx.addEmail({ ...email, blob: uploads[at]!.ref });
        if (how === 'move') tx.rememberIngest(key, id);
        return { from, to: uids[0]! };
      });
    },
    { uploads },
  );
}

async function carry(from: Account, to: Account, { blob }: Parcel, count: number): Promise<PreparedBlob> {
  return to.prepareBlob(await from.blobBytes(blob), count);
}

/** Where a MOVE that was cut short has put it, if it is there still. */
function arrivedAt(tx: AccountTransactor, key: string, mailbox: MailboxNumber): Uid | undefined {
  const email = tx.ingested(key)?.email;
  if (email === undefined || email === null) return undefined;
  return tx.email(email as EmailNumber)?.memberships.find((place) => place.mailbox === mailbox)?.uid;
}
