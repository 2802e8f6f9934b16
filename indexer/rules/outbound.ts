/** One message past the organisation's rules on its way out of its sender's outbox: what each recipient's copy is, or what became of it. */
import type { ServiceMail } from './service-mail.ts';
import type { Transport, TransportMessage } from './transport.ts';

export interface OutboundPorts {
  readonly transport: Transport;
  readonly mail: ServiceMail;
}

export type OutboundCopy =
  | { readonly kind: 'send'; readonly bytes: Buffer }
  | { readonly kind: 'disposed' }
  | { readonly kind: 'bounced'; readonly message: string };

/** By recipient, in the order given. Rejects with StorageError 'unavailable' when the message has to wait. */
export async function passOutbound(
  { transport, mail }: OutboundPorts,
  message: Omit<TransportMessage, 'direction' | 'results'> & { readonly envelopeFrom: string },
): Promise<readonly OutboundCopy[]> {
  const outcome = await transport.apply({ ...message, direction: 'outbound', results: {} });
  if (outcome === undefined) return message.recipients.map(() => ({ kind: 'send', bytes: message.bytes }));
  for (const { address, via, bytes } of outcome.copies) {
    if (via !== undefined) await mail.passOn(message.key, message.envelopeFrom, address, bytes);
  }
  for (const journal of outcome.journals) await mail.journal(message.key, journal, message.envelopeFrom, message.envelopeFrom);
  return outcome.copies.slice(0, message.recipients.length).map(({ fate, bytes, bounceMessage }): OutboundCopy => {
    if (fate === 'deliver') return { kind: 'send', bytes };
    if (fate === 'drop') return { kind: 'disposed' };
    return { kind: 'bounced', message: bounceMessage ?? 'The message was refused by a rule of the organisation' };
  });
}
