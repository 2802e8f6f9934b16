/** Blob/get (RFC 9404 §4.2): bytes and digests of blobs, or of a stretch of each, inside the response. */
import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import { MethodError } from '../../../../protocol/jmap/errors.ts';
import { blobDataBytesMax } from '../../../../protocol/jmap/limits.ts';
import { blobProperties, digests } from '../../../../protocol/jmap/schema/blob.ts';
import { getArguments, maybe, UnsignedInt } from '../../../../protocol/jmap/schema/common.ts';
import { readBlob } from '../../blobs.ts';
import { blobCapability, defineMethod } from '../../method.ts';
import { askedIds, askedProperties } from '../../standard/get.ts';

export const blobGet = defineMethod({
  name: 'Blob/get',
  capability: blobCapability,
  access: 'read',
  arguments: getArguments({ offset: maybe(UnsignedInt), length: maybe(UnsignedInt) }),
  async run(context, args) {
    // Blobs cannot be listed: to ask for all of them is to ask for too much.
    if (args.ids === undefined || args.ids === null) throw new MethodError('invalidArguments', 'ids is missing: blobs are not listed.');
    const properties = askedProperties(args.properties, ['id', 'data', 'size'], (name) => blobProperties.includes(name));
    const list: object[] = [];
    const notFound: string[] = [];
    let bytesLeft = blobDataBytesMax;
    for (const id of askedIds(context, args.ids, () => [])) {
      const found = await readBlob(context.account, id);
      if (found === undefined) {
        notFound.push(id);
        continue;
      }
      const offset = args.offset ?? 0;
      const end = offset + (args.length ?? Math.max(0, found.bytes.length - offset));
      const shown = showBlob(id, found.bytes.subarray(offset, end), properties);
      if (properties.includes('size')) shown['size'] = found.bytes.length;
      if (offset > found.bytes.length || end > found.bytes.length) shown['isTruncated'] = true;
      bytesLeft -= properties.some((name) => name.startsWith('data')) ? Math.max(0, Math.min(end, found.bytes.length) - offset) : 0;
      if (bytesLeft < 0) throw new MethodError('requestTooLarge', `At most ${blobDataBytesMax} bytes are given at once.`);
      list.push(shown);
    }
    return { accountId: args.accountId, list, notFound };
  },
});

function showBlob(id: string, bytes: Buffer, properties: readonly string[]): Record<string, unknown> {
  const shown: Record<string, unknown> = { id };
  const isText = isUtf8(bytes);
  for (const name of properties) {
    if (name.startsWith('digest:')) shown[name] = hash(digests[name.slice('digest:'.length)]!, bytes, 'base64');
    if (name === 'data:asText' || (name === 'data' && isText)) shown['data:asText'] = isText ? bytes.toString('utf8') : null;
    if (name === 'data:asBase64' || (name === 'data' && !isText)) shown['data:asBase64'] = bytes.toString('base64');
    if ((name === 'data' || name === 'data:asText') && !isText) shown['isEncodingProblem'] = true;
  }
  return shown;
}
