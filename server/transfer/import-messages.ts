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
  readonly faults: readonly ImportFault[];
  readonly faultsOmitted: number;
}

/** A batch is handed in when it has so many bytes or messages: a commit holds some hundreds, a call some megabytes. */
const batchBytes = 4 * 1024 * 1024;
const batchMessages = 200;
/** Batches under way: one is read while others are stored. */
const batchesMax = 3;
const faultsMax = 1000;
/** Of a message; no program sets more. */
const keywordsMax = 256;

export async function importMessages(options: ImportOptions): Promise<ImportReport> {
  const { paths, messageBytesMax, onProgress } = options;
  const total = await measure(paths);
  const state = { found: 0, added: 0, known: 0, bytes: 0, faults: [] as ImportFault[], faultsOmitted: 0 };
  const onFault = (origin: string, sentence: string) => {
    if (state.faults.length < faultsMax) state.faults.push({ origin, sentence });
    else state.faultsOmitted++;
  };
  const running = new Set<Promise<void>>();
  const hand = (batch: readonly FoundMessage[]) => {
    const sent = sendBatch(options, batch, state, onFault).finally(() => {
      running.delete(sent);
      onProgress?.(total === 0 ? 1 : Math.min(1, state.bytes / total), state);
    });
    // Whoever waits next hears of a failure.
    sent.catch(() => {});
    running.add(sent);
  };
  let batch: FoundMessage[] = [];
  let bytes = 0;
  const onBytes = (read: number) => {
    state.bytes += read;
  };
  try {
    for await (const message of findMessages(paths, { messageBytesMax, onFault, onBytes })) {
      state.found++;
      batch.push(message);
      bytes += message.raw.length;
      if (bytes < batchBytes && batch.length < batchMessages) continue;
      while (running.size >= batchesMax) await Promise.race(running);
      hand(batch);
      batch = [];
      bytes = 0;
    }
    if (batch.length > 0) hand(batch);
    await Promise.all(running);
  } finally {
    await Promise.allSettled(running);
  }
  const { found, added, known, faults, faultsOmitted } = state;
  return { address: options.address, found, added, known, faults, faultsOmitted };
}

async function sendBatch(
  { call, address, mailbox }: ImportOptions,
  batch: readonly FoundMessage[],
  state: { added: number; known: number },
  onFault: (origin: string, sentence: string) => void,
): Promise<void> {
  const messages = batch.map(({ raw, receivedAt, keywords, isDeleted, mailbox: found = ['INBOX'] }) => ({
    raw: raw.toString('base64'),
    mailbox: mailbox ?? found.slice(0, levelsMax).map((name) => name.slice(0, nameCharactersMax)),
    ...(receivedAt === undefined ? {} : { receivedAt }),
    keywords: keywords.filter((keyword) => keyword.length <= nameCharactersMax).slice(0, keywordsMax),
    isDeleted,
  }));
  const { results } = (await call('message add', { address, messages })) as {
    results: readonly ('added' | 'known' | { refused: string })[];
  };
  for (const [index, result] of results.entries()) {
    if (result === 'added') state.added++;
    else if (result === 'known') state.known++;
    else onFault(batch[index]!.origin, result.refused);
  }
}

export function formatImportReport({ address, found, added, known, faults, faultsOmitted }: ImportReport): string {
  const head = `${found} messages found: ${added} added to ${address}, ${known} there already.`;
  const lines = faults.map(({ origin, sentence }) => `  ${origin}: ${sentence}`);
  if (faultsOmitted > 0) lines.push(`  and ${faultsOmitted} more`);
  return lines.length === 0 ? head : [head, 'Not read:', ...lines].join('\n');
}
