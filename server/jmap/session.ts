/** The session resource (RFC 8620 §2): what this server can, for the account that asks. Only what works is named. */
import { hash } from 'node:crypto';
import { collations } from '../../protocol/jmap/collation.ts';
import * as limits from '../../protocol/jmap/limits.ts';
import { blobHolders, digests } from '../../protocol/jmap/schema/blob.ts';
import { DeliveryFilter } from '../../protocol/jmap/schema/delivery.ts';
import { emailSorts } from '../../protocol/jmap/schema/email.ts';
import type { Identity } from '../auth/authenticator.ts';
import { maxDelayedSend } from './limits.ts';
import {
  blobCapability,
  coreCapability,
  deliveryCapability,
  mailCapability,
  mailSharingCapability,
  mdnCapability,
  ownerCapability,
  principalsCapability,
  quotaCapability,
  sieveCapability,
  smimeCapability,
  submissionCapability,
  vacationCapability,
  webPushCapability,
  webSocketCapability,
} from './method.ts';
import type { ReachableAccount } from './reachable.ts';
import type { JmapServices } from './services.ts';
import { sieveAccountCapability, sieveSessionCapability } from './sieve-scripts.ts';

export const capabilities: Readonly<Record<string, object>> = {
  [coreCapability]: {
    maxSizeUpload: limits.maxSizeUpload,
    maxConcurrentUpload: limits.maxConcurrentUpload,
    maxSizeRequest: limits.maxSizeRequest,
    maxConcurrentRequests: limits.maxConcurrentRequests,
    maxCallsInRequest: limits.maxCallsInRequest,
    maxObjectsInGet: limits.maxObjectsInGet,
    maxObjectsInSet: limits.maxObjectsInSet,
    collationAlgorithms: Object.keys(collations),
  },
  [mailCapability]: {},
  [submissionCapability]: {},
  [vacationCapability]: {},
  [sieveCapability]: sieveSessionCapability,
  [mdnCapability]: {},
  [blobCapability]: {},
  // RFC 8887 §3: the session adds where.
  [webSocketCapability]: { supportsPush: true },
  // RFC 9749 §3: the session adds the key.
  [webPushCapability]: {},
  [quotaCapability]: {},
  [smimeCapability]: {},
  [deliveryCapability]: {},
  [principalsCapability]: {},
  [mailSharingCapability]: {},
};

/** RFC 8621 §1.3.1. Depth and name length are those of storage/index/limits.ts; a name's 255 UTF-16 units are at least 255 octets. */
const mailAccountCapability = {
  maxMailboxesPerEmail: null,
  maxMailboxDepth: 32,
  maxSizeMailboxName: 255,
  maxSizeAttachmentsPerEmail: limits.maxSizeAttachmentsPerEmail,
  emailQuerySortOptions: emailSorts,
  mayCreateTopLevelMailbox: true,
};

/** What an account that is reached whole can, by capability. */
const accountCapabilities = ({ messageBytesMax }: JmapServices): Readonly<Record<string, object>> => ({
  [coreCapability]: {},
  [mailCapability]: mailAccountCapability,
  // RFC 8621 §1.3.2: what EHLO would say.
  [submissionCapability]: {
    maxDelayedSend,
    submissionExtensions: { '8BITMIME': [], DSN: [], FUTURERELEASE: [String(maxDelayedSend)], SIZE: [String(messageBytesMax)] },
  },
  [vacationCapability]: {},
  [sieveCapability]: sieveAccountCapability,
  [mdnCapability]: {},
  [quotaCapability]: {},
  [smimeCapability]: {},
  [deliveryCapability]: { emailQueryConditions: Object.keys(DeliveryFilter.properties) },
  // RFC 9404 §2.
  [blobCapability]: {
    maxSizeBlobSet: limits.maxSizeUpload,
    maxDataSources: limits.maxDataSources,
    supportedTypeNames: blobHolders,
    supportedDigestAlgorithms: Object.keys(digests),
  },
  [mailSharingCapability]: {},
});

/** What those that mailboxes are shared with can in the owner's account: mail, and nothing of his own, such as what he sends and has filtered. */
const sharedCapabilities: ReadonlySet<string> = new Set([
  coreCapability,
  mailCapability,
  mailSharingCapability,
  blobCapability,
  smimeCapability,
]);

/** Whether methods of a capability work on an account (RFC 8620 §3.6.2: otherwise `accountNotSupportedByMethod`). */
export function isSupportedOn({ isShared, isPersonal }: ReachableAccount, capability: string): boolean {
  if (capability === principalsCapability) return isPersonal;
  return !isShared || sharedCapabilities.has(capability);
}

/** Accounts that a login reaches, as the session has them. */
export function accountObjectsOf(
  services: JmapServices,
  { accountId }: Identity,
  accounts: readonly ReachableAccount[],
): Readonly<Record<string, object>> {
  const whole = accountCapabilities(services);
  const objects = accounts.map((account) => {
    const { id, name, isPersonal, isReadOnly, isShared } = account;
    const own: Record<string, object> = Object.fromEntries(
      Object.entries(whole).filter(([capability]) => isSupportedOn(account, capability)),
    );
    if (isShared) own[mailCapability] = { ...mailAccountCapability, mayCreateTopLevelMailbox: false };
    if (isPersonal) own[principalsCapability] = { currentUserPrincipalId: accountId };
    own[ownerCapability] = { accountIdForPrincipal: accountId, principalId: id };
    return [id, { name, isPersonal, isReadOnly, accountCapabilities: own }] as const;
  });
  return Object.fromEntries(objects);
}

async function accountsInSession(services: JmapServices, identity: Identity): Promise<readonly ReachableAccount[]> {
  return (await services.reachableAccounts(identity)).filter(({ isInSession }) => isInSession);
}

/** Of what every session tells alike: a request need not go through it. */
const commonDigests = new WeakMap<JmapServices, string>();

/** Changes when anything in the session resource does (RFC 8620 §3.4). */
export async function sessionStateOf(services: JmapServices, identity: Identity): Promise<string> {
  let common = commonDigests.get(services);
  if (common === undefined) {
    common = digest([capabilities, accountCapabilities(services), services.pusher.sender.publicKey]);
    commonDigests.set(services, common);
  }
  const { accountId, address } = identity;
  return digest([common, accountId, address, await accountsInSession(services, identity)]);
}

function digest(told: readonly unknown[]): string {
  return hash('sha256', JSON.stringify(told), 'hex').slice(0, 16);
}

/** `origin`: `https://mail.example.com`, as the client reached us. */
export async function sessionOf(services: JmapServices, identity: Identity, origin: string): Promise<object> {
  const { accountId, address } = identity;
  const accounts = accountObjectsOf(services, identity, await accountsInSession(services, identity));
  const primary = [...Object.keys(accountCapabilities(services)), principalsCapability];
  const webSocket = { ...capabilities[webSocketCapability], url: `${origin.replace(/^http/, 'ws')}/jmap/ws` };
  const webPush = { applicationServerKey: services.pusher.sender.publicKey };
  return {
    capabilities: { ...capabilities, [webSocketCapability]: webSocket, [webPushCapability]: webPush },
    accounts,
    // RFC 8620 §2: core has none.
    primaryAccounts: Object.fromEntries(primary.filter((capability) => capability !== coreCapability).map((name) => [name, accountId])),
    username: address,
    apiUrl: `${origin}/jmap/api`,
    downloadUrl: `${origin}/jmap/download/{accountId}/{blobId}/{name}?type={type}`,
    uploadUrl: `${origin}/jmap/upload/{accountId}`,
    eventSourceUrl: `${origin}/jmap/eventsource?types={types}&closeafter={closeafter}&ping={ping}`,
    state: await sessionStateOf(services, identity),
  };
}
