/**
 * The header block that SES puts on top of a message, read so that what the sender wrote is never taken for it.
 *
 * The block begins with the first byte: `Return-Path`, then a `Received` that names an SES host and the SES message id, then verdicts and
 * authentication results, and it ends with the first `X-SES-DKIM-SIGNATURE`. A block is proven when its id is the name of the object: the id
 * is given by SES after the sender has spoken, so he cannot have written it. Anything named alike further down is the sender's.
 * HELO, envelope sender and reverse-DNS name are the sender's text inside SES's lines: results count only at the start of a folded line.
 */
import { asBuffer } from '../../protocol/mime/bytes.ts';
import { fieldValue, type HeaderField, scanHeader } from '../../protocol/mime/header.ts';
import { blockBytesMax, blockFieldsMax } from '../limits.ts';

/** What a scanner said, as SES spells it: PASS, FAIL, GRAY, PROCESSING_FAILED, DISABLED, or a word not known yet. */
export interface ScanResults {
  readonly spam?: string;
  readonly virus?: string;
  readonly spf?: string;
  readonly dkim?: string;
  readonly dmarc?: string;
  /** The policy that the From domain published, where DMARC failed and the receipt says so: none, quarantine, reject. */
  readonly dmarcPolicy?: string;
}

export interface SesBlock {
  readonly sesMessageId: string;
  /** Whether `sesMessageId` is the one that was expected. */
  readonly isProven: boolean;
  /** Envelope sender; '' for `<>`. */
  readonly envelopeFrom: string;
  /** The one envelope recipient that `for` names. */
  readonly recipient: string | undefined;
  readonly results: ScanResults;
  /** Fields of the block, in order: name in lower case, value unfolded. */
  readonly fields: readonly { readonly name: string; readonly value: string }[];
  /** Offset of the sender's own header. */
  readonly end: number;
}

/** The message id is opaque; this is all that is asked of it. */
export const sesMessageIdPattern = /^[A-Za-z0-9._-]{1,128}$/;
export const setupNotificationId = 'AMAZON_SES_SETUP_NOTIFICATION';

const receivedPattern =
  /^from\s[^;]*?[)\s]by\s+inbound-smtp\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?\s+with\s+\S+\s+id\s+([A-Za-z0-9._-]{1,128})(?:\s+for\s+([^\s;]+))?\s*;[^;]*$/;

/** Names that the sender's own header has, and the block has not: it holds what SES writes itself, and fields of any other name that a rule has added. */
const sendersNames: ReadonlySet<string> = new Set(
  'return-path received from sender reply-to to cc bcc date subject message-id in-reply-to references mime-version content-type content-transfer-encoding dkim-signature'.split(
    ' ',
  ),
);

/** The block on top of `message`, or undefined where its shape is not all there. `expectedId` is what follows the last `/` of the object's name. */
export function readSesBlock(message: Uint8Array, expectedId: string | undefined): SesBlock | undefined {
  const buffer = asBuffer(message).subarray(0, blockBytesMax);
  const { fields } = scanHeader(buffer, 0, blockFieldsMax);
  const [returnPath, received] = fields;
  if (returnPath?.name !== 'return-path' || returnPath.start !== 0 || received?.name !== 'received') return undefined;
  const last = fields.findIndex((field) => field.name === 'x-ses-dkim-signature');
  if (last < 0 || buffer[fields[last]!.end - 1] !== 10) return undefined;
  const block = fields.slice(0, last + 1);
  if (block.slice(2).some((field) => sendersNames.has(field.name))) return undefined;
  const origin = receivedPattern.exec(fieldValue(buffer, received));
  if (origin === null) return undefined;
  const sesMessageId = origin[1]!;
  return {
    sesMessageId,
    isProven: sesMessageId === expectedId,
    envelopeFrom: fieldValue(buffer, returnPath).replace(/^<(.*)>$/, '$1'),
    recipient: origin[2],
    results: readResults(buffer, block),
    fields: block.map((field) => ({ name: field.name, value: fieldValue(buffer, field) })),
    end: fields[last]!.end,
  };
}

function readResults(buffer: Buffer, block: readonly HeaderField[]): ScanResults {
  const first = (name: string) => {
    const field = block.find((candidate) => candidate.name === name);
    return field && fieldValue(buffer, field);
  };
  const results = block.find((field) => field.name === 'authentication-results');
  return {
    spam: first('x-ses-spam-verdict'),
    virus: first('x-ses-virus-verdict'),
    ...(results && readAuthenticationResults(buffer, results)),
  };
}

/** SES starts each method's result on a line of its own, so only there is the word a result and not the sender's text. */
function readAuthenticationResults(buffer: Buffer, field: HeaderField): Pick<ScanResults, 'spf' | 'dkim' | 'dmarc'> {
  const lines = buffer.toString('latin1', field.valueStart, field.end).split(/\r?\n/);
  if (lines[0]?.trim() !== 'amazonses.com;') return {};
  const found: Record<string, string> = {};
  for (const line of lines.slice(1)) {
    const [, method, result] = /^\s+(spf|dkim|dmarc)=([a-z]+)\b/.exec(line) ?? [];
    if (method === undefined || result === undefined) continue;
    // One dkim line for each signature: one that passed is enough.
    if (found[method] === undefined || (method === 'dkim' && result === 'pass')) found[method] = result;
  }
  return { spf: asStatus(found['spf']), dkim: asStatus(found['dkim']), dmarc: asStatus(found['dmarc']) };
}

/** The receipt's words for the header's (ses receipts group what is neither pass nor fail as GRAY). */
export function asStatus(result: string | undefined): string | undefined {
  if (result === undefined) return undefined;
  if (result === 'pass') return 'PASS';
  if (result === 'fail' || result === 'permerror') return 'FAIL';
  return result === 'temperror' ? 'PROCESSING_FAILED' : 'GRAY';
}
