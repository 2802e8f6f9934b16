/**
 * One message past the organisation's rules on its way in: asks them, sends what they send, and says what each account is to get. Mail is sent before
 * anything is delivered, under ids that do not change, so that work cut short is done again without doubling.
 */
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { RecipientDirectory } from '../routing.ts';
import { mayBounce, type ServiceMail } from './service-mail.ts';
import type { RecipientCopy, Transport, TransportMessage } from './transport.ts';

export interface PassagePorts {
  readonly directory: RecipientDirectory;
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
}

const defaultBounce = 'The message was refused by a rule of the organisation';

/** Undefined: the rules have nothing to say. Rejects with StorageError 'unavailable' when the message has to wait. */
export async function passRules(ports: PassagePorts, message: PassingMessage): Promise<Passage | undefined> {
  const { targets, sendsBounces, ...asked } = message;
  const outcome = await ports.transport.apply({ ...asked, direction: 'inbound', recipients: [...new Set(targets.values())] });
  if (outcome === undefined) return undefined;
  const deliveries = new Map<AccountId, AccountCopy>();
  const dropped: AccountId[] = [];
  const bounced = new Map<AccountId, string>();
  const missed: { address: string; detail: string }[] = [];
  for (const copy of outcome.copies) {
    const { address, via, fate } = copy;
    if (via !== undefined) {
      await addCopy(ports, message.key, copy, via, deliveries, missed);
      continue;
    }
    const accounts = [...targets].filter(([, target]) => target === address).map(([account]) => account);
    if (fate === 'deliver') for (const account of accounts) deliveries.set(account, accountCopy(copy));
    else if (fate === 'drop') dropped.push(...accounts);
    else {
      const sentence = copy.bounceMessage ?? defaultBounce;
      for (const account of accounts) bounced.set(account, sentence);
      if (!sendsBounces) continue;
      if (mayBounce(message.envelopeFrom, message.results))
        await ports.mail.bounce(message.key, message.envelopeFrom, address, sentence, message.bytes);
      else missed.push({ address, detail: `A rule bounces it (${sentence}), but its sender is not proven, and may not be written to.` });
    }
  }
  for (const journal of outcome.journals) {
    await ports.mail.journal(message.key, journal, journal.recipients[0]!, message.envelopeFrom);
  }
  const rules = [...new Set(outcome.copies.flatMap((copy) => copy.rules))];
  return { deliveries, dropped: dropped.filter((account) => !deliveries.has(account)), bounced, missed, rules };
}

/** A copy that a rule made: for accounts here with the same bytes and verdict, for others sent on in the name of whom it came for. */
async function addCopy(
  { directory, mail }: PassagePorts,
  key: string,
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
    if (await mail.forward(key, via.toLowerCase(), [address], bytes, 'redirect')) return;
    missed.push({ address, detail: 'It goes in circles: it was sent on for this recipient before.' });
  } else missed.push({ address, detail: `A rule names ${address}, and there is nobody here with that address.` });
}

function accountCopy({ address, bytes, placement, mailbox }: RecipientCopy): AccountCopy {
  return { address, bytes, ...(placement && { placement }), ...(mailbox && { mailbox }) };
}
