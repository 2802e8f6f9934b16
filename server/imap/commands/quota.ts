/**
 * GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208). An account has one quota root, of the empty name, where it has a limit; none without. Limits are the
 * administrator's, so that SETQUOTA is refused and QUOTASET not offered (§3.1.1).
 */
import { decodeMailboxArgument } from '../../../protocol/imap/commands/mailbox-argument.ts';
import { decodeGetQuota, decodeSetQuota } from '../../../protocol/imap/commands/quota.ts';
import { parseSharedName } from '../../../protocol/imap/mailbox-name.ts';
import { MailError } from '../../../protocol/mail/errors.ts';
import type { Quota } from '../../../protocol/mail/quota.ts';
import { defineCommand, loggedIn } from '../command.ts';
import { findMailbox } from '../mailbox-tree.ts';
import type { Session } from '../session.ts';

const rootName = '';
/** RFC 9208 §5.1: STORAGE counts in units of this many octets. */
const storageUnit = 1024;

export const getQuota = defineCommand({
  names: ['GETQUOTA'],
  states: loggedIn,
  capability: ['QUOTA', 'QUOTA=RES-STORAGE', 'QUOTA=RES-MESSAGE'],
  sequences: 'free',
  decode: decodeGetQuota,
  run({ session }, { root }) {
    const resources = root === rootName ? resourcesOf(session.account.read((reader) => reader.quota())) : [];
    if (resources.length === 0) throw new MailError('notFound', 'There is no quota root of this name.');
    writeQuota(session, resources);
    return undefined;
  },
});

/** RFC 9208 §4.1.2: also of a mailbox that is not there yet. */
export const getQuotaRoot = defineCommand({
  names: ['GETQUOTAROOT'],
  states: loggedIn,
  capability: [],
  sequences: 'free',
  decode: decodeMailboxArgument,
  run({ session }, { mailbox }) {
    // What others share counts for them: it has no root here.
    const isOthers = parseSharedName(mailbox) !== undefined && session.account.read((reader) => findMailbox(reader, mailbox)) === undefined;
    const resources = isOthers ? [] : resourcesOf(session.account.read((reader) => reader.quota()));
    session.output.ascii('* QUOTAROOT ');
    session.writeMailboxName(mailbox);
    session.output.ascii(resources.length === 0 ? '' : ` "${rootName}"`).crlf();
    if (resources.length > 0) writeQuota(session, resources);
    return undefined;
  },
});

export const setQuota = defineCommand({
  names: ['SETQUOTA'],
  states: loggedIn,
  capability: [],
  sequences: 'free',
  decode: decodeSetQuota,
  run() {
    throw new MailError('forbidden', 'Limits are set by the administrator of this server.');
  },
});

/** quota-resource = resource-name SP resource-usage SP resource-limit */
function resourcesOf({ limits, usage }: Quota): string[] {
  const resources: string[] = [];
  const units = (octets: number) => Math.ceil(octets / storageUnit);
  if (limits.octets !== null) resources.push(`STORAGE ${units(usage.octets)} ${Math.floor(limits.octets / storageUnit)}`);
  if (limits.messages !== null) resources.push(`MESSAGE ${usage.messages} ${limits.messages}`);
  return resources;
}

function writeQuota({ output }: Session, resources: readonly string[]): void {
  output.untagged(`QUOTA "${rootName}" (${resources.join(' ')})`);
}
