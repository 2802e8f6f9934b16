/**
 * What a user's message must be and what is added to it (RFC 6409 §6, §8): one From, all authors and the sender the user's own; Date and Message-ID where
 * they are missing. Pure; refuses by throwing SmtpRefusal.
 */
import { fieldValue, scanHeader } from '../../protocol/mime/header.ts';
import { asAddresses } from '../../protocol/mime/header-forms.ts';
import { parseMessageIds } from '../../protocol/mime/message-id.ts';
import { SmtpRefusal } from '../../protocol/smtp/reply.ts';

export interface UserMessage {
  /** Without brackets. */
  readonly messageId: string;
  /** Fields that are put on top: each with its CRLF. */
  readonly added: string;
  /** Addresses of From and Sender. */
  readonly senders: readonly string[];
}

export interface MessageDefaults {
  /** Without brackets; unique. */
  readonly messageId: string;
  readonly date: string;
}

/** RFC 5322 §3.6: at most one of each. A second one is how a reader is shown another author than the one that was checked. */
const singleNames = ['from', 'sender', 'reply-to', 'to', 'cc', 'message-id', 'subject', 'date'];

export function readUserMessage(message: Buffer, defaults: MessageDefaults): UserMessage {
  const { fields } = scanHeader(message, 0, Number.POSITIVE_INFINITY);
  if (fields.length === 0 || fields.some(({ name }) => name === '')) throw new SmtpRefusal(554, '5.6.0', 'the header cannot be read');
  for (const name of singleNames) {
    if (fields.filter((field) => field.name === name).length > 1) throw new SmtpRefusal(554, '5.6.0', `a message has one ${name} field`);
  }
  const textOf = (name: string) => {
    const field = fields.find((candidate) => candidate.name === name);
    return field && fieldValue(message, field);
  };
  const from = textOf('from');
  const authors = from === undefined ? [] : asAddresses(from).map(({ email }) => email);
  if (authors.length === 0) throw new SmtpRefusal(554, '5.6.0', 'a message has a From field with an address');
  const sender = textOf('sender');
  const senders = sender === undefined ? [] : asAddresses(sender).map(({ email }) => email);
  if (sender !== undefined && senders.length !== 1) throw new SmtpRefusal(554, '5.6.0', 'Sender has one address');
  if (sender === undefined && authors.length > 1)
    throw new SmtpRefusal(554, '5.6.0', 'a message of several authors says in Sender who sends it');
  const given = parseMessageIds(textOf('message-id') ?? '')[0];
  const hasMessageId = textOf('message-id') !== undefined;
  const added = [
    ...(textOf('date') === undefined ? [`Date: ${defaults.date}\r\n`] : []),
    ...(hasMessageId ? [] : [`Message-ID: <${defaults.messageId}>\r\n`]),
  ];
  return { messageId: hasMessageId ? (given ?? '') : defaults.messageId, added: added.join(''), senders: [...authors, ...senders] };
}
