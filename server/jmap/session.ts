/** The session resource (RFC 8620 §2): what this server can, for the account that asks. Only what works is named. */
import { hash } from 'node:crypto';
import { collations } from '../../protocol/jmap/collation.ts';
import * as limits from '../../protocol/jmap/limits.ts';
import { emailSorts } from '../../protocol/jmap/schema/email.ts';
import type { Identity } from '../auth/authenticator.ts';
import { coreCapability, mailCapability } from './method.ts';

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

/** Changes when anything in the session resource does (RFC 8620 §3.4). */
export function sessionStateOf({ accountId, address, name }: Identity): string {
  return hash('sha256', JSON.stringify([accountId, address, name, capabilities, mailAccountCapability]), 'hex').slice(0, 16);
}

/** `origin`: `https://mail.example.com`, as the client reached us. */
export function sessionOf(identity: Identity, origin: string): object {
  const { accountId, address } = identity;
  return {
    capabilities,
    accounts: {
      [accountId]: {
        name: address,
        isPersonal: true,
        isReadOnly: false,
        accountCapabilities: { [coreCapability]: {}, [mailCapability]: mailAccountCapability },
      },
    },
    primaryAccounts: { [coreCapability]: accountId, [mailCapability]: accountId },
    username: address,
    apiUrl: `${origin}/jmap/api`,
    downloadUrl: `${origin}/jmap/download/{accountId}/{blobId}/{name}?type={type}`,
    uploadUrl: `${origin}/jmap/upload/{accountId}`,
    eventSourceUrl: `${origin}/jmap/eventsource?types={types}&closeafter={closeafter}&ping={ping}`,
    state: sessionStateOf(identity),
  };
}
