/**
 * `trace`: where is my mail? Every station of a message, from what the bucket keeps: the accounts' logs (who brought it, what scanners said, where it
 * lies), the records of held mail, and what still waits. Nothing of it is kept in memory, so it says the same after a restart.
 */
import { setImmediate } from 'node:timers/promises';
import Type from 'typebox';
import type { HeldMessage } from '../../indexer/held-mail.ts';
import { decide } from '../../indexer/verdict.ts';
import type { AccountId, EmailNumber } from '../../protocol/mail/ids.ts';
import { fieldValue, scanHeader } from '../../protocol/mime/header.ts';
import { parseMessageIds } from '../../protocol/mime/message-id.ts';
import type { Account, AccountReader } from '../../storage/account/api.ts';
import { parseInboundKey } from '../../storage/objects/object-keys.ts';
import { serviceOutboxId, submissions } from '../../storage/outbox/outbox.ts';
import type { SubmissionRecord } from '../../storage/outbox/record.ts';
import { countedMax, tracedHeldMax, tracedMax, tracedSlice } from './limits.ts';
import type { AdminServices } from './services.ts';
import { defineVerb, parameters } from './verb.ts';

export interface Station {
  readonly station:
    | 'arrived'
    | 'verdict'
    | 'recipient'
    | 'delivered'
    | 'junked'
    | 'lies'
    | 'removed'
    | 'held'
    | 'reached'
    | 'waiting'
    | 'sent'
    | 'left';
  /** ISO 8601, where it is known. */
  readonly at?: string;
  /** For people. */
  readonly text: string;
}

export interface Trace {
  readonly subject?: string;
  readonly messageId?: string;
  readonly sesMessageId?: string;
  readonly account?: string;
  readonly stations: readonly Station[];
}

export const traceVerbs = [
  defineVerb({
    name: 'trace',
    summary: 'Where is my mail? Every station of the messages with this Message-ID, SES id, sender or recipient.',
    method: 'GET',
    path: '/trace/:what',
    parameters: parameters({
      what: Type.String({ minLength: 1, maxLength: 998, description: 'a Message-ID, the id that SES gave, or an address' }),
    }),
    positional: ['what'],
    run: async (services, { what }) => {
      const wanted = new Wanted(what);
      const [delivered, sent, held, waiting] = await Promise.all([
        inAccounts(services, wanted),
        inOutboxes(services, wanted),
        inHeld(services, wanted),
        inInbound(services, wanted),
      ]);
      return { messages: [...delivered, ...sent, ...held, ...waiting] as readonly Trace[] };
    },
    print: ({ messages }) => (messages.length === 0 ? nothingKnown : messages.map(formatTrace).join('\n\n')),
    isFault: ({ messages }) => messages.length === 0,
  }),
];

/** An address is that of an envelope, which mail from files and mail programs has none of. */
const nothingKnown =
  'Nothing is known of it here. (What was imported or put there by a mail program is found by its Message-ID only, mail by addresses of its envelope.)';

/** What is looked for: ids are compared as they are, addresses in any case. */
class Wanted {
  readonly id: string;
  readonly #address: string;

  constructor(what: string) {
    this.id = what.trim().replace(/^<(.*)>$/, '$1');
    this.#address = this.id.toLowerCase();
  }

  isId(id: string | undefined): boolean {
    return id === this.id;
  }

  isAddress(address: string | undefined): boolean {
    return address?.toLowerCase() === this.#address;
  }
}

async function inAccounts({ directory, mail }: AdminServices, wanted: Wanted): Promise<Trace[]> {
  await directory.refresh();
  const traces: Trace[] = [];
  for (const { id, address } of directory.listAccounts()) {
    const account = await mail.accounts.open(id as AccountId);
    const emails = await findEmails(account, wanted);
    for (const email of emails) traces.push(account.read((reader) => traceEmail(reader, email, address, mail)));
    const ingested = account.read((reader) => reader.ingested(`ses:${wanted.id}`));
    if (ingested !== undefined && emails.length === 0) {
      const text = `It was delivered to ${address} within the last 30 days, and is not there any more.`;
      traces.push({ sesMessageId: wanted.id, account: address, stations: [{ station: 'removed', text }] });
    }
  }
  return traces;
}

/** What was sent within thirty days, or is to be. */
async function inOutboxes({ directory, mail }: AdminServices, wanted: Wanted): Promise<Trace[]> {
  const traces: Trace[] = [];
  const owners = [...directory.listAccounts(), { id: serviceOutboxId, address: 'the server itself' }];
  for (const { id: owner, address } of owners) {
    const account = await mail.accounts.open(owner);
    account.read((reader) => {
      for (const { id, value } of submissions(reader)) {
        const { messageId, envelope, recipients } = value;
        const isNamed =
          wanted.isId(messageId) ||
          wanted.isId(id) ||
          recipients.some(({ relayId }) => wanted.isId(relayId)) ||
          [envelope.mailFrom, ...envelope.rcptTo].some(({ email }) => wanted.isAddress(email));
        if (isNamed && traces.length < tracedMax) traces.push(traceSubmission(id, value, address));
      }
    });
  }
  return traces;
}

function traceSubmission(
  id: string,
  { messageId, origin, envelope, createdAt, sendAt, recipients }: SubmissionRecord,
  address: string,
): Trace {
  const held = sendAt > createdAt ? `, held until ${iso(sendAt)}` : '';
  const text = `by ${address} (${origin}) as ${id}, from ${envelope.mailFrom.email || '<>'}${held}`;
  const stations: Station[] = [{ station: 'sent', at: iso(createdAt), text }];
  for (const [index, { state, attempts, nextAt, smtpReply, relayId }] of recipients.entries()) {
    const to = envelope.rcptTo[index]!.email;
    const said = `${smtpReply}${relayId === undefined ? '' : ` (the relay calls it ${relayId})`}`;
    const tried = attempts === 1 ? '1 attempt' : `${attempts} attempts`;
    const isWaiting = state === 'queued' || state === 'claimed';
    if (isWaiting) stations.push({ station: 'waiting', text: `for ${to}, next at ${iso(nextAt)} after ${tried}: ${said}` });
    else stations.push({ station: 'left', text: `${state} to ${to} after ${tried}: ${said}` });
  }
  return { messageId: messageId === '' ? undefined : messageId, account: address, stations };
}

/** The newest first. */
async function findEmails(account: Account, wanted: Wanted): Promise<EmailNumber[]> {
  const numbers = account.read((reader) => [...reader.emails()]).reverse();
  const found: EmailNumber[] = [];
  for (let at = 0; at < numbers.length && found.length < tracedMax; at += tracedSlice) {
    account.read((reader) => {
      for (const email of numbers.slice(at, at + tracedSlice)) {
        if (found.length < tracedMax && isWanted(reader, email, wanted)) found.push(email);
      }
    });
    await setImmediate();
  }
  return found;
}

function isWanted(reader: AccountReader, email: EmailNumber, wanted: Wanted): boolean {
  const delivery = reader.delivery(email);
  if (wanted.isId(delivery?.sesMessageId) || wanted.isAddress(delivery?.envelopeFrom) || wanted.isAddress(delivery?.envelopeTo))
    return true;
  const header = reader.headerBytes(email);
  return header !== undefined && messageIdOf(Buffer.from(header)) === wanted.id;
}

function traceEmail(reader: AccountReader, id: EmailNumber, address: string, { verdicts }: AdminServices['mail']): Trace {
  const email = reader.email(id)!;
  const facts = reader.facts(id);
  const delivery = reader.delivery(id);
  const { sesMessageId, spam, virus, spf, dkim, dmarc } = delivery ?? {};
  const at = iso(email.receivedAt);
  const stations: Station[] = [{ station: 'arrived', at, text: arrivalText(delivery, email.size) }];
  const results = { spam, virus, spf, dkim, dmarc };
  const said = Object.entries(results).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]));
  if (said.length > 0) stations.push({ station: 'verdict', text: said.join(', ') });
  if (delivery?.envelopeTo !== undefined) stations.push({ station: 'recipient', text: `${delivery.envelopeTo} leads to ${address}` });
  stations.push({ station: 'delivered', text: `into the account ${address}, as its change ${email.createdModSeq}` });
  const verdict = decide(verdicts, { results, fields: [], isProven: true });
  const { because } = verdict;
  if (verdict.action === 'junk' && because !== undefined) {
    stations.push({ station: 'junked', text: `put into Junk because of ${because.header}: ${because.value}` });
  }
  for (const { mailbox, uid, deleted } of email.memberships) {
    const text = `in ${reader.pathOf(mailbox).join('/')}, UID ${uid}${deleted ? ', marked as deleted' : ''}`;
    stations.push({ station: 'lies', text });
  }
  return { subject: facts?.subject, messageId: facts?.messageIds[0], sesMessageId, account: address, stations };
}

function arrivalText(delivery: ReturnType<AccountReader['delivery']>, octets: number): string {
  const roads: Readonly<Record<string, string>> = {
    ses: `by SES as ${delivery?.sesMessageId}`,
    inbound: 'as an object of the inbound prefix',
    lmtp: 'by LMTP',
    import: 'by an import',
    append: 'from an IMAP client',
    jmap: 'from a JMAP client',
    submission: 'from one of our users',
  };
  const { envelopeFrom } = delivery ?? {};
  const from = envelopeFrom === undefined ? '' : `, from ${envelopeFrom === '' ? '<>' : envelopeFrom}`;
  return `${roads[delivery?.source ?? ''] ?? 'by a road that was not written down'}${from}, ${octets} bytes`;
}

async function inHeld({ held }: AdminServices, wanted: Wanted): Promise<Trace[]> {
  const traces: Trace[] = [];
  const { messages } = await held.list({ limit: tracedHeldMax });
  for (const message of messages) {
    const { record } = message;
    const addresses = [record?.envelopeFrom, ...(record?.recipients ?? []), ...(record?.deliveredTo ?? [])];
    const isNamed =
      wanted.isId(record?.sesMessageId) || wanted.isId(message.name) || addresses.some((address) => wanted.isAddress(address));
    const bytes = isNamed || wanted.id.includes('@') ? (await held.get(message.name))?.bytes : undefined;
    const messageId = bytes && messageIdOf(bytes);
    if (isNamed || messageId === wanted.id) traces.push(traceHeld(message, messageId));
    if (traces.length === tracedMax) break;
  }
  return traces;
}

function traceHeld({ name, record }: HeldMessage, messageId: string | undefined): Trace {
  if (record === undefined) return { stations: [{ station: 'held', text: `held as ${name}; why was not written down` }] };
  const { envelopeFrom, sesMessageId, kind, reason, detail, recipients, deliveredTo } = record;
  const by = sesMessageId === undefined ? '' : ` by SES as ${sesMessageId}`;
  const from = envelopeFrom === undefined ? '' : `, from ${envelopeFrom === '' ? '<>' : envelopeFrom}`;
  const stations: Station[] = [{ station: 'arrived', at: iso(Date.parse(record.receivedAt)), text: `${record.octets} bytes${by}${from}` }];
  for (const address of deliveredTo) stations.push({ station: 'reached', text: address });
  const whom = recipients.length === 0 ? '' : ` for ${recipients.join(', ')}`;
  stations.push({
    station: 'held',
    at: iso(Date.parse(record.heldAt)),
    text: `${kind}${whom}: ${detail} (${reason}). \`satchel ${kind} show ${name}\` says more.`,
  });
  return { messageId, sesMessageId, stations };
}

/** What waits is known by its name only: SES's id, or the address in it. */
async function inInbound({ mail }: AdminServices, wanted: Wanted): Promise<Trace[]> {
  const traces: Trace[] = [];
  for await (const { key, lastModified } of mail.store.list(mail.inboundPrefix, { limit: countedMax })) {
    const name = parseInboundKey(mail.inboundPrefix, key);
    if (!wanted.isId(name?.id) && !wanted.isAddress(name?.address)) continue;
    const text = `lies in the bucket as ${key}: it waits to be taken in, or for the receipts of other rules`;
    traces.push({ stations: [{ station: 'waiting', at: iso(lastModified), text }] });
    if (traces.length === tracedMax) break;
  }
  return traces;
}

function messageIdOf(bytes: Buffer): string | undefined {
  const { fields } = scanHeader(bytes.subarray(0, 64 * 1024));
  const field = fields.find(({ name }) => name === 'message-id');
  return field && parseMessageIds(fieldValue(bytes, field))[0];
}

function formatTrace({ subject, messageId, sesMessageId, stations }: Trace): string {
  const name = messageId === undefined ? (sesMessageId ?? 'a message') : `<${messageId}>`;
  const head = subject === undefined ? name : `${name} ${JSON.stringify(subject)}`;
  const lines = stations.map(({ station, at, text }) => `  ${(at ?? '').padEnd(20)}  ${station.padEnd(9)}  ${text}`);
  return [head, ...lines].join('\n');
}

const iso = (ms: number) => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
