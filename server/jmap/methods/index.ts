/** All methods, one row each. A method is there when its row is. */
import type { Method } from '../method.ts';
import { blobCopy } from './blob/copy.ts';
import { blobGet } from './blob/get.ts';
import { blobLookup } from './blob/lookup.ts';
import { blobUpload } from './blob/upload.ts';
import { coreEcho } from './core/echo.ts';
import { emailChanges } from './email/changes.ts';
import { emailCopy } from './email/copy.ts';
import { emailGet } from './email/get.ts';
import { emailImport } from './email/import.ts';
import { emailParse } from './email/parse.ts';
import { emailQuery } from './email/query.ts';
import { emailQueryChanges } from './email/query-changes.ts';
import { emailSet } from './email/set.ts';
import { emailSubmissionChanges, emailSubmissionGet } from './email-submission/get.ts';
import { emailSubmissionQuery, emailSubmissionQueryChanges } from './email-submission/query.ts';
import { emailSubmissionSet } from './email-submission/set.ts';
import { identityChanges, identityGet, identitySet } from './identity/identity.ts';
import { mailboxChanges } from './mailbox/changes.ts';
import { mailboxGet } from './mailbox/get.ts';
import { mailboxQuery } from './mailbox/query.ts';
import { mailboxQueryChanges } from './mailbox/query-changes.ts';
import { mailboxSet } from './mailbox/set.ts';
import { mdnParse } from './mdn/parse.ts';
import { mdnSend } from './mdn/send.ts';
import { principalChanges, principalGet, principalSet } from './principal/principal.ts';
import { principalQuery, principalQueryChanges } from './principal/query.ts';
import { pushSubscriptionGet, pushSubscriptionSet } from './push-subscription/push-subscription.ts';
import { quotaChangesMethod, quotaGet, quotaQuery, quotaQueryChanges } from './quota/quota.ts';
import { searchSnippetGet } from './search-snippet/get.ts';
import { shareNotificationQuery, shareNotificationQueryChanges } from './share-notification/query.ts';
import { shareNotificationChanges, shareNotificationGet, shareNotificationSet } from './share-notification/share-notification.ts';
import { sieveScriptGet, sieveScriptValidate } from './sieve-script/get.ts';
import { sieveScriptQuery } from './sieve-script/query.ts';
import { sieveScriptSet } from './sieve-script/set.ts';
import { threadChanges } from './thread/changes.ts';
import { threadGet } from './thread/get.ts';
import { vacationResponseGet, vacationResponseSet } from './vacation-response/vacation-response.ts';

const rows: readonly Method[] = [
  coreEcho,
  pushSubscriptionGet,
  pushSubscriptionSet,
  blobCopy,
  blobUpload,
  blobGet,
  blobLookup,
  mailboxGet,
  mailboxChanges,
  mailboxQuery,
  mailboxQueryChanges,
  mailboxSet,
  threadGet,
  threadChanges,
  emailGet,
  emailChanges,
  emailQuery,
  emailQueryChanges,
  emailSet,
  emailCopy,
  emailImport,
  emailParse,
  searchSnippetGet,
  identityGet,
  identityChanges,
  identitySet,
  emailSubmissionGet,
  emailSubmissionChanges,
  emailSubmissionQuery,
  emailSubmissionQueryChanges,
  emailSubmissionSet,
  vacationResponseGet,
  vacationResponseSet,
  mdnSend,
  mdnParse,
  quotaGet,
  quotaChangesMethod,
  quotaQuery,
  quotaQueryChanges,
  principalGet,
  principalChanges,
  principalSet,
  principalQuery,
  principalQueryChanges,
  shareNotificationGet,
  shareNotificationChanges,
  shareNotificationSet,
  shareNotificationQuery,
  shareNotificationQueryChanges,
  sieveScriptGet,
  sieveScriptSet,
  sieveScriptQuery,
  sieveScriptValidate,
];

export const methods: ReadonlyMap<string, Method> = new Map(rows.map((row) => [row.name, row]));
