/** SieveScripts as JMAP shows them (RFC 9661 §2), over the one store that ManageSieve has too. */
import { isUtf8 } from 'node:buffer';
import { uploadBlobId } from '../../protocol/jmap/blob-id.ts';
import { SetFailure } from '../../protocol/jmap/errors.ts';
import { compile } from '../../protocol/sieve/compile.ts';
import { capabilities as extensions, notifyMethods } from '../../protocol/sieve/extensions/index.ts';
import { redirectsMax, scriptBytesMax } from '../../protocol/sieve/limits.ts';
import { SieveError } from '../../protocol/sieve/syntax.ts';
import { type ScriptRecord, scriptNameBytesMax, scriptsMax, scriptType } from '../../storage/sieve/scripts.ts';
import type { ObjectType } from './standard/objects.ts';

export const sieveScripts: ObjectType<ScriptRecord> = {
  type: scriptType,
  properties: {
    id: ({ id }) => id,
    name: ({ value }) => value.name,
    blobId: ({ value }) => uploadBlobId(value.blob.sha256),
    isActive: ({ value }) => value.isActive,
  },
};

/** RFC 9661 §1.4. */
export const sieveSessionCapability = { implementation: 'Satchel' };
export const sieveAccountCapability = {
  maxSizeScriptName: scriptNameBytesMax,
  maxSizeScript: scriptBytesMax,
  maxNumberScripts: scriptsMax,
  maxNumberRedirects: redirectsMax,
  sieveExtensions: extensions,
  notificationMethods: notifyMethods,
  externalLists: null,
};

/** RFC 9661 §2.2: throws SetFailure 'invalidSieve' with line and reason, or 'tooLarge'. */
export function requireScript(bytes: Buffer): void {
  if (bytes.length > scriptBytesMax)
    throw new SetFailure({ type: 'tooLarge', description: `A script has at most ${scriptBytesMax} octets.` });
  // RFC 5228 §2.1.
  if (!isUtf8(bytes)) throw new SetFailure({ type: 'invalidSieve', description: 'A script is UTF-8.' });
  try {
    compile(bytes.toString('utf8'));
  } catch (error) {
    if (error instanceof SieveError) throw new SetFailure({ type: 'invalidSieve', description: error.message });
    throw error;
  }
}
