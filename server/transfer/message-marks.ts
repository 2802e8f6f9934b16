/**
 * What programs write into a message's header, or beside it, about its flags and its mailbox: Status and X-Status (mbox), X-Mozilla-Status and
 * X-Mozilla-Keys (Thunderbird), X-Gmail-Labels (Google Takeout), the property list behind a message of Apple Mail.
 */
import { isKeyword } from '../../protocol/mail/keywords.ts';
import { decodeWords } from '../../protocol/mime/encoded-word.ts';

export interface Marks {
  readonly keywords: readonly string[];
  /** IMAP's `\Deleted`. */
  readonly isDeleted: boolean;
  /** Undefined where the header names none. */
  readonly mailbox?: readonly string[];
}

/** Fields stand at a header's beginning, where programs put them; a header that is longer than this is no program's. */
const headerBytesMax = 256 * 1024;

export function marksOf(raw: Buffer): Marks {
  const field = headerFields(raw);
  const marks = field('x-gmail-labels') === undefined ? { keywords: [], isDeleted: false } : gmailMarks(field('x-gmail-labels')!);
  const keywords = new Set<string>(marks.keywords);
  const status = `${field('status') ?? ''}${field('x-status') ?? ''}`;
  for (const [letter, keyword] of Object.entries(keywordOfStatus)) if (status.includes(letter)) keywords.add(keyword);
  const mozilla = Number.parseInt(field('x-mozilla-status') ?? '0', 16);
  for (const [bit, keyword] of keywordOfMozilla) if ((mozilla & bit) !== 0) keywords.add(keyword);
  for (const keyword of (field('x-mozilla-keys') ?? '').split(/\s+/))
    if (keyword !== '' && isKeyword(keyword)) keywords.add(keyword.toLowerCase());
  const isDeleted = marks.isDeleted || status.includes('D') || (mozilla & mozillaExpunged) !== 0;
  return { ...marks, keywords: [...keywords].sort(), isDeleted };
}

/** R read, A answered, F flagged, T draft; D deleted. */
const keywordOfStatus: Readonly<Record<string, string>> = { A: '$answered', F: '$flagged', R: '$seen', T: '$draft' };

/** nsMsgMessageFlags of Thunderbird. */
const keywordOfMozilla: readonly (readonly [number, string])[] = [
  [0x0001, '$seen'],
  [0x0002, '$answered'],
  [0x0004, '$flagged'],
  [0x1000, '$forwarded'],
];
/** Deleted there; the file was not compacted since. */
const mozillaExpunged = 0x0008;

/** By which a message of several labels is filed: the first that it has. */
const mailboxOfLabel: readonly (readonly [label: string, mailbox: string])[] = [
  ['trash', 'Trash'],
  ['spam', 'Junk'],
  ['drafts', 'Drafts'],
  ['draft', 'Drafts'],
  ['sent', 'Sent'],
  ['inbox', 'INBOX'],
];
const systemLabels = new Set(['unread', 'opened', 'starred', 'important', 'archived', 'chat', ...mailboxOfLabel.map(([label]) => label)]);

/** A message has one mailbox here: that of the system, else the first label of the user, else Archive. Further labels become keywords. */
function gmailMarks(value: string): Marks {
  const labels = decodeWords(value)
    .split(',')
    .map((label) => label.trim().replace(/^"(.*)"$/, '$1'))
    .filter((label) => label !== '');
  const lower = new Set(labels.map((label) => label.toLowerCase()));
  const own = labels.filter((label) => !systemLabels.has(label.toLowerCase()) && !/^category /i.test(label));
  const system = mailboxOfLabel.find(([label]) => lower.has(label))?.[1];
  const mailbox = system === undefined ? levelsOf(own[0] ?? 'Archive') : [system];
  const keywords = (system === undefined ? own.slice(1) : own).map((label) => label.replace(/\s+/g, '_').toLowerCase()).filter(isKeyword);
  if (!lower.has('unread')) keywords.push('$seen');
  if (lower.has('starred')) keywords.push('$flagged');
  if (lower.has('important')) keywords.push('$important');
  if (system === 'Drafts') keywords.push('$draft');
  return { keywords, isDeleted: false, mailbox };
}

function levelsOf(label: string): readonly string[] {
  const levels = label.split('/').filter((level) => level !== '');
  return levels.length === 0 ? ['Archive'] : levels;
}

/** Unfolded values by name in lower case; of fields of one name the first. */
function headerFields(raw: Buffer): (name: string) => string | undefined {
  const text = raw.toString('latin1', 0, headerBytesMax);
  const end = /\r?\n\r?\n/.exec(text)?.index ?? text.length;
  const fields = new Map<string, string>();
  for (const [, name, value] of text.slice(0, end).matchAll(/^([\x21-\x39\x3b-\x7e]+)[ \t]*:(.*(?:\r?\n[ \t].*)*)/gm)) {
    const key = name!.toLowerCase();
    if (!fields.has(key)) fields.set(key, value!.replace(/\r?\n(?=[ \t])/g, '').trim());
  }
  return (name) => fields.get(name);
}

export interface AppleMessage extends Marks {
  readonly raw: Buffer;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number | undefined;
}

/** An .emlx of Apple Mail: a line with the message's length, the message, a property list. Undefined for what is none. */
export function parseAppleMessage(file: Buffer): AppleMessage | undefined {
  const [line, digits] = /^(\d{1,10})[ \t]*\r?\n/.exec(file.toString('latin1', 0, 32)) ?? [];
  if (line === undefined) return undefined;
  const end = line.length + Number(digits);
  if (end > file.length) return undefined;
  const list = file.toString('latin1', end);
  const integer = (key: string) => {
    const [, value] = new RegExp(`<key>${key}</key>\\s*<integer>(\\d{1,15})</integer>`).exec(list) ?? [];
    return value === undefined ? undefined : Number(value);
  };
  const flags = integer('flags') ?? 0;
  const keywords = keywordOfApple.filter(([bit]) => (flags & bit) !== 0).map(([, keyword]) => keyword);
  const seconds = integer('date-received');
  const receivedAt = seconds === undefined ? undefined : seconds * 1000;
  return { raw: file.subarray(line.length, end), receivedAt, keywords: keywords.sort(), isDeleted: (flags & 2) !== 0 };
}

const keywordOfApple: readonly (readonly [number, string])[] = [
  [1 << 0, '$seen'],
  [1 << 2, '$answered'],
  [1 << 4, '$flagged'],
  [1 << 6, '$draft'],
  [1 << 8, '$forwarded'],
];
