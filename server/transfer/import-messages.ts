/** `import`: finds messages in files and hands them to the server in batches, some under way at once. Again for the same files, it adds nothing. */
import type { CallVerb } from './call-verb.ts';
import { type FoundMessage, findMessages, measure } from './find-messages.ts';
import { levelsMax, nameCharactersMax } from './mailbox-names.ts';

export interface ImportOptions {
  readonly call: CallVerb;
  readonly address: string;
  readonly paths: readonly string[];
  /** Where everything goes; undefined: where it lay, or INBOX. */
  readonly mailbox: readonly string[] | undefined;
  readonly messageBytesMax: number;
  /** Told now and then: of 1. */
  readonly onProgress?: (done: number, counts: { readonly added: number; readonly known: number }) => void;
}

export interface ImportFault {
  readonly origin: string;
  readonly sentence: string;
}

export interface ImportReport {
  readonly address: string;
  readonly found: number;
  readonly added: number;
  /** Were there already. */
  readonly known: number;
  /** Mailboxes made that hold no message. */
  readonly emptyMailboxes: number;
  readonly faults: readonly ImportFault[];
  readonly faultsOmitted: number;
}

/** A batch is handed in when it has so many bytes or messages: a commit holds some hundreds, a call some megabytes. */
const batchBytes = 4 * 1024 * 1024;
const batchMessages = 200;
/** Batches under way: one is read while others are stored. */
const batchesMax = 3;
const faultsMax = 1000;
/** A call makes so many. */
const mailboxesAtOnce = 1000;
/** Of a message; no program sets more. */
const keywordsMax = 256;

export async function importMessages(options: ImportOptions): Promise<ImportReport> {
  const { paths, messageBytesMax, onProgress } = options;
  const total = await measure(paths);
  const state = { found: 0, added: 0, known: 0, emptyMailboxes: 0, bytes: 0, faults: [] as ImportFault[], faultsOmitted: 0 };
  const onFault = (origin: string, sentence: string) => {
    if (state.faults.length < faultsMax) state.faults.push({ origin, sentence });
    else state.faultsOmitted++;
  };
  const running = new Set<Promise<void>>();
  /** Of batches: each is heard of, whether or not it was waited for when it failed. */
  const failures: unknown[] = [];
  const throwIfFailed = () => {
    if (failures.length > 0) throw failures[0];
  };
  const hand = (batch: readonly FoundMessage[]) => {
    const sent = sendBatch(options, batch, state, onFault)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => {
        running.delete(sent);
        onProgress?.(total === 0 ? 1 : Math.min(1, state.bytes / total), state);
      });
    running.add(sent);
  };
  let batch: FoundMessage[] = [];
  let bytes = 0;
  const onBytes = (read: number) => {
    state.bytes += read;
  };
  /** By their paths as JSON, since they are told again and again. */
  const mailboxes = new Map<string, readonly string[]>();
  const onMailbox = (path: readonly string[]) => mailboxes.set(JSON.stringify(path), path);
  try {
    for await (const message of findMessages(paths, { messageBytesMax, onMailbox, onFault, onBytes })) {
      state.found++;
      batch.push(message);
      bytes += message.raw.length;
      if (bytes < batchBytes && batch.length < batchMessages) continue;
      while (running.size >= batchesMax) await Promise.race(running);
      throwIfFailed();
      hand(batch);
      batch = [];
      bytes = 0;
    }
    if (batch.length > 0) hand(batch);
    await Promise.all(running);
    throwIfFailed();
    // Last, so that only those are made and counted that no message made.
    if (options.mailbox === undefined) await sendMailboxes(options, [...mailboxes.values()], state, onFault);
  } finally {
    await Promise.all(running);
  }
  const { found, added, known, emptyMailboxes, faults, faultsOmitted } = state;
  return { address: options.address, found, added, known, emptyMailboxes, faults, faultsOmitted };
}

/** What the server takes for a path. */
const cut = (path: readonly string[]) => path.slice(0, levelsMax).map((name) => name.slice(0, nameCharactersMax));

async function sendMailboxes(
  { call, address }: ImportOptions,
  paths: readonly (readonly string[])[],
  state: { emptyMailboxes: number },
  onFault: (origin: string, sentence: string) => void,
): Promise<void> {
  for (let at = 0; at < paths.length; at += mailboxesAtOnce) {
    const mailboxes = paths.slice(at, at + mailboxesAtOnce).map(cut);
    const { results } = (await call('mailbox add', { address, mailboxes })) as Results;
    for (const [index, result] of results.entries()) {
      if (result === 'added') state.emptyMailboxes++;
      else if (result !== 'known') onFault(`mailbox ${mailboxes[index]!.join('/')}`, result.refused);
    }
  }
}

interface Results {
  readonly results: readonly ('added' | 'known' | { refused: string })[];
}

async function sendBatch(
  { call, address, mailbox }: ImportOptions,
  batch: readonly FoundMessage[],
  state: { added: number; known: number },
  onFault: (origin: string, sentence: string) => void,
): Promise<void> {
  const messages = batch.map(({ raw, receivedAt, keywords, isDeleted, mailbox: found = ['INBOX'] }) => ({
    raw: raw.toString('base64'),
    mailbox: mailbox ?? cut(found),
    ...(receivedAt === undefined ? {} : { receivedAt }),
    keywords: keywords.filter((keyword) => keyword.length <= nameCharactersMax).slice(0, keywordsMax),
    isDeleted,
  }));
  const { results } = (await call('message add', { address, messages })) as Results;
  for (const [index, result] of results.entries()) {
    if (result === 'added') state.added++;
    else if (result === 'known') state.known++;
    else onFault(batch[index]!.origin, result.refused);
  }
}

export function formatImportReport({ address, found, added, known, emptyMailboxes, faults, faultsOmitted }: ImportReport): string {
  const made = emptyMailboxes === 0 ? '' : ` Empty mailboxes made: ${emptyMailboxes}.`;
  const head = `${found} messages found: ${added} added to ${address}, ${known} there already.${made}`;
  const lines = faults.map(({ origin, sentence }) => `  ${origin}: ${sentence}`);
  if (faultsOmitted > 0) lines.push(`  and ${faultsOmitted} more`);
  return lines.length === 0 ? head : [head, 'Not read:', ...lines].join('\n');
}
