/** Calls by which `import` and `export` move mailboxes and messages, a page or a batch at a time. The command line has verbs of its own above them. */
import { hash } from 'node:crypto';
import Type from 'typebox';
import { MailError } from '../../protocol/mail/errors.ts';
import type { EmailNumber, MailboxNumber, Uid } from '../../protocol/mail/ids.ts';
import { isKeyword } from '../../protocol/mail/keywords.ts';
import { hasUnixLines, withCrlf, withUnixLines } from '../../protocol/mime/line-ends.ts';
import type { Account, AccountReader, AccountTransactor } from '../../storage/account/api.ts';
import { provisionAccount } from '../../storage/directory/provision.ts';
import { messageBatchBytesMax } from './limits.ts';
import type { AdminServices } from './services.ts';
import { defineVerb, parameters } from './verb.ts';

const Address = Type.String({ minLength: 3, maxLength: 320 });
const Path = Type.Array(Type.String({ minLength: 1, maxLength: 255 }), { minItems: 1, maxItems: 32 });

/** Rows of a page of `message list`. */
const pageRows = 500;

export interface ListedMessage {
  readonly mailbox: readonly string[];
  readonly uid: number;
  readonly email: number;
  readonly keywords: readonly string[];
  readonly isDeleted: boolean;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly envelopeFrom: string;
}

/** What became of a message, or of a mailbox. */
export type AdditionResult = 'added' | 'known' | { readonly refused: string };

const Added = Type.Object(
  {
    /** Base64. */
    raw: Type.String({ minLength: 1 }),
    mailbox: Path,
    receivedAt: Type.Optional(Type.Number()),
    keywords: Type.Array(Type.String({ maxLength: 255 }), { maxItems: 256 }),
    isDeleted: Type.Boolean(),
  },
  { additionalProperties: false },
);

export const messageVerbs = [
  defineVerb({
    name: 'message add',
    summary: 'Put messages into an account, each once a mailbox.',
    isInternal: true,
    bodyBytesMax: messageBatchBytesMax,
    method: 'POST',
    path: '/accounts/:address/messages',
    parameters: parameters({ address: Address, messages: Type.Array(Added, { minItems: 1, maxItems: 1000 }) }),
    positional: ['address'],
    run: async (services, { address, messages }) => {
      const account = await openAccount(services, address);
      await provisionAccount(account);
      // In the order given, so that UIDs rise in it; all join as few commits as they can.
      const prepared = await Promise.all(messages.map((message) => prepare(services, account, message)));
      const results = prepared.map(async (commit) => (commit === undefined ? 'known' : commit().catch(refusedOrThrow)));
      return { results: await Promise.all(results) };
    },
    print: () => '',
  }),
  defineVerb({
    name: 'message list',
    summary: 'List the messages of an account, mailbox by mailbox, by UID.',
    isInternal: true,
    method: 'GET',
    path: '/accounts/:address/messages',
    parameters: parameters({ address: Address, after: Type.Optional(Type.String({ pattern: '^\\d+/\\d+$' })) }),
    positional: ['address'],
    run: async (services, { address, after }) => {
      const account = await openAccount(services, address);
      return account.read((reader) => listPage(reader, after));
    },
    print: () => '',
  }),
  defineVerb({
    name: 'message get',
    summary: "A message's bytes.",
    isInternal: true,
    method: 'GET',
    path: '/accounts/:address/messages/:email',
    parameters: parameters({ address: Address, email: Type.String({ pattern: '^\\d+$' }) }),
    positional: ['address', 'email'],
    run: async (services, { address, email }) => {
      const account = await openAccount(services, address);
      const id = Number(email) as EmailNumber;
      const { blob, lineEnds } = account.read((reader) => ({ blob: reader.blob(id), lineEnds: reader.delivery(id)?.lineEnds }));
      // It may have been deleted since it was listed.
      if (blob === undefined) return { raw: null };
      const bytes = await account.blobBytes(blob);
      return { raw: (lineEnds === 'LF' ? withUnixLines(bytes) : bytes).toString('base64') };
    },
    print: () => '',
  }),
  defineVerb({
    name: 'mailbox list',
    summary: 'List the mailboxes of an account, empty ones among them.',
    isInternal: true,
    method: 'GET',
    path: '/accounts/:address/mailboxes',
    parameters: parameters({ address: Address }),
    positional: ['address'],
    run: async (services, { address }) => {
      const account = await openAccount(services, address);
      return account.read((reader) => ({ mailboxes: [...reader.mailboxes()].map(({ id }) => reader.pathOf(id)) }));
    },
    print: () => '',
  }),
  defineVerb({
    name: 'mailbox add',
    summary: 'Make the mailboxes that an account lacks.',
    isInternal: true,
    method: 'POST',
    path: '/accounts/:address/mailboxes',
    parameters: parameters({ address: Address, mailboxes: Type.Array(Path, { minItems: 1, maxItems: 1000 }) }),
    positional: ['address'],
    run: async (services, { address, mailboxes }) => {
      const account = await openAccount(services, address);
      await provisionAccount(account);
      const add = (path: readonly string[]) => (tx: AccountTransactor) => {
        if (tx.mailboxByPath(path) !== undefined) return 'known';
        mailboxAt(tx, path);
        return 'added';
      };
      const results = mailboxes.map((path) => account.transact<AdditionResult>(add(path)).catch(refusedOrThrow));
      return { results: await Promise.all(results) };
    },
    print: () => '',
  }),
];

export async function openAccount({ directory, mail }: AdminServices, address: string): Promise<Account> {
  await directory.refresh();
  const account = directory.accountByAddress(address);
  if (account === undefined) {
    throw new MailError('notFound', `There is no account ${address}. \`satchel account list\` shows those that there are.`);
  }
  return mail.accounts.open(account.id);
}

interface NewMessage {
  readonly raw: string;
  readonly mailbox: readonly string[];
  readonly receivedAt?: number;
  readonly keywords: readonly string[];
  readonly isDeleted: boolean;
}

/** Uploads, and resolves to what commits; undefined when the account has taken this message into this mailbox before. */
async function prepare(
  { mail }: AdminServices,
  account: Account,
  message: NewMessage,
): Promise<(() => Promise<AdditionResult>) | undefined> {
  const raw = Buffer.from(message.raw, 'base64');
  if (raw.length === 0) return async () => ({ refused: 'it is empty' });
  if (raw.length > mail.messageBytesMax)
    return async () => ({ refused: `it is larger than limits.messageBytesMax (${mail.messageBytesMax} bytes)` });
  const ingestKey = `import:${hash('sha256', raw)}:${hash('sha256', JSON.stringify(message.mailbox)).slice(0, 16)}`;
  const isKnown = (reader: AccountReader) => reader.ingested(ingestKey) !== undefined;
  if (account.read(isKnown)) return undefined;
  const isUnix = hasUnixLines(raw);
  const bytes = isUnix ? withCrlf(raw) : raw;
  const [upload, parsed] = await Promise.all([account.prepareBlob(bytes), mail.parse(bytes)]);
  const receivedAt = message.receivedAt ?? Math.min(parsed.facts.sentAt ?? mail.clock.now(), mail.clock.now());
  const add = (tx: AccountTransactor): AdditionResult => {
    if (isKnown(tx)) return 'known';
    const { id } = tx.addEmail({
      blob: upload.ref,
      receivedAt: Math.floor(receivedAt / 1000) * 1000,
      keywords: message.keywords.filter(isKeyword).map((keyword) => keyword.toLowerCase()),
      mailboxes: [mailboxAt(tx, message.mailbox)],
      deleted: message.isDeleted,
      ...parsed,
      delivery: { source: 'import', ...(isUnix ? { lineEnds: 'LF' } : {}) },
    });
    tx.rememberIngest(ingestKey, id);
    return 'added';
  };
  return () => account.transact(add, { uploads: [upload] });
}

function refusedOrThrow(error: unknown): AdditionResult {
  if (error instanceof MailError && error.code !== 'accountClosed') return { refused: error.message };
  throw error;
}

/** Makes what is missing of the path. */
function mailboxAt(tx: AccountTransactor, path: readonly string[]): MailboxNumber {
  let parent: MailboxNumber | null = null;
  for (let depth = 1; depth <= path.length; depth++) {
    const here = path.slice(0, depth);
    parent = (tx.mailboxByPath(here) ?? tx.createMailbox({ name: here.at(-1)!.normalize('NFC'), parent, subscribed: true })).id;
  }
  return parent!;
}

function listPage(reader: AccountReader, after: string | undefined) {
  const [afterMailbox = 0, afterUid = 0] = after?.split('/').map(Number) ?? [];
  const rows: ListedMessage[] = [];
  for (const { id } of reader.mailboxes()) {
    if (id < afterMailbox) continue;
    const mailbox = reader.pathOf(id);
    for (const uid of reader.uids(id)) {
      if (id === afterMailbox && uid <= afterUid) continue;
      if (rows.length === pageRows) {
        const last = rows.at(-1)!;
        return { rows, next: `${reader.mailboxByPath(last.mailbox)!.id}/${last.uid}` };
      }
      rows.push(listed(reader, mailbox, id, uid as Uid));
    }
  }
  return { rows, next: null };
}

function listed(reader: AccountReader, mailbox: readonly string[], id: MailboxNumber, uid: Uid): ListedMessage {
  const { email, deleted } = reader.membership(id, uid)!;
  const { keywords, receivedAt } = reader.email(email)!;
  const envelopeFrom = reader.delivery(email)?.envelopeFrom ?? '';
  return { mailbox, uid, email, keywords, isDeleted: deleted, receivedAt, envelopeFrom };
}
