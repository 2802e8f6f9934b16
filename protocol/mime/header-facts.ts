/**
 * The part of a message's header that its facts carry, so that lists and header searches need not read the message: all fields but bulky trace ones, as bytes,
 * and the names of those left out. From both, whether a question can be answered is certain.
 */
import { type HeaderField, headerFieldsFromRaw, scanHeader } from './header.ts';
import { headerFactsBytesMax, omittedNameBytesMax, omittedNamesMax } from './limits.ts';

/** What the facts know of a header. */
export interface HeaderFacts {
  /** Bytes (latin1) of the fields kept, in their order, each with its line end. */
  header: string;
  /**
   * Lower-case names of fields left out, in whole or in some instances: '' for lines without a name, `*` (alone) for more than are listed. What is neither here
   * nor in `header` is not in the message.
   */
  headerOmitted: string[];
  /** Bytes of the whole header with its empty line. */
  headerOctets: number;
}

/** Trace and signature fields: bulky, of interest to administrators, asked for by no list. */
const traceNames = new Set([
  'received',
  'received-spf',
  'authentication-results',
  'dkim-signature',
  'domainkey-signature',
  'x-dkim',
  'x-received',
  'x-gm-message-state',
  'x-pm-message-state',
  'x-provags-id',
  'x-ui-out-filterresults',
  'x-antiabuse',
  'x-proofpoint-guid',
  'x-proofpoint-orig-guid',
  'x-proofpoint-virus-version',
  'x-proofpoint-spam-details',
  'x-report-abuse',
  'x-sg-eid',
  'x-sg-id',
  'x-mc-user',
  'x-feedback-id',
  'x-eopattributedmessage',
  'x-eoptenantattributedmessage',
  'x-forefront-antispam-report',
  'x-forefront-antispam-report-untrusted',
  'x-ld-processed',
  'x-transport-rule-id',
  'autocrypt',
  'face',
  'x-face',
]);

/** Families of them, by how their names begin. */
const tracePrefixes = [
  'arc-',
  'x-ses-',
  'x-amz-',
  'x-google-',
  'x-ms-exchange-',
  'x-ms-office365-',
  'x-microsoft-',
  'x-exchange-',
  'x-originatororg',
  'x-rspamd-',
  'x-ironport-',
  'x-mailgun-',
  'x-mimecast-',
  'x-barracuda-',
  'x-cloudmark-',
  'x-vade-',
  'x-yandex-',
  'x-ymail-',
];

/** What lists of Thunderbird, Apple Mail, Outlook, K-9 and JMAP clients ask for: kept first when room is short. The index numbers them (kept-header.ts). */
export const listNames: ReadonlySet<string> = new Set([
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'bcc',
  'subject',
  'date',
  'message-id',
  'in-reply-to',
  'references',
  'content-type',
  'content-transfer-encoding',
  'mime-version',
  'newsgroups',
  'followup-to',
  'priority',
  'x-priority',
  'x-msmail-priority',
  'importance',
  'list-id',
  'list-post',
  'list-unsubscribe',
  'list-unsubscribe-post',
  'precedence',
  'auto-submitted',
  'disposition-notification-to',
  'return-receipt-to',
  'resent-from',
  'resent-to',
  'resent-date',
  'resent-message-id',
  'x-spam-flag',
  'x-spam-status',
  'x-label',
  'x-mozilla-draft-info',
  'x-mailer',
  'user-agent',
]);

const beginsAsTrace = new RegExp(`^(?:${tracePrefixes.join('|')})`);

export function isTraceName(name: string): boolean {
  return traceNames.has(name) || beginsAsTrace.test(name);
}

/** Chooses what is kept. `fields` are those scanned; `isCut` says that there are more. No list name is a trace name. */
export function deriveHeaderFacts(buffer: Buffer, fields: readonly HeaderField[], isCut: boolean, headerOctets: number): HeaderFacts {
  const isKept = new Array<boolean>(fields.length).fill(false);
  let bytesLeft = headerFactsBytesMax;
  for (const isFirstPass of [true, false]) {
    for (let i = 0; i < fields.length; i++) {
      const { name, start, end } = fields[i]!;
      if (listNames.has(name) !== isFirstPass || end - start > bytesLeft || (!isFirstPass && isTraceName(name))) continue;
      isKept[i] = true;
      bytesLeft -= end - start;
    }
  }
  let header = '';
  const omitted = new Set<string>(isCut ? ['*'] : []);
  let omittedBytes = 0;
  for (let i = 0; i < fields.length; i++) {
    const { name, start } = fields[i]!;
    if (isKept[i]) {
      // What is kept side by side is read as one.
      while (isKept[i + 1] && fields[i + 1]!.start === fields[i]!.end) i++;
      header += buffer.toString('latin1', start, fields[i]!.end);
    } else if (!omitted.has(name)) {
      omitted.add(name);
      omittedBytes += name.length;
    }
  }
  const isTooMany = omitted.has('*') || omitted.size > omittedNamesMax || omittedBytes > omittedNameBytesMax;
  return { header, headerOmitted: isTooMany ? ['*'] : [...omitted], headerOctets };
}

/** Whether the facts hold every field of these names (or, with `not`, every field of other names). */
export function canAnswer(facts: HeaderFacts, names: readonly string[], not: boolean): boolean {
  const { headerOmitted } = facts;
  if (headerOmitted.length === 0) return true;
  if (headerOmitted[0] === '*') return false;
  const asked = new Set(names.map((name) => name.toLowerCase()));
  return headerOmitted.every((name) => asked.has(name) === not);
}

/** BODY[HEADER.FIELDS…] byte for byte as headerFieldsFromRaw gives it; undefined where the facts do not hold all of it. */
export function headerFieldsFromFacts(facts: HeaderFacts, names: readonly string[], not: boolean): Uint8Array | undefined {
  if (!canAnswer(facts, names, not)) return undefined;
  return headerFieldsFromRaw(Buffer.from(facts.header, 'latin1'), names, not);
}

/** The raw values (latin1, folds and leading space kept) of all fields of this name, in order; undefined where the facts do not hold them. */
export function headerValuesFromFacts(facts: HeaderFacts, name: string): string[] | undefined {
  if (!canAnswer(facts, [name], false)) return undefined;
  return headerValuesFromRaw(Buffer.from(facts.header, 'latin1'), name);
}

/** The same from a header's bytes. The line end after a value is not part of it. */
export function headerValuesFromRaw(header: Buffer, name: string): string[] {
  const wanted = name.toLowerCase();
  const values: string[] = [];
  for (const field of scanHeader(header, 0, Number.POSITIVE_INFINITY).fields) {
    if (field.name === wanted && wanted !== '') values.push(header.toString('latin1', field.valueStart, field.end).replace(/\r?\n$/, ''));
  }
  return values;
}
