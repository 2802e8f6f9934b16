/** MDN (RFC 9007 §2): a disposition notification as a client makes it. */
import { type Static, Type } from 'typebox';
import { Id, nullable, strict } from './common.ts';

const Disposition = strict({
  actionMode: Type.Union([Type.Literal('manual-action'), Type.Literal('automatic-action')]),
  sendingMode: Type.Union([Type.Literal('mdn-sent-manually'), Type.Literal('mdn-sent-automatically')]),
  type: Type.Union([Type.Literal('deleted'), Type.Literal('dispatched'), Type.Literal('displayed'), Type.Literal('processed')]),
});

/** One line of a report. */
const Line = Type.String({ maxLength: 500, pattern: '^[^\\r\\n\\u0000]*$' });

export const MdnSettings = strict({
  forEmailId: Id,
  subject: nullable(Type.String({ maxLength: 1_000 })),
  textBody: nullable(Type.String({ maxLength: 100_000 })),
  includeOriginalMessage: Type.Boolean(),
  reportingUA: nullable(Line),
  disposition: Disposition,
  finalRecipient: nullable(Line),
  extensionFields: nullable(Type.Record(Type.String(), Line)),
});
export type MdnSettings = Static<typeof MdnSettings>;

/** As MDN/parse shows one. */
export interface ParsedMdn {
  readonly forEmailId: string | null;
  readonly subject: string | null;
  readonly textBody: string | null;
  readonly includeOriginalMessage: boolean;
  readonly reportingUA: string | null;
  readonly disposition: { readonly actionMode: string; readonly sendingMode: string; readonly type: string };
  readonly mdnGateway: string | null;
  readonly originalRecipient: string | null;
  readonly finalRecipient: string | null;
  readonly originalMessageId: string | null;
  readonly error: readonly string[] | null;
  readonly extensionFields: Readonly<Record<string, string>> | null;
}
