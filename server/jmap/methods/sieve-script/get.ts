/** SieveScript/get and /validate (RFC 9661 §2.3, §2.6). The text is the blob. */
import { SetFailure } from '../../../../protocol/jmap/errors.ts';
import { getArguments, Id, onAccount } from '../../../../protocol/jmap/schema/common.ts';
import { readBlob } from '../../blobs.ts';
import { defineMethod, sieveCapability } from '../../method.ts';
import { requireScript, sieveScripts } from '../../sieve-scripts.ts';
import { getObjects } from '../../standard/objects.ts';

export const sieveScriptGet = defineMethod({
  name: 'SieveScript/get',
  capability: sieveCapability,
  access: 'read',
  arguments: getArguments({}),
  run: (context, args) => getObjects(context, args, sieveScripts),
});

export const sieveScriptValidate = defineMethod({
  name: 'SieveScript/validate',
  capability: sieveCapability,
  access: 'read',
  arguments: onAccount({ blobId: Id }),
  async run({ account, resolveId }, { accountId, blobId }) {
    const blob = await readBlob(account, resolveId(blobId));
    if (blob === undefined) return { accountId, error: { type: 'blobNotFound', description: 'The blob is not there.' } };
    try {
      requireScript(blob.bytes);
      return { accountId, error: null };
    } catch (error) {
      if (error instanceof SetFailure) return { accountId, error: error.error };
      throw error;
    }
  },
});
