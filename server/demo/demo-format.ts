/** Writes a sample message as the receiving service would leave it in the bucket: its header block, then the sender's message. CRLF throughout. */

export interface DemoPart {
  readonly name: string;
  readonly type: string;
  readonly body: string | Buffer;
  /** Shown within the HTML, and not as an attachment. */
  readonly contentId?: string;
}

export interface DemoLetter {
  readonly from: string;
  readonly to: string;
  /** As it stands in the header. */
  readonly subject: string;
  readonly text: string;
  readonly html?: string;
  readonly attachments?: readonly DemoPart[];
  readonly headers?: readonly string[];
  readonly messageId: string;
  /** Message-IDs of what it answers, oldest first. */
  readonly references: readonly string[];
  readonly sentAt: number;
  readonly verdict?: 'PASS' | 'FAIL';
}

export function formatMessage(letter: DemoLetter): Buffer {
  const date = formatDate(letter.sentAt);
  const sender = /<([^>]*)>/.exec(letter.from)?.[1] ?? letter.from;
  const lines = [
    `Return-Path: <${sender}>`,
    `Received: from mail.example.org (mail.example.org [192.0.2.25])`,
    ` by inbound-smtp.us-east-1.amazonaws.com with SMTP id ${idOf(letter.messageId)}`,
    ` for ${letter.to};`,
    ` ${date} (UTC)`,
    `X-SES-Spam-Verdict: ${letter.verdict ?? 'PASS'}`,
    'X-SES-Virus-Verdict: PASS',
    // Ends the block. Nobody checks it, and this is none.
    'X-SES-DKIM-SIGNATURE: v=1; d=example.org; b=sample;',
    ...(letter.headers ?? []),
    `From: ${letter.from}`,
    `To: ${letter.to}`,
    `Subject: ${letter.subject}`,
    `Date: ${date}`,
    `Message-ID: ${letter.messageId}`,
    ...(letter.references.length === 0 ? [] : [`In-Reply-To: ${letter.references.at(-1)}`, `References: ${letter.references.join(' ')}`]),
    'MIME-Version: 1.0',
    ...bodyOf(letter),
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n`);
}

function bodyOf({ text, html, attachments = [], messageId }: DemoLetter): string[] {
  const plain = leaf('text/plain; charset=UTF-8', text);
  const content =
    html === undefined
      ? plain
      : multipart('alternative', messageId, [plain, leaf('text/html; charset=UTF-8', `<html><body>${html}</body></html>\n`)]);
  if (attachments.length === 0) return content;
  return multipart('mixed', messageId, [content, ...attachments.map(attachment)]);
}

function leaf(type: string, text: string): string[] {
  return [`Content-Type: ${type}`, 'Content-Transfer-Encoding: base64', '', ...base64Lines(Buffer.from(text.replace(/\r?\n/g, '\r\n')))];
}

function attachment({ name, type, body, contentId }: DemoPart): string[] {
  return [
    `Content-Type: ${type}; name="${name}"`,
    `Content-Disposition: ${contentId === undefined ? 'attachment' : 'inline'}; filename="${name}"`,
    ...(contentId === undefined ? [] : [`Content-ID: <${contentId}>`]),
    'Content-Transfer-Encoding: base64',
    '',
    ...base64Lines(Buffer.from(body)),
  ];
}

function multipart(subtype: string, messageId: string, parts: readonly (readonly string[])[]): string[] {
  const boundary = `${subtype}-${idOf(messageId)}`;
  return [
    `Content-Type: multipart/${subtype}; boundary="${boundary}"`,
    '',
    ...parts.flatMap((part) => [`--${boundary}`, ...part]),
    `--${boundary}--`,
  ];
}

const idOf = (messageId: string) => messageId.replace(/[<>]/g, '').replace(/@.*/, '');
const base64Lines = (bytes: Buffer): readonly string[] => bytes.toString('base64').match(/.{1,76}/g) ?? [];

/** RFC 5322 §3.3, in UTC. */
const formatDate = (ms: number) => new Date(ms).toUTCString().replace('GMT', '+0000');
