/**
 * What RFC 9219 says of the emails of an account: found from their structure, verified when it is first asked for, and remembered while the account is
 * open, for a day at most. The status at delivery is what the certificates were worth when the email was received.
 */
import { MethodError } from '../../../protocol/jmap/errors.ts';
import { conditionsOf, type Filter } from '../../../protocol/jmap/filter.ts';
import type { EmailFilter } from '../../../protocol/jmap/schema/email.ts';
import type { SmimeFilter, SmimeStatus, smimeProperties } from '../../../protocol/jmap/schema/smime.ts';
import { formatUtcDate } from '../../../protocol/jmap/utc-date.ts';
import type { EmailNumber } from '../../../protocol/mail/ids.ts';
import { headerValuesFromRaw } from '../../../protocol/mime/header-facts.ts';
import { asAddresses } from '../../../protocol/mime/header-forms.ts';
import { decodePart } from '../../../protocol/mime/part-content.ts';
import { type SignedPart, signedPart } from '../../../protocol/mime/signed-part.ts';
import type { Part } from '../../../protocol/mime/structure.ts';
import type { AccountReader } from '../../../storage/account/api.ts';
import { type AccountCache, roomFor } from '../account-cache.ts';
import { smimeFreshMs, smimeVerifiedInQueryMax } from '../limits.ts';
import type { MethodContext } from '../method.ts';
import type { JmapServices } from '../services.ts';
import { readTrustAnchors, verifySignature } from './verify.ts';

export interface SmimeResult {
  readonly status: SmimeStatus;
  readonly atDelivery: SmimeStatus;
  readonly errors: readonly string[];
  /** Milliseconds since the epoch; undefined where nothing was verified. */
  readonly verifiedAt: number | undefined;
}

type SmimeProperties = Record<(typeof smimeProperties)[number], unknown>;

/** The properties of an email that are asked for by name. */
export async function smimePropertiesOf(context: MethodContext, email: EmailNumber): Promise<SmimeProperties> {
  const result = await smimeResult(context, email);
  return {
    smimeStatus: result?.status ?? null,
    smimeStatusAtDelivery: result?.atDelivery ?? null,
    smimeErrors: result === undefined || result.errors.length === 0 ? null : result.errors,
    smimeVerifiedAt: result?.verifiedAt === undefined ? null : formatUtcDate(result.verifiedAt),
  };
}

/** undefined where the email is not signed. */
async function smimeResult(context: MethodContext, email: EmailNumber): Promise<SmimeResult | undefined> {
  const { account, cache, services } = context;
  const now = services.clock.now();
  const known = cache.smime.get(email);
  if (known !== undefined && now - (known.verifiedAt ?? now) < smimeFreshMs) return known;
  const found = account.read((reader) => {
    const root = reader.facts(email)?.root;
    const signed = root === undefined ? undefined : signedPart(root);
    const blob = reader.blob(email);
    return signed === undefined || blob === undefined || root === undefined
      ? undefined
      : { signed, blob, root, receivedAt: reader.email(email)?.receivedAt ?? now };
  });
  if (found === undefined) return undefined;
  const { signed, blob, root, receivedAt } = found;
  if (signed.kind === 'other') {
    return cache.smime.set(email, { status: 'unknown', atDelivery: 'unknown', errors: [], verifiedAt: undefined });
  }
  let raw: Buffer;
  try {
    raw = await account.blobBytes(blob);
  } catch (error) {
    services.logger.error('A signed message could not be read.', { account: account.id, email, error });
    return { status: 'signed', atDelivery: 'signed', errors: ['The message cannot be read now.'], verifiedAt: undefined };
  }
  const from = headerValuesFromRaw(raw.subarray(0, root.bodyStart), 'from').flatMap(asAddresses);
  const addresses = from.map((address) => address.email);
  const bytes = signedBytes(raw, signed);
  const anchors = anchorsOf(services);
  const [errors, errorsAtDelivery] = await Promise.all([
    verifySignature(bytes, addresses, anchors, now),
    verifySignature(bytes, addresses, anchors, receivedAt),
  ]);
  const statusOf = (problems: readonly string[]): SmimeStatus => (problems.length === 0 ? 'signed/verified' : 'signed/failed');
  const result: SmimeResult = { status: statusOf(errors), atDelivery: statusOf(errorsAtDelivery), errors, verifiedAt: now };
  if (known?.status !== result.status) cache.smimeVersion += 1;
  return cache.smime.set(email, result);
}

function signedBytes(raw: Buffer, signed: Exclude<SignedPart, { kind: 'other' }>): { cms: Uint8Array; content: Uint8Array | undefined } {
  if (signed.kind === 'opaque') return { cms: decodePart(raw, signed.content), content: undefined };
  const bytes = (part: Part) => raw.subarray(part.headerStart, part.bodyEnd);
  return { cms: decodePart(raw, signed.signature), content: bytes(signed.signed) };
}

type Anchors = ReturnType<typeof readTrustAnchors>;

/** Read once: there are some 150 of them. */
const anchors = new WeakMap<JmapServices['trustAnchors'], Anchors>();

function anchorsOf({ trustAnchors }: JmapServices): Anchors {
  let read = anchors.get(trustAnchors);
  if (read === undefined) anchors.set(trustAnchors, (read = readTrustAnchors(trustAnchors())));
  return read;
}

/** Whether a filter's result depends on verification, so that it may change without any change of an email. */
export function looksAtVerification(filter: Filter<EmailFilter> | undefined): boolean {
  for (const condition of conditionsOf(filter)) {
    if (condition.hasVerifiedSmime !== undefined || condition.hasVerifiedSmimeAtDelivery !== undefined) return true;
  }
  return false;
}

/** Verifies what a filter is about to ask for. Throws MethodError 'unsupportedFilter' where that is too much at once. */
export async function verifyForFilter(context: MethodContext, filter: Filter<EmailFilter> | undefined): Promise<void> {
  if (!looksAtVerification(filter)) return;
  const { account, cache } = context;
  const isUnknown = (email: EmailNumber) => cache.smime.get(email) === undefined;
  const signed = account.read((reader) => {
    const isSigned = signedTest(reader, cache);
    return Array.from(reader.emails()).filter(isSigned);
  });
  if (signed.filter(isUnknown).length > smimeVerifiedInQueryMax)
    throw new MethodError('unsupportedFilter', `At most ${smimeVerifiedInQueryMax} signatures are verified for a query.`);
  for (const email of signed) await smimeResult(context, email);
}

/** The test of a filter's conditions; undefined where it has none. */
export function smimeTest(reader: AccountReader, cache: AccountCache, filter: SmimeFilter): ((email: number) => boolean) | undefined {
  const tests: ((email: number) => boolean)[] = [];
  const { hasSmime, hasVerifiedSmime, hasVerifiedSmimeAtDelivery } = filter;
  if (hasSmime !== undefined) {
    const isSigned = signedTest(reader, cache);
    tests.push((email) => isSigned(email as EmailNumber) === hasSmime);
  }
  if (hasVerifiedSmime !== undefined) tests.push((email) => (cache.smime.get(email)?.status === 'signed/verified') === hasVerifiedSmime);
  if (hasVerifiedSmimeAtDelivery !== undefined)
    tests.push((email) => (cache.smime.get(email)?.atDelivery === 'signed/verified') === hasVerifiedSmimeAtDelivery);
  return tests.length === 0 ? undefined : (email) => tests.every((test) => test(email));
}

/** Whether an email is signed: the index names those whose header may say so, their structure decides. */
function signedTest(reader: AccountReader, cache: AccountCache): (email: EmailNumber) => boolean {
  const verdicts = cache.verdicts.get('smime') ?? cache.verdicts.set('smime', { bytes: new Uint8Array(0) });
  const mayBe = ['signed', 'pkcs7'].map((word) => reader.candidates(word, 'header'));
  return (email) => {
    verdicts.bytes = roomFor(verdicts.bytes, email);
    const known = verdicts.bytes[email];
    if (known !== 0) return known === 2;
    const root = mayBe.every((set) => set?.has(email) === false) ? undefined : reader.facts(email)?.root;
    const isSigned = root !== undefined && signedPart(root) !== undefined;
    verdicts.bytes[email] = isSigned ? 2 : 1;
    return isSigned;
  };
}
