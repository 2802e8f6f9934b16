/**
 * Beyond the RFCs, under a capability of our own: what the road that an email came by said of it, as data. Verdicts are in lower case, as SES or the
 * check of our own gave them: `pass`, `fail`, `gray`, `processing_failed`, `none`, …; null where nobody looked.
 */
import { type Static, Type } from 'typebox';
import { nullable, strict } from './common.ts';

export const verdictNames = ['spf', 'dkim', 'dmarc', 'spam', 'virus'] as const;

const Verdict = nullable(Type.String());

/** The Email property `delivery`. */
export const EmailDeliveryFacts = strict({
  source: nullable(Type.String()),
  sesMessageId: nullable(Type.String()),
  envelopeFrom: nullable(Type.String()),
  envelopeTo: nullable(Type.String()),
  spf: Verdict,
  dkim: Verdict,
  dmarc: Verdict,
  spam: Verdict,
  virus: Verdict,
});
export type EmailDeliveryFacts = Static<typeof EmailDeliveryFacts>;

/** Conditions of an Email filter: a verdict in any case, the whole SES message id. */
export const DeliveryFilter = strict({
  spf: Type.Optional(Type.String()),
  dkim: Type.Optional(Type.String()),
  dmarc: Type.Optional(Type.String()),
  spam: Type.Optional(Type.String()),
  virus: Type.Optional(Type.String()),
  sesMessageId: Type.Optional(Type.String()),
});
export type DeliveryFilter = Static<typeof DeliveryFilter>;
