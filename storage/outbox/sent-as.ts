/**
 * Names that SES gave to what we sent. SES replaces the Message-ID, so that a reply refers to an id that nothing here has. An object of type `SentAs` under
 * SES's own id keeps the message's first one, as long as its submission is kept; what comes in with such a reference gets ours beside it, and lies in the
 * thread of the copy in Sent.
 */
import type { AccountReader, AccountTransactor } from '../account/api.ts';

interface SentAsRecord {
  /** Without brackets. */
  readonly messageId: string;
  /** Whose copy it is. Older records do not say. */
  readonly submission?: string;
}

const sentAsType = 'SentAs';
/** `<SES's id>@email.amazonses.com` of us-east-1, `@<region>.amazonses.com` of the others. */
const wirePattern = /^([A-Za-z0-9._-]{16,128})@(?:email|[a-z]{2}(?:-[a-z]+)+-\d+)\.amazonses\.com$/;
/** References of one message that are looked up, the newest first. */
const lookedUpMax = 20;

export function rememberSentAs(tx: AccountTransactor, relayId: string, submission: string, messageId: string): void {
  if (tx.object(sentAsType, relayId) === undefined) tx.putObject(sentAsType, relayId, { messageId, submission } satisfies SentAsRecord);
}

/** The submission that SES knows by this id; null where the record is too old to say. */
export function submissionSentAs(reader: AccountReader, relayId: string): string | null | undefined {
  const record = reader.object<SentAsRecord>(sentAsType, relayId);
  return record && (record.submission ?? null);
}

export function forgetSentAs(tx: AccountTransactor, relayId: string): void {
  if (tx.object(sentAsType, relayId) !== undefined) tx.removeObject(sentAsType, relayId);
}

/** The facts, with our own ids of what the message refers to. The same object where it refers to nothing of ours. */
export function withOriginalIds<T extends { readonly inReplyTo: readonly string[]; readonly references: readonly string[] }>(
  reader: AccountReader,
  facts: T,
): T {
  const originals = new Set<string>();
  for (const id of [...facts.inReplyTo.slice(0, lookedUpMax), ...facts.references.slice(-lookedUpMax)]) {
    const [, relayId] = wirePattern.exec(id) ?? [];
    const found = relayId === undefined ? undefined : reader.object<SentAsRecord>(sentAsType, relayId);
    if (found !== undefined && found.messageId !== '' && !facts.references.includes(found.messageId)) originals.add(found.messageId);
  }
  return originals.size === 0 ? facts : { ...facts, references: [...facts.references, ...originals] };
}
