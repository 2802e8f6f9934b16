/**
 * One message past the organisation's rules on its way in: asks them, sends what they send, and says what each account is to get. Mail is sent before
 * anything is delivered, under ids that do not change, so that work cut short is done again without doubling.
 */
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Accounts } from '../../storage/account/api.ts';
import { canonicalAddress } from '../../storage/directory/address.ts';
import type { GroupMail } from '../../storage/directory/resolve.ts';
import type { RecipientDirectory } from '../routing.ts';
import { matchesAny, sendersOf } from './conditions.ts';
import { mayBounce, type ServiceMail } from './service-mail.ts';
import type { RecipientCopy, Transport, TransportMessage } from './transport.ts';

export interface PassagePorts {
  readonly directory: RecipientDirectory & { groupMail?(recipient: string): GroupMail | undefined };
  readonly transport: Transport;
  readonly mail: ServiceMail;
}

export interface AccountCopy {
  readonly address: string;
  readonly bytes: Buffer;
  readonly placement?: 'inbox' | 'junk';
  readonly mailbox?: readonly string[];
}

export interface Passage {
  readonly deliveries: ReadonlyMap<AccountId, AccountCopy>;
  /** Accounts whose copy a rule dropped or sent elsewhere. */
  readonly dropped: readonly AccountId[];
  /** Accounts whose copy a rule bounces, with what the sender is told. */
  readonly bounced: ReadonlyMap<AccountId, string>;
  /** Addresses that rules named and that nobody has, or that mail went in circles for; and bounces that may not be sent. */
  readonly missed: readonly { readonly address: string; readonly detail: string }[];
  /** The rules that changed anything, by name. */
  readonly rules: readonly string[];
}

export interface PassingMessage extends Omit<TransportMessage, 'direction' | 'recipients'> {
  readonly targets: ReadonlyMap<AccountId, string>;
  /** Whether bounces are mail; otherwise whoever handed the message over hears of them in the answer. */
  readonly sendsBounces: boolean;
  /** The verdict is Junk: it is not sent on to members of groups elsewhere. */
  readonly isJunk: boolean;
}

const defaultBounce = 'The message was refused by a rule of the organisation';

/** Undefined: the rules have nothing to say. Rejects with StorageError 'unavailable' when the message has to wait. */
export async function passRules(ports: PassagePorts, message: PassingMessage): Promise<Passage | undefined> {
  const recipients = [...new Set(message.targets.values())];
  if (!ports.transport.hasRules('inbound') && recipients.every((address) => groupOf(ports, address).length === 0)) return undefined;
  const { targets, sendsBounces, isJunk, ...asked } = message;
  const groups = new Map(recipients.flatMap((address) => groupOf(ports, address)));
  const closed = new Map<string, string>();
  for (const [address, group] of groups) if (!mayWrite(group, message)) closed.set(address, `Only some may write to ${group.address}`);
  const open = recipients.filter((address) => !closed.has(address));
  const outcome = open.length === 0 ? undefined : await ports.transport.apply({ ...asked, direction: 'inbound', recipients: open });
  if (outcome === undefined && groups.size === 0) return undefined;
  const untouched = open.map((address): RecipientCopy => ({ address, bytes: message.bytes, fate: 'deliver', rules: [] }));
  const refused = [...closed].map(
    ([address, bounceMessage]): RecipientCopy => ({ address, bytes: message.bytes, fate: 'bounce', bounceMessage, rules: [] }),
  );
  const copies = [...(outcome?.copies ?? untouched), ...refused];
  const deliveries = new Map<AccountId, AccountCopy>();
  const dropped: AccountId[] = [];
  const bounced = new Map<AccountId, string>();
  const missed: { address: string; detail: string }[] = [];
  for (const copy of copies) {
    const { address, via, fate } = copy;
    if (via !== undefined) {
      await addCopy(ports, message, copy, via, deliveries, missed);
      continue;
    }
    const accounts = [...targets].filter(([, target]) => target === address).map(([account]) => account);
    if (fate === 'deliver') {
      for (const account of accounts) deliveries.set(account, accountCopy(copy));
      const group = groups.get(address);
      const goesToJunk = copy.placement === undefined ? isJunk : copy.placement === 'junk';
      if (group === undefined || group.outside.length === 0 || goesToJunk) continue;
      if (!(await ports.mail.forward(message.key, group.address, group.outside, copy.bytes, 'group'))) {
        missed.push({ address, detail: 'It goes in circles: it was sent on for this group before.' });
      }
    } else if (fate === 'drop') dropped.push(...accounts);
    else {
      const sentence = copy.bounceMessage ?? defaultBounce;
      for (const account of accounts) bounced.set(account, sentence);
      if (!sendsBounces) continue;
      if (mayBounce(message.envelopeFrom, message.results, message.bytes))
        await ports.mail.bounce(message.key, message.envelopeFrom, address, sentence, message.bytes);
      else missed.push({ address, detail: `A rule bounces it (${sentence}), but its sender is not proven, and may not be written to.` });
    }
  }
  for (const journal of outcome?.journals ?? []) {
    await ports.mail.journal(message.key, journal, journal.recipients[0]!, message.envelopeFrom);
  }
  const rules = [...new Set(copies.flatMap((copy) => copy.rules))];
  return { deliveries, dropped: dropped.filter((account) => !deliveries.has(account)), bounced, missed, rules };
}

/** Those of the accounts that have not taken the message in: rules are not asked again about the others. */
export async function targetsWithout(
  accounts: Accounts,
  targets: ReadonlyMap<AccountId, string>,
  ingestKey: string,
): Promise<ReadonlyMap<AccountId, string>> {
  const fresh = new Map<AccountId, string>();
  for (const [id, address] of targets) {
    const account = await accounts.open(id);
    if (account.read((reader) => reader.ingested(ingestKey)) === undefined) fresh.set(id, address);
  }
  return fresh;
}

function groupOf({ directory }: PassagePorts, address: string): [string, GroupMail][] {
  const group = directory.groupMail?.(address);
  return group === undefined ? [] : [[address, group]];
}

/**
 * Who writes is the envelope's sender and the From field's address; both must be let in, where both are there. From elsewhere they count only where a
 * receiver found them to be true; where no receiver said anything, whoever handed the message over vouches for it.
 */
function mayWrite({ address, senders, members }: GroupMail, { bytes, envelopeFrom, results }: PassingMessage): boolean {
  if (senders === undefined) return true;
  const { spf, dkim, dmarc } = results;
  const isUnjudged = spf === undefined && dkim === undefined && dmarc === undefined;
  const isProven = isUnjudged || dmarc === 'PASS' || (dmarc !== 'FAIL' && (spf === 'PASS' || dkim === 'PASS'));
  const writers = sendersOf(bytes, envelopeFrom);
  if (!isProven || writers.length === 0) return false;
  const patterns = senders === 'members' ? members : senders === 'domain' ? [address.slice(address.lastIndexOf('@') + 1)] : senders;
  return writers.every((writer) => matchesAny(patterns, canonicalAddress(writer) ?? writer));
}

/** A copy that a rule made: for accounts here with the same bytes and verdict, for others sent on in the name of whom it came for. */
async function addCopy(
  { directory, mail }: PassagePorts,
  { key, isJunk }: Pick<PassingMessage, 'key' | 'isJunk'>,
  copy: RecipientCopy,
  via: string,
  deliveries: Map<AccountId, AccountCopy>,
  missed: { address: string; detail: string }[],
): Promise<void> {
  const { address, bytes } = copy;
  const resolution = await directory.resolveRecipient(address);
  if (resolution.kind === 'account') {
    for (const account of resolution.accounts) if (!deliveries.has(account)) deliveries.set(account, accountCopy(copy));
  } else if (resolution.reason === 'domain') {
    const goesToJunk = copy.placement === undefined ? isJunk : copy.placement === 'junk';
    if (goesToJunk) {
      missed.push({ address, detail: 'It is junk, which is not sent on to other servers: they would blame us for it.' });
      return;
    }
    if (await mail.forward(key, via.toLowerCase(), [address], bytes, 'redirect')) return;
    missed.push({ address, detail: 'It goes in circles: it was sent on for this recipient before.' });
  } else missed.push({ address, detail: `A rule names ${address}, and there is nobody here with that address.` });
}

function accountCopy({ address, bytes, placement, mailbox }: RecipientCopy): AccountCopy {
  return { address, bytes, ...(placement && { placement }), ...(mailbox && { mailbox }) };
}
