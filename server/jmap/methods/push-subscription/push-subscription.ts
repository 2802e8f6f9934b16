/** PushSubscription/get and /set (RFC 8620 §7.2): of whoever asks, by the credentials that it asks with, on no account, without states. */

import { Type } from 'typebox';
import { invalidProperties, MethodError, SetFailure } from '../../../../protocol/jmap/errors.ts';
import { AskedId, maybe, setArguments, strict } from '../../../../protocol/jmap/schema/common.ts';
import { PushSubscriptionSettings } from '../../../../protocol/jmap/schema/push-subscription.ts';
import { formatUtcDate, parseJmapDate } from '../../../../protocol/jmap/utc-date.ts';
import type { AccountReader } from '../../../../storage/account/api.ts';
import type { Identity } from '../../../auth/authenticator.ts';
import { isSameProof, type Proof } from '../../../auth/proof.ts';
import { pushSubscriptionsMax, subscriptionMsMax } from '../../limits.ts';
import { coreCapability, defineMethod, type MethodContext } from '../../method.ts';
import {
  type KeptSubscription,
  liveSubscription,
  liveSubscriptions,
  type PushSubscriptionRecord,
  subscriptionType,
} from '../../push/subscription.ts';
import { standardGet } from '../../standard/get.ts';
import { notFoundError, requireSetSize, SetOutcome, willBeDestroyed } from '../../standard/set.ts';
import { changedSettings, checkSettings, newSettings } from '../../standard/settings.ts';

/** All but url and keys, which may hold secrets and are not given (§7.2.1). */
const properties: Readonly<Record<string, (row: KeptSubscription) => unknown>> = {
  id: ({ id }) => id,
  deviceClientId: ({ value }) => value.deviceClientId,
  verificationCode: ({ value }) => (value.isVerified ? value.code : null),
  expires: ({ value }) => formatUtcDate(value.expires),
  types: ({ value }) => value.types,
};

export const pushSubscriptionGet = defineMethod({
  name: 'PushSubscription/get',
  capability: coreCapability,
  access: 'read',
  arguments: strict({ ids: maybe(Type.Array(AskedId)), properties: maybe(Type.Array(Type.String())) }),
  run(context, args) {
    if (args.properties?.some((name) => name === 'url' || name === 'keys'))
      throw new MethodError('forbidden', 'url and keys are not given.');
    const now = context.services.clock.now();
    return context.account.read((reader) => {
      const { list, notFound } = standardGet<KeptSubscription>(
        context,
        { ...args, accountId: '' },
        {
          defaults: Object.keys(properties),
          isProperty: (name) => Object.hasOwn(properties, name),
          state: '',
          all: () => Array.from(liveSubscriptions(reader, now), ({ id }) => id).filter((id) => own(context, reader, id) !== undefined),
          rowOf(id) {
            const value = own(context, reader, id);
            return value === undefined ? undefined : { id, value };
          },
          valueOf: (row, property) => properties[property]!(row),
        },
      ) as { list: object[]; notFound: string[] };
      return { list, notFound };
    });
  },
});

const { create, update, destroy } = setArguments({}).properties;

export const pushSubscriptionSet = defineMethod({
  name: 'PushSubscription/set',
  capability: coreCapability,
  access: 'write',
  arguments: strict({ create, update, destroy }),
  async run(context, args) {
    requireSetSize({ ...args, accountId: '' });
    const outcome = new SetOutcome();
    for (const [key, given] of Object.entries(args.create ?? {})) {
      await outcome.attempt('notCreated', key, async () => {
        outcome.created[key] = await createSubscription(context, given, key);
      });
    }
    const destroyed = [...new Set((args.destroy ?? []).map((id) => context.resolveId(id)))];
    for (const [given, patch] of Object.entries(args.update ?? {})) {
      await outcome.attempt('notUpdated', given, async () => {
        const id = context.resolveId(given);
        if (destroyed.includes(id)) throw new SetFailure(willBeDestroyed);
        outcome.updated[given] = await updateSubscription(context, id, patch);
      });
    }
    for (const id of destroyed) {
      await outcome.attempt('notDestroyed', id, async () => {
        await context.account.transact((tx) => {
          if (own(context, tx, id) === undefined) throw new SetFailure(notFoundError);
          tx.removeObject(subscriptionType, id);
        });
        outcome.destroyed.push(id);
      });
    }
    const { accountId: _, oldState: __, newState: ___, ...response } = outcome.response('', '', '') as Record<string, unknown>;
    return response;
  },
});

/** A token stands for a session that outlives it, of whose end nobody tells us. */
function lastingProof({ proof }: Identity): Proof | undefined {
  return proof === undefined || 'tokenUntil' in proof ? undefined : proof;
}

/** A live subscription that these credentials have made. */
function own({ services, identity }: MethodContext, reader: AccountReader, id: string): PushSubscriptionRecord | undefined {
  const value = liveSubscription(reader, id, services.clock.now());
  return value !== undefined && isSameProof(value.proof, lastingProof(identity)) ? value : undefined;
}

async function createSubscription(context: MethodContext, given: Readonly<Record<string, unknown>>, key: string): Promise<object> {
  const { account, services } = context;
  const { pusher, random, clock } = services;
  const defaults = { keys: null, verificationCode: null, expires: null, types: null };
  const settings = newSettings<PushSubscriptionSettings>(PushSubscriptionSettings, given, defaults);
  const { deviceClientId, url, keys, types } = settings;
  if (settings.verificationCode !== null) throw invalidProperties('The code is told to the url first.', 'verificationCode');
  const fault = pusher.sender.fault({ url, keys });
  if (fault !== undefined) throw invalidProperties(fault, fault.startsWith('keys') ? 'keys' : 'url');
  const expires = expiresOf(settings.expires, clock.now());
  const id = `p${random.hex(8)}`;
  const proof = lastingProof(context.identity);
  const record: PushSubscriptionRecord = {
    ...{ deviceClientId, url, keys, types, expires, code: random.hex(16), isVerified: false },
    ...(proof === undefined ? {} : { proof }),
  };
  if (!pusher.mayVerify(account))
    throw new SetFailure({ type: 'rateLimit', description: 'Too many subscriptions were made: try again later.' });
  await account.transact((tx) => {
    const all = [...tx.objects<PushSubscriptionRecord>(subscriptionType)];
    for (const old of all) if (old.value.expires <= tx.at) tx.removeObject(subscriptionType, old.id);
    if (all.filter(({ value }) => value.expires > tx.at).length >= pushSubscriptionsMax)
      throw new SetFailure({ type: 'overQuota', description: `There are at most ${pushSubscriptionsMax} subscriptions: destroy one.` });
    tx.putObject(subscriptionType, id, record);
  });
  context.createdIds.set(key, id);
  pusher.verify(account, id);
  const shown = formatUtcDate(expires);
  const set = { keys: null, types: null, verificationCode: null };
  const left = Object.entries(set).filter(([name]) => !Object.hasOwn(given, name) && name !== 'keys');
  return { id, ...Object.fromEntries(left), ...(given['expires'] === shown ? {} : { expires: shown }) };
}

async function updateSubscription(context: MethodContext, id: string, patch: Readonly<Record<string, unknown>>): Promise<object | null> {
  const now = context.services.clock.now();
  return context.account.transact((tx) => {
    const value = own(context, tx, id);
    if (value === undefined) throw new SetFailure(notFoundError);
    const shown = Object.fromEntries(Object.entries(properties).map(([name, show]) => [name, show({ id, value })]));
    const changed = changedSettings(patch, shown);
    checkSettings(PushSubscriptionSettings, changed);
    const fixed = Object.keys(changed).filter((name) => name === 'url' || name === 'keys' || name === 'deviceClientId');
    if (fixed.length > 0) throw invalidProperties(`${fixed[0]} cannot be changed: make another subscription.`, ...fixed);
    const { verificationCode, expires, types } = changed as Partial<PushSubscriptionSettings>;
    if (verificationCode !== undefined && verificationCode !== value.code)
      throw invalidProperties('This is not the code that was sent.', 'verificationCode');
    const until = expires === undefined ? value.expires : expiresOf(expires, now);
    if (Object.keys(changed).length > 0) {
      tx.putObject(subscriptionType, id, {
        ...value,
        expires: until,
        ...(types === undefined ? {} : { types }),
        ...(verificationCode === undefined ? {} : { isVerified: true }),
      });
    }
    return expires === undefined || expires === formatUtcDate(until) ? null : { expires: formatUtcDate(until) };
  });
}

/** As the client asks, within what we keep. */
function expiresOf(given: string | null, now: number): number {
  const max = Math.floor((now + subscriptionMsMax) / 1000) * 1000;
  if (given === null) return max;
  const asked = parseJmapDate(given, true);
  if (asked === undefined) throw invalidProperties('expires is a UTCDate.', 'expires');
  if (asked <= now) throw invalidProperties('expires is in the past.', 'expires');
  return Math.min(asked, max);
}
