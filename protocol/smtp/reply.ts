/** Replies: RFC 5321 §4.2, with the enhanced status codes of RFC 2034 and RFC 3463. */

export interface Reply {
  readonly code: number;
  /** `class.subject.detail`; none on the greeting, EHLO's answer and 354. */
  readonly status?: string;
  /** One string a line. */
  readonly text: string | readonly string[];
}

export const reply = (code: number, status: string, text: string): Reply => ({ code, status, text });

/** What the peer reads is printable ASCII, on lines of at most 512 octets (RFC 5321 §4.5.3.1.5). */
export function formatReply({ code, status, text }: Reply): string {
  const lines = typeof text === 'string' ? [text] : text;
  const prefix = status === undefined ? '' : `${status} `;
  let formatted = '';
  for (let i = 0; i < lines.length; i++) {
    const line = `${prefix}${lines[i]!.replace(/[^\x20-\x7e]/g, '?')}`.slice(0, 500);
    formatted += `${code}${i < lines.length - 1 ? '-' : ' '}${line}\r\n`;
  }
  return formatted;
}

/** The command is refused with this reply; thrown by parsers and rows. */
export class SmtpRefusal extends Error {
  readonly reply: Reply;
  constructor(code: number, status: string, text: string) {
    super(text);
    this.name = 'SmtpRefusal';
    this.reply = { code, status, text };
  }
}
