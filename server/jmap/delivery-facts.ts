/** The Email property `delivery` and the filter conditions beside it: our own, for requests that use their capability (RFC 8620 §1.8). */
import { type DeliveryFilter, type EmailDeliveryFacts, verdictNames } from '../../protocol/jmap/schema/delivery.ts';
import type { EmailNumber } from '../../protocol/mail/ids.ts';
import type { AccountReader } from '../../storage/account/api.ts';
import type { DeliveryFacts } from '../../storage/log/record.ts';
import { type AccountCache, roomFor } from './account-cache.ts';

export function deliveryOf(reader: AccountReader, email: EmailNumber): EmailDeliveryFacts {
  const facts: Partial<DeliveryFacts> = reader.delivery(email) ?? {};
  const { source = null, sesMessageId = null, envelopeFrom = null, envelopeTo = null, ...verdicts } = facts;
  const lower = (verdict: string | undefined) => verdict?.toLowerCase() ?? null;
  return {
    source,
    sesMessageId,
    envelopeFrom,
    envelopeTo,
    spf: lower(verdicts.spf),
    dkim: lower(verdicts.dkim),
    dmarc: lower(verdicts.dmarc),
    spam: lower(verdicts.spam),
    virus: lower(verdicts.virus),
  };
}

/** The test of a filter's conditions; undefined where it has none. What was said at delivery never changes, so verdicts are remembered. */
export function deliveryTest(reader: AccountReader, cache: AccountCache, filter: DeliveryFilter): ((email: number) => boolean) | undefined {
  const wanted: [keyof EmailDeliveryFacts, string][] = [];
  for (const name of verdictNames) if (filter[name] !== undefined) wanted.push([name, filter[name].toLowerCase()]);
  if (filter.sesMessageId !== undefined) wanted.push(['sesMessageId', filter.sesMessageId]);
  if (wanted.length === 0) return undefined;
  const key = `delivery ${JSON.stringify(wanted)}`;
  const verdicts = cache.verdicts.get(key) ?? cache.verdicts.set(key, { bytes: new Uint8Array(0) });
  return (email) => {
    verdicts.bytes = roomFor(verdicts.bytes, email);
    const known = verdicts.bytes[email];
    if (known !== 0) return known === 2;
    const facts = deliveryOf(reader, email as EmailNumber);
    const holds = wanted.every(([name, value]) => facts[name] === value);
    verdicts.bytes[email] = holds ? 2 : 1;
    return holds;
  };
}
