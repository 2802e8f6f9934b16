/** Identity/get, /changes and /set (RFC 8621 §6). */
import { invalidProperties, SetFailure } from '../../../../protocol/jmap/errors.ts';
import { changesArguments, getArguments, setArguments } from '../../../../protocol/jmap/schema/common.ts';
import { type IdentityRecord, IdentitySettings, identityType } from '../../../../protocol/jmap/schema/identity.ts';
import { isMailbox } from '../../../../protocol/smtp/path.ts';
import { canonicalAddress } from '../../../../storage/directory/address.ts';
import { maySendAsAnyOf } from '../../../../storage/directory/sender.ts';
import { bringIdentitiesUp, identities } from '../../identities.ts';
import { identitiesMax } from '../../limits.ts';
import { defineMethod, type MethodContext, submissionCapability } from '../../method.ts';
import { changesOfObjects, getObjects, showObject } from '../../standard/objects.ts';
import { notFoundError, standardSet } from '../../standard/set.ts';
import { changedSettings, checkSettings, newSettings, serverSet } from '../../standard/settings.ts';

export const identityGet = defineMethod({
  name: 'Identity/get',
  capability: submissionCapability,
  access: 'read',
  arguments: getArguments({}),
  async run(context, args) {
    await bringIdentitiesUp(context);
    return getObjects(context, args, identities);
  },
});

export const identityChanges = defineMethod({
  name: 'Identity/changes',
  capability: submissionCapability,
  access: 'read',
  arguments: changesArguments,
  async run(context, args) {
    await bringIdentitiesUp(context);
    return changesOfObjects(context, args, identities);
  },
});

const defaults = { name: '', replyTo: null, bcc: null, textSignature: '', htmlSignature: '' };

export const identitySet = defineMethod({
  name: 'Identity/set',
  capability: submissionCapability,
  access: 'write',
  arguments: setArguments({}),
  async run(context, args) {
    await bringIdentitiesUp(context);
    const { response } = await standardSet(context, args, {
      type: identityType,
      async create(steps, given) {
        const settings = newSettings<IdentitySettings>(IdentitySettings, given, defaults);
        await requireMayUse(context, settings.email);
        const record: IdentityRecord = { ...settings, isDefault: false };
        const id = `i${context.services.random.hex(8)}`;
        await steps.transact((tx) => {
          if ([...tx.objects(identityType)].length >= identitiesMax)
            throw new SetFailure({ type: 'overQuota', description: `An account has at most ${identitiesMax} identities.` });
          tx.putObject(identityType, id, record);
          return { value: undefined, isChanged: true };
        });
        return { id, shown: serverSet(showObject(identities, id, record), given) };
      },
      async update(steps, id, patch) {
        await steps.transact((tx) => {
          const record = tx.object<IdentityRecord>(identityType, id);
          if (record === undefined) throw new SetFailure(notFoundError);
          const changed = changedSettings(patch, showObject(identities, id, record), defaults);
          checkSettings(IdentitySettings, changed);
          if ('email' in changed) throw invalidProperties('The address of an identity stays.', 'email');
          const isChanged = Object.keys(changed).length > 0;
          if (isChanged) tx.putObject(identityType, id, { ...record, ...changed });
          return { value: undefined, isChanged };
        });
        return null;
      },
      async destroy(steps, id) {
        await steps.transact((tx) => {
          const record = tx.object<IdentityRecord>(identityType, id);
          if (record === undefined) throw new SetFailure(notFoundError);
          if (record.isDefault) throw new SetFailure({ type: 'forbidden', description: 'The identity goes when the address does.' });
          tx.removeObject(identityType, id);
          return { value: undefined, isChanged: true };
        });
      },
    });
    return response;
  },
});

async function requireMayUse({ account, services }: MethodContext, email: string): Promise<void> {
  const addresses = services.directory.addressesOf(account.id);
  const isAny = email.startsWith('*@');
  if (!isAny && (!isMailbox(email) || canonicalAddress(email) === undefined)) throw invalidProperties('The address is none.', 'email');
  if (isAny ? maySendAsAnyOf(addresses, email.slice(2)) : await services.directory.maySendAs(account.id, email)) return;
  throw new SetFailure({ type: 'forbiddenFrom', description: 'The address is not one of this account.' });
}
