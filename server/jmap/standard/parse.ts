/** What the /parse methods share (RFC 8621 §4.9, RFC 9007 §2.2): blobs read one by one, and sorted into those that are parsed, are no such thing, or are not there. */
import { MethodError } from '../../../protocol/jmap/errors.ts';
import { maxObjectsInGet } from '../../../protocol/jmap/limits.ts';
import { readBlob } from '../blobs.ts';
import type { MethodContext } from '../method.ts';

/** `parseOne` answers undefined for bytes that are not what the method parses. */
export async function parseBlobs<T extends object>(
  context: MethodContext,
  { accountId, blobIds }: { readonly accountId: string; readonly blobIds: readonly string[] },
  parseOne: (bytes: Buffer, blobId: string) => T | undefined | Promise<T | undefined>,
) {
  if (blobIds.length > maxObjectsInGet) throw new MethodError('requestTooLarge', `At most ${maxObjectsInGet} blobs are parsed at once.`);
  const parsed: Record<string, T> = {};
  const notParsable: string[] = [];
  const notFound: string[] = [];
  for (const given of new Set(blobIds)) {
    const blobId = context.resolveId(given);
    const found = await readBlob(context.account, blobId);
    const value = found === undefined ? undefined : await parseOne(found.bytes, blobId);
    if (found === undefined) notFound.push(given);
    else if (value === undefined) notParsable.push(given);
    else parsed[given] = value;
  }
  const orNull = (list: string[]) => (list.length === 0 ? null : list);
  return {
    accountId,
    parsed: Object.keys(parsed).length === 0 ? null : parsed,
    notParsable: orNull(notParsable),
    notFound: orNull(notFound),
  };
}
