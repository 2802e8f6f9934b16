/**
 * Answers FETCH: walks the messages in order, some hundred in one read of the account, and writes what the index holds straight into the output. Items
 * that need the raw message are sent when it has come, a bounded number of them being read ahead. Between reads a slow client is waited for and other
 * sessions get their turn. No lock is held while anything is sent.
 */
import type { FetchAttribute } from '../../../protocol/imap/fetch-attribute.ts';
import { ByteWriter } from '../../../protocol/imap/wire/byte-writer.ts';
import { StorageError } from '../../../protocol/mail/errors.ts';
import type { EmailNumber } from '../../../protocol/mail/ids.ts';
import { contains, type Range, type Ranges } from '../../../protocol/mail/ranges.ts';
import type { MessageFacts } from '../../../protocol/mime/facts.ts';
import { headerFieldsFromRaw } from '../../../protocol/mime/header.ts';
import { canAnswer } from '../../../protocol/mime/header-facts.ts';
import type { KeptHeader } from '../../../protocol/mime/kept-header.ts';
import type { AccountReader, MembershipRow } from '../../../storage/account/api.ts';
import type { BlobRef } from '../../../storage/log/record.ts';
import { bodiesAheadMax, bodyBytesAheadMax, omittedListsMax, rowsPerRead } from '../limits.ts';
import type { MailboxView } from '../mailbox-view.ts';
import type { Output } from '../output.ts';
import type { Session } from '../session.ts';
import { writeFetchStart } from './fetch-start.ts';
import { type FetchPlan, planFetch } from './plan.ts';
import { type SectionAttribute, type SectionContent, sectionFromFacts, sectionFromRaw } from './section-content.ts';

export interface FetchRequest {
  readonly attributes: readonly FetchAttribute[];
  /** Indexes into the view's UIDs. */
  readonly indexes: Ranges;
  readonly changedSince?: number;
  /** UIDs that became \Seen by this FETCH: they are told their FLAGS. */
  readonly seen: Ranges;
  /** UIDs to pass over. */
  readonly except?: Ranges;
  /** From the last message to the first: where only a part is answered (RFC 9738 §3.1). */
  readonly isFromLast?: boolean;
}

export interface FetchOutcome {
  /** Some messages were expunged meanwhile. */
  missing: boolean;
  /** Some part has an unknown encoding. */
  unreadable: boolean;
}

/** A message that waits for its turn, written already but for what its raw bytes are needed for: `pieces` go before, between and after the sections. */
interface Waiting {
  readonly pieces: readonly Buffer[];
  /** undefined: it is whole. */
  readonly message: { readonly blob: BlobRef; readonly facts: MessageFacts; raw: Promise<Buffer> | undefined } | undefined;
}

/** The same for items that the index holds, as STORE answers with. */
export async function fetchRows(
  session: Session,
  view: MailboxView,
  attributes: readonly FetchAttribute[],
  { indexes, except, isFromLast }: Pick<FetchRequest, 'indexes' | 'except' | 'isFromLast'>,
): Promise<void> {
  await fetchMessages(session, view, { attributes, indexes, seen: [], except, isFromLast });
}

export async function fetchMessages(session: Session, view: MailboxView, request: FetchRequest): Promise<FetchOutcome> {
  const { output, connection } = session;
  const fetcher = new Fetcher(session, view, request);
  output.startSlice();
  const due = request.isFromLast ? bodiesAheadMax : 1;
  for (const [first, last] of request.isFromLast ? oneByOneFromLast(request.indexes) : inPieces(request.indexes)) {
    fetcher.readRows(first, last);
    if (fetcher.waiting.length >= due) await fetcher.sendWaiting();
    if (output.needsPace) await output.pace();
    if (connection.isClosed) return fetcher.outcome;
  }
  if (fetcher.waiting.length > 0) await fetcher.sendWaiting();
  output.schedule();
  return fetcher.outcome;
}

/** As many as are read in one look at the account. */
function* inPieces(indexes: Ranges): Generator<Range> {
  for (const [from, to] of indexes)
    for (let first = from; first <= to; first += rowsPerRead) yield [first, Math.min(first + rowsPerRead - 1, to)];
}

function* oneByOneFromLast(indexes: Ranges): Generator<Range> {
  for (let at = indexes.length - 1; at >= 0; at -= 1)
    for (let index = indexes[at]![1]; index >= indexes[at]![0]; index -= 1) yield [index, index];
}

class Fetcher {
  readonly outcome: FetchOutcome = { missing: false, unreadable: false };
  readonly waiting: Waiting[] = [];
  readonly #session: Session;
  readonly #view: MailboxView;
  readonly #request: FetchRequest;
  readonly #plan: FetchPlan;
  readonly #isUidOnlyAsked: boolean;
  readonly #uids: Uint32Array;
  readonly #output: Output;
  /** Of lists of omitted names, whether what is asked for is among what they leave. */
  readonly #holds = new Map<string, boolean>();
  /** Of the message that is being written. */
  #kept: KeptHeader | undefined;

  constructor(session: Session, view: MailboxView, request: FetchRequest) {
    this.#session = session;
    this.#view = view;
    this.#request = request;
    this.#plan = planFetch(view, request.attributes);
    this.#isUidOnlyAsked = request.attributes.every(({ item }) => item === 'UID');
    this.#uids = view.uids;
    this.#output = session.output;
  }

  /** Messages at these indexes: those without open sections are written, the others put into `waiting`. */
  readRows(first: number, last: number): void {
    const uids = this.#uids;
    const { changedSince, except } = this.#request;
    const passOver = (index: number) => {
      this.outcome.missing = true;
      if (this.#isUidOnlyAsked && changedSince === undefined) this.#writeGone(index);
    };
    this.#view.account.read((reader) => {
      let index = first;
      reader.forEachMembership(this.#view.mailbox, uids[first]!, uids[last]!, (row) => {
        for (; index <= last && uids[index]! < row.uid; index += 1) passOver(index);
        if (uids[index] !== row.uid) return;
        index += 1;
        if (changedSince !== undefined && row.modSeq <= changedSince) return;
        if (except !== undefined && except.length > 0 && contains(except, row.uid)) return;
        this.#fetchRow(index, row, reader);
      });
      for (; index <= last; index += 1) passOver(index);
    });
  }

  /** Of a message whose EXPUNGE is not told yet, what is known still: RFC 9051 §7.5.1 lets the client count on its number until then. */
  #writeGone(index: number): void {
    const uid = this.#uids[index]!;
    writeFetchStart(this.#output, index + 1, uid, this.#session.isUidOnly);
    this.#output.ascii(`UID ${uid})\r\n`);
  }

  #fetchRow(sequence: number, row: MembershipRow, reader: AccountReader): void {
    const { sections } = this.#plan;
    if (sections.length === 0) {
      this.#writeRow(this.#output, sequence, row, reader, undefined);
      return;
    }
    if (this.#plan.headerSelections !== undefined && this.#holdsHeaders(reader, row.email)) {
      const isNext = this.waiting.length === 0;
      const out = isNext ? this.#output : new ByteWriter();
      this.#writeRow(out, sequence, row, reader, undefined);
      if (!isNext) this.waiting.push({ pieces: [out.toBuffer()], message: undefined });
      return;
    }
    const facts = reader.facts(row.email)!;
    const contents = sections.map((attribute) => sectionFromFacts(facts, attribute));
    if (this.waiting.length === 0 && contents.every((content) => content !== undefined)) {
      this.#writeRow(this.#output, sequence, row, reader, contents);
      return;
    }
    const pieces: Buffer[] = [];
    const scratch = new ByteWriter();
    this.#writeRow(scratch, sequence, row, reader, undefined, () => pieces.push(scratch.toBuffer()));
    pieces.push(scratch.toBuffer());
    this.waiting.push({ pieces, message: { blob: reader.blob(row.email)!, facts, raw: undefined } });
  }

  /** Whether the index holds all header fields that are asked for. Asked for each message; answered once for each list of omitted names. */
  #holdsHeaders(reader: AccountReader, email: EmailNumber): boolean {
    const kept = reader.keptHeader(email);
    if (kept === undefined) return false;
    this.#kept = kept;
    const { omittedKey } = kept;
    let holds = this.#holds.get(omittedKey);
    if (holds === undefined) {
      const facts = { header: '', headerOmitted: kept.omitted, headerOctets: 0 };
      holds = this.#plan.sections.every(
        (attribute) =>
          attribute.item === 'section' && canAnswer(facts, attribute.section.fields ?? [], attribute.section.text === 'HEADER.FIELDS.NOT'),
      );
      if (this.#holds.size < omittedListsMax) this.#holds.set(omittedKey, holds);
    }
    return holds;
  }

  /** `* n FETCH (…)`; of sections the contents, or a call of `onSection` where one belongs. */
  #writeRow(
    out: ByteWriter,
    sequence: number,
    row: MembershipRow,
    reader: AccountReader,
    contents: readonly (SectionContent | undefined)[] | undefined,
    onSection?: () => void,
  ): void {
    const { fields, hasFlags, writeFlags } = this.#plan;
    writeFetchStart(out, sequence, row.uid, this.#session.isUidOnly);
    let sectionsWritten = 0;
    for (let at = 0; at < fields.length; at += 1) {
      const field = fields[at]!;
      if (at > 0) out.ascii(' ');
      if (field.kind === 'index') field.write(out, row, reader);
      else {
        out.bytes(field.name);
        if (contents !== undefined) writeContent(out, contents[sectionsWritten++]!, false);
        else if (onSection !== undefined) onSection();
        else this.#writeHeaders(out, sectionsWritten++);
      }
    }
    if (!hasFlags && this.#request.seen.length > 0 && contains(this.#request.seen, row.uid)) writeFlags(out.ascii(' '), row, reader);
    out.ascii(')\r\n');
  }

  #writeHeaders(out: ByteWriter, section: number): void {
    const kept = this.#kept!;
    if (this.#plan.headerSelections![section]!.write(out, kept)) return;
    const { fields, text } = (this.#plan.sections[section] as SectionAttribute & { item: 'section' }).section;
    out.literal(headerFieldsFromRaw(kept.bytes.subarray(kept.start, kept.end), fields ?? [], text === 'HEADER.FIELDS.NOT'));
  }

  /** Sends the waiting messages in order, each when its bytes are there. */
  async sendWaiting(): Promise<void> {
    const { waiting } = this;
    let started = 0;
    let bytesAhead = 0;
    for (const [at, { message, pieces }] of waiting.entries()) {
      for (
        ;
        started < waiting.length && (started <= at || (started - at < bodiesAheadMax && bytesAhead < bodyBytesAheadMax));
        started += 1
      ) {
        const next = waiting[started]!.message;
        if (next === undefined) continue;
        bytesAhead += next.blob.length;
        next.raw = this.#view.account.blobBytes(next.blob);
        // Whoever comes to it hears of a failure; nobody else has to.
        next.raw.catch(() => {});
      }
      if (message === undefined) this.#output.bytes(pieces[0]!);
      else {
        await this.#send(message, pieces);
        bytesAhead -= message.blob.length;
        message.raw = undefined;
      }
      if (this.#output.needsPace) await this.#output.pace();
      if (this.#session.connection.isClosed) break;
    }
    waiting.length = 0;
  }

  async #send({ facts, raw, blob }: NonNullable<Waiting['message']>, pieces: readonly Buffer[]): Promise<void> {
    const { sections } = this.#plan;
    let bytes: Buffer;
    try {
      bytes = await raw!;
    } catch (error) {
      // One broken message does not break the list: it is left out, and reported.
      if (!(error instanceof StorageError) || error.code === 'unavailable' || error.code === 'conflict') throw error;
      this.#session.logger.error('message cannot be read', { object: blob.object, error });
      this.outcome.missing = true;
      return;
    }
    for (const [at, attribute] of sections.entries()) {
      this.#output.bytes(pieces[at]!);
      const content = sectionFromRaw(bytes, facts, attribute);
      if (content === 'unknownEncoding') this.outcome.unreadable = true;
      writeContent(this.#output, content, attribute.item === 'BINARY');
    }
    this.#output.bytes(pieces.at(-1)!);
  }
}

/** nstring; of BINARY a literal8 where there are NULs (RFC 3516 §4.2). */
function writeContent(out: ByteWriter, content: SectionContent, isBinary: boolean): void {
  if (content === null || content === 'unknownEncoding') out.ascii('NIL');
  else if (isBinary && content.includes(0)) out.literal8(content);
  else out.literal(content);
}
