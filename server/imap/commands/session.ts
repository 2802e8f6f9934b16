/** Commands about the session itself: CAPABILITY, NOOP, LOGOUT, STARTTLS, ENABLE, ID, NAMESPACE, IDLE (RFC 9051 §6.1 to §6.3). */
import { decodeEnable } from '../../../protocol/imap/commands/enable.ts';
import { decodeId } from '../../../protocol/imap/commands/id.ts';
import { decodeNoArguments } from '../../../protocol/imap/commands/no-arguments.ts';
import { hierarchyDelimiter, otherUsersPrefix } from '../../../protocol/imap/mailbox-name.ts';
import { anyState, defineCommand, loggedIn } from '../command.ts';
import { answered } from '../refusal.ts';
import type { Session } from '../session.ts';

export const capability = defineCommand({
  names: ['CAPABILITY'],
  states: anyState,
  capability: [],
  sequences: 'free',
  decode: decodeNoArguments,
  run({ session }) {
    session.output.untagged(`CAPABILITY ${session.capabilities().join(' ')}`);
    return undefined;
  },
});

/** NOOP, and CHECK (RFC 3501 §6.4.1), which asks for what always holds here: every answered change is in the store. */
export const noop = defineCommand({
  names: ['NOOP'],
  states: anyState,
  // Of every command: see Session's #whileWorking.
  capability: ['INPROGRESS'],
  sequences: 'free',
  decode: decodeNoArguments,
  run: () => undefined,
});

export const check = defineCommand({
  names: ['CHECK'],
  states: ['selected'],
  capability: [],
  sequences: 'free',
  decode: decodeNoArguments,
  run: () => undefined,
});

export const logout = defineCommand({
  names: ['LOGOUT'],
  states: anyState,
  capability: [],
  sequences: 'free',
  decode: decodeNoArguments,
  run({ session }) {
    session.unselect();
    session.output.untagged('BYE Until next time.');
    session.end();
    return undefined;
  },
});

export const startTls = defineCommand({
  names: ['STARTTLS'],
  states: ['notAuthenticated'],
  capability: ({ canStartTls, isLoggedIn }) => (canStartTls && !isLoggedIn ? ['STARTTLS'] : []),
  sequences: 'free',
  decode: decodeNoArguments,
  async run({ session, tag }) {
    const { connection, services, output, input } = session;
    if (connection.isTls) return { status: 'BAD', text: 'TLS is on already.' };
    if (services.secureContext === undefined) return { status: 'NO', text: 'TLS is not available here.' };
    // Commands sent in the clear behind this one would be carried out as if they were protected (CVE-2011-0411).
    if (input.drop() > 0) return { status: 'BAD', text: 'Wait for the answer before you send more.' };
    output.reply(tag, { status: 'OK', text: 'Begin TLS now.' });
    output.send();
    try {
      await connection.startTls(services.secureContext());
    } catch (error) {
      session.logger.debug('TLS handshake failed', { error });
      session.end();
    }
    return answered;
  },
});

/** What ENABLE turns on (RFC 5161). */
const enablers: Readonly<Record<string, (session: Session) => void>> = {
  CONDSTORE: (session) => {
    session.isCondstore = true;
  },
  // RFC 7162 §3.2.3: it means CONDSTORE too.
  QRESYNC: (session) => {
    session.isCondstore = true;
    session.isQresync = true;
  },
  // RFC 9755 §3.
  'UTF8=ACCEPT': (session) => {
    session.acceptsUtf8 = true;
  },
  // RFC 5464 §4.4: annotations that others change are told.
  METADATA: (session) => {
    session.watchAccount().wantsMetadata = true;
  },
  // RFC 9586 §3.1.
  UIDONLY: (session) => {
    session.isUidOnly = true;
  },
  // RFC 9051 §6.3.1.
  IMAP4REV2: (session) => {
    session.enableRev2();
  },
};

/** Names in other than upper case. */
const spelling: Readonly<Record<string, string>> = { IMAP4REV2: 'IMAP4rev2' };

export const enable = defineCommand({
  names: ['ENABLE'],
  states: loggedIn,
  capability: ['ENABLE', 'IMAP4rev2', 'UTF8=ACCEPT', 'UIDONLY'],
  sequences: 'free',
  decode: decodeEnable,
  run({ session }, { capabilities }) {
    const enabled = [...new Set(capabilities)].filter((name) => Object.hasOwn(enablers, name));
    const knewModSeq = session.isCondstore;
    for (const name of enabled) enablers[name]!(session);
    session.output.untagged(['ENABLED', ...enabled.map((name) => spelling[name] ?? name)].join(' '));
    const view = session.selectedView;
    if (view !== undefined && session.isCondstore && !knewModSeq) {
      // RFC 7162 §3.1: in a selected mailbox, where the client goes on from. What came before is told before the answer.
      const modSeq = view.account.read((reader) => reader.mailbox(view.mailbox)?.highestModSeq);
      if (modSeq !== undefined) session.output.untagged(`OK [HIGHESTMODSEQ ${modSeq}] Highest.`);
    }
    return undefined;
  },
});

export const id = defineCommand({
  names: ['ID'],
  states: anyState,
  capability: ['ID'],
  sequences: 'free',
  decode: decodeId,
  run({ session }, { pairs }) {
    session.logger.debug('client', { id: Object.fromEntries(pairs.slice(0, 8)) });
    session.output.ascii('* ID ("name" "Satchel" "version" ').string(session.services.version).ascii(')').crlf();
    return undefined;
  },
});

/** RFC 9698: where the same mail is by JMAP. Ids are the same in both (OBJECTID). */
export const getJmapAccess = defineCommand({
  names: ['GETJMAPACCESS'],
  states: loggedIn,
  capability: ({ hasJmap, isLoggedIn }) => (hasJmap && isLoggedIn ? ['JMAPACCESS'] : []),
  sequences: 'free',
  decode: decodeNoArguments,
  run({ session }) {
    const { jmapSessionUrl } = session.services;
    if (jmapSessionUrl === undefined) return { status: 'BAD', text: 'There is no JMAP here.' };
    session.output.ascii('* JMAPACCESS ').string(jmapSessionUrl).crlf();
    return undefined;
  },
});

/** RFC 2342: the client's own mailboxes, and below their owners' addresses those that are shared with it. */
export const namespace = defineCommand({
  names: ['NAMESPACE'],
  states: loggedIn,
  capability: ['NAMESPACE'],
  sequences: 'free',
  decode: decodeNoArguments,
  run({ session }) {
    const delimiter = hierarchyDelimiter;
    session.output.untagged(`NAMESPACE (("" "${delimiter}")) (("${otherUsersPrefix}${delimiter}" "${delimiter}")) NIL`);
    return undefined;
  },
});

/** RFC 2177. What follows DONE in the same packet is the next command: iOS sends it so. */
export const idle = defineCommand({
  names: ['IDLE'],
  states: loggedIn,
  capability: ['IDLE'],
  sequences: 'free',
  isConversation: true,
  decode: decodeNoArguments,
  async run({ session }) {
    session.tellChanges(true);
    session.output.continuation('idling');
    session.isIdle = true;
    try {
      const line = await session.input.nextLine();
      if (line === undefined || line?.toString('latin1').toUpperCase() === 'DONE') return undefined;
      return { status: 'BAD', text: 'IDLE ends with DONE.' };
    } finally {
      session.isIdle = false;
    }
  },
});
