/** Blob/copy (RFC 8620 §6.3): blobs of another account that the login reaches, as uploads of this one. */

import { Type } from 'typebox';
import { MethodError, SetFailure } from '../../../../protocol/jmap/errors.ts';
import { maxObjectsInSet } from '../../../../protocol/jmap/limits.ts';
import { AskedId, onAccount } from '../../../../protocol/jmap/schema/common.ts';
import { readBlob, storeUpload } from '../../blobs.ts';
import { coreCapability, defineMethod } from '../../method.ts';
import { otherAccount } from '../../standard/copy.ts';
import { notFoundError, SetOutcome } from '../../standard/set.ts';

export const blobCopy = defineMethod({
  name: 'Blob/copy',
  capability: coreCapability,
  access: 'write',
  arguments: onAccount({ fromAccountId: Type.String(), blobIds: Type.Array(AskedId) }),
  async run(context, { accountId, fromAccountId, blobIds }) {
    if (blobIds.length > maxObjectsInSet) throw new MethodError('requestTooLarge', `At most ${maxObjectsInSet} blobs are copied at once.`);
    const from = await otherAccount(context, fromAccountId);
    const copied: Record<string, string> = {};
    const outcome = new SetOutcome();
    for (const given of new Set(blobIds)) {
      await outcome.attempt('notCreated', given, async () => {
        const found = await readBlob(from.account, context.resolveId(given));
        if (found === undefined) throw new SetFailure(notFoundError);
        copied[given] = await storeUpload(context.account, found.bytes, found.type);
      });
    }
    const orNull = <T extends object>(value: T) => (Object.keys(value).length === 0 ? null : value);
    return { fromAccountId, accountId, copied: orNull(copied), notCopied: orNull(outcome.notCreated) };
  },
});
