/** Blob/upload (RFC 9404 §4.1): blobs from text, base64 and stretches of other blobs, in the request itself. */
import { Type } from 'typebox';
import { invalidProperties, MethodError, SetFailure } from '../../../../protocol/jmap/errors.ts';
import { maxDataSources, maxObjectsInSet, maxSizeUpload } from '../../../../protocol/jmap/limits.ts';
import { BlobSettings, type DataSource } from '../../../../protocol/jmap/schema/blob.ts';
import { onAccount } from '../../../../protocol/jmap/schema/common.ts';
import { readBlob, storeUpload } from '../../blobs.ts';
import { blobCapability, defineMethod, type MethodContext } from '../../method.ts';
import { SetOutcome } from '../../standard/set.ts';
import { newSettings } from '../../standard/settings.ts';

export const blobUpload = defineMethod({
  name: 'Blob/upload',
  capability: blobCapability,
  access: 'write',
  arguments: onAccount({ create: Type.Record(Type.String(), Type.Record(Type.String(), Type.Unknown())) }),
  async run(context, { accountId, create }) {
    const entries = Object.entries(create);
    if (entries.length > maxObjectsInSet) throw new MethodError('requestTooLarge', `At most ${maxObjectsInSet} blobs are made at once.`);
    const outcome = new SetOutcome();
    for (const [key, given] of entries) {
      await outcome.attempt('notCreated', key, async () => {
        const settings = newSettings<BlobSettings>(BlobSettings, given, { type: null });
        const bytes = await gather(context, settings.data);
        const type = settings.type ?? 'application/octet-stream';
        const id = await storeUpload(context.account, bytes, type);
        context.createdIds.set(key, id);
        outcome.created[key] = { id, type: settings.type, size: bytes.length };
      });
    }
    const orNull = <T extends object>(value: T) => (Object.keys(value).length === 0 ? null : value);
    return { accountId, created: orNull(outcome.created), notCreated: orNull(outcome.notCreated) };
  },
});

async function gather(context: MethodContext, sources: readonly DataSource[]): Promise<Buffer> {
  if (sources.length > maxDataSources) throw invalidProperties(`A blob is made of at most ${maxDataSources} pieces.`, 'data');
  const pieces: Buffer[] = [];
  let size = 0;
  for (const source of sources) {
    const piece = await bytesOf(context, source);
    size += piece.length;
    if (size > maxSizeUpload) throw new SetFailure({ type: 'tooLarge', description: `A blob has at most ${maxSizeUpload} bytes.` });
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function bytesOf(context: MethodContext, source: DataSource): Promise<Buffer> {
  if ('data:asText' in source) return Buffer.from(source['data:asText']);
  if ('data:asBase64' in source) {
    const base64 = source['data:asBase64'];
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(base64))
      throw invalidProperties('That is not base64.', 'data');
    return Buffer.from(base64, 'base64');
  }
  const found = await readBlob(context.account, context.resolveId(source.blobId));
  if (found === undefined) {
    throw new SetFailure({ type: 'blobNotFound', notFound: [source.blobId], description: 'A blob is not there.' });
  }
  const offset = source.offset ?? 0;
  const end = offset + (source.length ?? found.bytes.length - offset);
  if (offset > found.bytes.length || end > found.bytes.length)
    throw invalidProperties('The stretch reaches beyond the end of the blob.', 'data');
  return found.bytes.subarray(offset, end);
}
