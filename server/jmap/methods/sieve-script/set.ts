/** SieveScript/set (RFC 9661 §2.4). What is no script is refused before it is stored; which one is active changes only when all else went well. */
import { Type } from 'typebox';
import { uploadBlobId } from '../../../../protocol/jmap/blob-id.ts';
import { SetFailure } from '../../../../protocol/jmap/errors.ts';
import { Id, maybe, setArguments } from '../../../../protocol/jmap/schema/common.ts';
import { SieveScriptSettings } from '../../../../protocol/jmap/schema/sieve-script.ts';
import type { AccountTransactor, Upload } from '../../../../storage/account/api.ts';
import {
  activateScript,
  putScript,
  removeScript,
  type ScriptRecord,
  scriptByName,
  scriptType,
  updateScript,
} from '../../../../storage/sieve/scripts.ts';
import { freshUpload, readBlob } from '../../blobs.ts';
import { defineMethod, type MethodContext, sieveCapability } from '../../method.ts';
import { requireScript, sieveScripts } from '../../sieve-scripts.ts';
import { showObject } from '../../standard/objects.ts';
import { notFoundError, type SetOutcome, standardSet } from '../../standard/set.ts';
import { changedSettings, checkSettings, newSettings, serverSet } from '../../standard/settings.ts';
import { Steps } from '../../standard/steps.ts';

export const sieveScriptSet = defineMethod({
  name: 'SieveScript/set',
  capability: sieveCapability,
  access: 'write',
  arguments: setArguments({ onSuccessActivateScript: maybe(Id), onSuccessDeactivateScript: maybe(Type.Boolean()) }),
  async run(context, args) {
    const { response, outcome } = await standardSet(context, args, {
      type: scriptType,
      async create(steps, given) {
        const settings = newSettings<SieveScriptSettings>(SieveScriptSettings, given, { name: null });
        const upload = await scriptUpload(context, settings.blobId);
        const id = `s${context.services.random.hex(8)}`;
        // §2: a name that is not given is the server's to find.
        const name = settings.name ?? id;
        const record = await steps.transact(
          (tx) => {
            requireNewName(tx, name);
            const { id: _, ...made } = putScript(tx, id, name, upload);
            return { value: made, isChanged: true };
          },
          [upload],
        );
        return { id, shown: serverSet(showObject(sieveScripts, id, record), settings.name === null ? { blobId: given['blobId'] } : given) };
      },
      async update(steps, id, patch) {
        const record = context.account.read((reader) => reader.object<ScriptRecord>(scriptType, id));
        if (record === undefined) throw new SetFailure(notFoundError);
        const changed = changedSettings(patch, showObject(sieveScripts, id, record));
        checkSettings(SieveScriptSettings, changed);
        const { name, blobId } = changed as Partial<SieveScriptSettings>;
        const upload = blobId === undefined ? undefined : await scriptUpload(context, blobId);
        await steps.transact(
          (tx) => {
            const change = { ...(name ? { name } : {}), ...(upload === undefined ? {} : { blob: upload.ref }) };
            if (name) requireNewName(tx, name, id);
            const isChanged = Object.keys(change).length > 0;
            if (isChanged) updateScript(tx, id, change);
            return { value: undefined, isChanged };
          },
          upload === undefined ? [] : [upload],
        );
        const kept = upload === undefined ? undefined : uploadBlobId(upload.ref.sha256);
        return kept === undefined || kept === blobId ? null : { blobId: kept };
      },
      async destroy(steps, id) {
        await steps.transact((tx) => {
          if (tx.object<ScriptRecord>(scriptType, id)?.isActive === true) {
            throw new SetFailure({ type: 'sieveIsActive', description: 'The script is active: deactivate it first.' });
          }
          removeScript(tx, id);
          return { value: undefined, isChanged: true };
        });
      },
    });
    return activated(context, args, outcome, response);
  },
});

/** §2.4: only if nothing of the call was refused; an id that there is not is passed over. */
async function activated(
  context: MethodContext,
  {
    onSuccessActivateScript,
    onSuccessDeactivateScript,
  }: { onSuccessActivateScript?: string | null; onSuccessDeactivateScript?: boolean | null },
  outcome: SetOutcome,
  response: object,
): Promise<object> {
  const isRefused = [outcome.notCreated, outcome.notUpdated, outcome.notDestroyed].some((each) => Object.keys(each).length > 0);
  const wanted = onSuccessActivateScript
    ? context.resolveId(onSuccessActivateScript)
    : onSuccessDeactivateScript === true
      ? null
      : undefined;
  if (isRefused || wanted === undefined) return response;
  const steps = new Steps(context, scriptType);
  const changed = await steps.transact((tx) => {
    const isThere = wanted === null || tx.object(scriptType, wanted) !== undefined;
    const value = isThere ? activateScript(tx, wanted) : [];
    return { value, isChanged: value.length > 0 };
  });
  if (changed.length === 0) return response;
  const created = new Map(Object.entries(outcome.created).map(([key, object]) => [(object as { id?: string }).id, key]));
  const updated: Record<string, object | null> = { ...outcome.updated };
  for (const { id, isActive } of changed) {
    const key = created.get(id);
    if (key === undefined) updated[id] = { ...updated[id], isActive };
    else outcome.created[key] = { ...outcome.created[key], isActive };
  }
  const orNull = <T extends object>(value: T) => (Object.keys(value).length === 0 ? null : value);
  return { ...response, created: orNull(outcome.created), updated: orNull(updated), newState: steps.newState };
}

function requireNewName(tx: AccountTransactor, name: string, id?: string): void {
  const other = scriptByName(tx, name);
  if (other === undefined || other.id === id) return;
  throw new SetFailure({ type: 'alreadyExists', existingId: other.id, description: 'There is a script of this name.' });
}

async function scriptUpload({ account, services, resolveId }: MethodContext, blobId: string): Promise<Upload> {
  const wanted = resolveId(blobId);
  const blob = await readBlob(account, wanted);
  if (blob === undefined) throw new SetFailure({ type: 'blobNotFound', notFound: [wanted], description: 'The blob is not there.' });
  requireScript(blob.bytes);
  return freshUpload(account, wanted, blob.bytes, services.clock.now());
}
