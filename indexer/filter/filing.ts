/**
 * Per-account filing: runs the account's active script, and its vacation response, on a message that is being delivered. `decide` does what takes
 * time (reading the script, writing answers, uploading); `apply` then puts all of it into the delivering commit: memberships, messages that
 * leave, and what is remembered. Nothing leaves without the commit, and the commit happens once.
 *
 * A script that fails keeps the message where it would be without one; why is kept in the account (`satchel sieve list` shows it), and told.
 */
import {
  noVacation,
  type VacationSettings,
  vacationResponseId,
  vacationResponseType,
} from '../../protocol/jmap/schema/vacation-response.ts';
import { wrapBase64 } from '../../protocol/jmap/transfer-writer.ts';
import type { AccountId, EmailNumber, MailboxNumber, Uid } from '../../protocol/mail/ids.ts';
import { keywordOf } from '../../protocol/mail/keywords.ts';
import type { Script } from '../../protocol/sieve/compile.ts';
import { vacationSecondsDefault } from '../../protocol/sieve/limits.ts';
import { runScript } from '../../protocol/sieve/machine.ts';
import type { Action, FileCopy, Outcome, VacationAction } from '../../protocol/sieve/outcome.ts';
import { SieveError } from '../../protocol/sieve/syntax.ts';
import type { Account, AccountReader, AccountTransactor, PreparedBlob, Upload } from '../../storage/account/api.ts';
import type { Clock } from '../../storage/clock.ts';
import type { DeliveryFacts } from '../../storage/log/record.ts';
import { enqueue } from '../../storage/outbox/outbox.ts';
import type { SubmissionOrigin } from '../../storage/outbox/record.ts';
import type { Random } from '../../storage/random.ts';
import { activeScript, failureType, type ScriptFailure, scriptByName } from '../../storage/sieve/scripts.ts';
import { forwardedMessage, isLooping, markedMessage } from '../forwarding.ts';
import { type ParsedMessage, parseMessage } from '../parse-message.ts';
import { mayBounce } from '../rules/service-mail.ts';
import { type Answer, mayBeAnswered, notification, type Original, rejection, vacationAnswer, type Writer } from './answers.ts';
import { CompiledScripts } from './compiled.ts';
import { mailboxExists, resolveTarget, specialUseExists } from './mailboxes.ts';
import { isRemembered, remember } from './memory.ts';

export interface FilingPorts {
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Pick<Random, 'hex'>;
  readonly hostName: string;
  readonly version: string;
  /** The account's addresses, the primary one first, and its name. */
  readonly owner: (account: AccountId) => { readonly addresses: readonly string[]; readonly name: string };
  /** Whether the address is in a domain of this directory. */
  readonly isLocal: (address: string) => boolean;
  readonly observe?: (event: FilingEvent) => void;
}

export type FilingEvent =
  | {
      readonly kind: 'filed';
      readonly account: AccountId;
      readonly messageId: string;
      readonly actions: readonly string[];
      readonly steps: number;
    }
  | {
      readonly kind: 'scriptFailed';
      readonly account: AccountId;
      readonly script: string;
      readonly messageId: string;
      readonly reason: string;
    };

export interface FiledMessage {
  readonly bytes: Buffer;
  readonly blob: PreparedBlob;
  readonly parsed: ParsedMessage;
  readonly facts: DeliveryFacts;
  /** The recipient's address. */
  readonly address: string;
  readonly placement: 'inbox' | 'junk';
  readonly receivedAt: number;
}

export type Filed =
  /** `email`: the first that was made. */
  | { readonly kind: 'kept'; readonly email: EmailNumber; readonly mailbox: MailboxNumber }
  /** The script wanted it nowhere here. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'rejected'; readonly reason: string };

export interface Filing {
  readonly uploads: readonly PreparedBlob[];
  /** Inside the delivering mutation; may run several times. `usual` is where the message goes without a script. */
  apply(tx: AccountTransactor, usual: (tx: AccountTransactor) => MailboxNumber): Filed;
}

/** Something that leaves, with its bytes in the store. */
interface Departure {
  readonly origin: SubmissionOrigin;
  readonly upload: Upload;
  readonly id: string;
  readonly messageId: string;
  readonly mailFrom: string;
  readonly to: readonly string[];
  /** Sent only where this is not remembered, and then remembered for so long. */
  readonly once?: { readonly name: string; readonly seconds: number };
  readonly copy?: { readonly to: FileCopy; readonly parsed: ParsedMessage; readonly receivedAt: number };
}

interface Version {
  readonly blob: PreparedBlob;
  readonly parsed: ParsedMessage;
}

export class Filter {
  readonly compiled = new CompiledScripts();
  readonly #ports: FilingPorts;

  constructor(ports: FilingPorts) {
    this.#ports = ports;
  }

  /** Undefined where the account has neither a script nor a vacation response that is on: the usual applies. */
  async decide(account: Account, message: FiledMessage): Promise<Filing | undefined> {
    const [active, vacation] = account.read((reader) => [activeScript(reader), vacationOf(reader)]);
    const now = this.#ports.clock.now();
    const answers = isOn(vacation, now) ? vacationActionOf(vacation) : undefined;
    if (active === undefined && answers === undefined) return undefined;
    const script = active === undefined ? undefined : await this.compiled.of(account, active);
    const included = script === undefined || script instanceof SieveError ? new Map() : await this.#included(account, script);
    const outcome = script === undefined ? keepOnly(message) : this.#run(account, script, included, message, now);
    if (outcome instanceof SieveError) return this.#keepAfterFailure(account, active?.name ?? '', outcome, message, now);
    const isRefused = outcome.actions.some((action) => action.do === 'reject' || action.do === 'ereject' || action.do === 'vacation');
    const actions = answers === undefined || isRefused ? outcome.actions : [...outcome.actions, answers];
    return this.#prepare(account, { ...outcome, actions }, message, now);
  }

  /** Every script of the account that includes may reach: read before the run, which waits for nothing. */
  async #included(account: Account, script: Script): Promise<Map<string, Script | SieveError>> {
    const found = new Map<string, Script | SieveError>();
    if (!script.requires.has('include')) return found;
    for (const name of account.read((reader) => [...reader.objects<{ name: string }>('SieveScript')].map(({ value }) => value.name))) {
      const record = account.read((reader) => scriptByName(reader, name));
      const compiled = record === undefined ? undefined : await this.compiled.of(account, record);
      if (compiled !== undefined) found.set(name, compiled);
    }
    return found;
  }

  #run(
    account: Account,
    script: Script | SieveError,
    included: ReadonlyMap<string, Script | SieveError>,
    message: FiledMessage,
    now: number,
  ): Outcome | SieveError {
    if (script instanceof SieveError) return script;
    const { facts, address, bytes, parsed } = message;
    const domain = address.slice(address.lastIndexOf('@') + 1);
    try {
      return account.read((reader) =>
        runScript(script, {
          raw: bytes,
          root: parsed.facts.root,
          envelopeFrom: facts.envelopeFrom,
          envelopeTo: address,
          spamScore: spamScoreOf(facts.spam),
          virusScore: virusScoreOf(facts.virus),
          now,
          environment: {
            name: 'Satchel',
            version: this.#ports.version,
            location: 'MDA',
            phase: 'during',
            host: this.#ports.hostName,
            domain,
          },
          mailboxExists: (name) => mailboxExists(reader, name),
          specialUseExists: (name, uses) => specialUseExists(reader, name, uses),
          isTracked: (name) => isRemembered(reader, `duplicate ${name}`, now),
          script(name) {
            const found = included.get(name);
            // RFC 6609 §3.2: :optional is for a script that is missing, not for a broken one.
            if (found instanceof SieveError) throw new SieveError(found.line, `in the script ${JSON.stringify(name)}: ${found.reason}`);
            return found;
          },
        }),
      );
    } catch (error) {
      if (error instanceof SieveError) return error;
      throw error;
    }
  }

  #keepAfterFailure(account: Account, script: string, error: SieveError, message: FiledMessage, now: number): Filing {
    const messageId = message.parsed.facts.messageIds[0] ?? '';
    const reason = error.message.slice(0, 500);
    this.#ports.observe?.({ kind: 'scriptFailed', account: account.id, script, messageId, reason });
    const failure: ScriptFailure = { at: now, script, reason, messageId };
    return {
      uploads: [],
      apply(tx, usual) {
        tx.putObject(failureType, 'last', failure);
        const mailbox = usual(tx);
        return { kind: 'kept', email: add(tx, message, { blob: message.blob, parsed: message.parsed }, [mailbox], []).id, mailbox };
      },
    };
  }

  async #prepare(account: Account, outcome: Outcome, message: FiledMessage, now: number): Promise<Filing> {
    const { bytes, parsed, facts } = message;
    const original: Original = {
      header: bytes.subarray(0, parsed.facts.headerOctets),
      facts: parsed.facts,
      envelopeFrom: facts.envelopeFrom,
    };
    const { addresses, name } = this.#ports.owner(account.id);
    const own = addresses[0] ?? message.address;
    const writer = (): Writer => ({
      address: addresses.includes(message.address.toLowerCase()) ? message.address : own,
      name,
      addresses,
      hostName: this.#ports.hostName,
      now,
      token: this.#ports.random.hex(10),
    });
    const versions = new Map<Buffer, Version>([[bytes, { blob: message.blob, parsed }]]);
    const departures: Departure[] = [];
    const depart = async (origin: SubmissionOrigin, answer: Answer, more: Pick<Departure, 'mailFrom' | 'once'>, copy?: FileCopy) => {
      const upload = await account.upload(answer.bytes);
      const kept = copy === undefined ? {} : { copy: { to: copy, parsed: await parseMessage(answer.bytes), receivedAt: now } };
      departures.push({ origin, upload, id: this.#ports.random.hex(10), messageId: answer.messageId, to: answer.to, ...more, ...kept });
    };
    let rejected: string | undefined;
    let isRejectionSent = false;
    let isHeld = false;
    const told: string[] = [];
    for (const action of outcome.actions) {
      told.push(sentenceOf(action));
      switch (action.do) {
        case 'keep':
        case 'fileinto':
          if (!versions.has(action.bytes)) {
            versions.set(action.bytes, {
              blob: await account.prepareBlob(action.bytes, outcome.actions.length + 1),
              parsed: await parseMessage(action.bytes),
            });
          }
          break;
        case 'redirect': {
          const isLocal = this.#ports.isLocal(action.address);
          const isHarmful = facts.spam === 'FAIL' || facts.virus === 'FAIL';
          if (isLooping(action.bytes, own) || (isHarmful && !isLocal)) {
            // It was here before, or would speak against us elsewhere: it is kept instead.
            isHeld = true;
            break;
          }
          const passed = isLocal ? markedMessage(action.bytes, own) : forwardedMessage(action.bytes, own);
          // Reports of outside come to him who redirects; RFC 5321 §6.1: what must not be answered stays so.
          const mailFrom = isLocal ? (facts.envelopeFrom ?? '') : facts.envelopeFrom === '' ? '' : own;
          await depart('redirect', { bytes: passed, messageId: parsed.facts.messageIds[0] ?? '', to: [action.address] }, { mailFrom });
          break;
        }
        case 'vacation': {
          const mine = [...addresses, ...(isOwn(message.address, addresses) ? [message.address] : []), ...action.addresses];
          if (message.placement === 'junk' || facts.spam === 'FAIL' || !mayBeAnswered(original, mine)) break;
          const once = { name: `vacation ${action.handle} ${(facts.envelopeFrom ?? '').toLowerCase()}`, seconds: action.seconds };
          if (account.read((reader) => isRemembered(reader, once.name, now))) break;
          await depart('vacation', vacationAnswer(action, original, writer()), { mailFrom: '', once }, action.fileCopy);
          break;
        }
        case 'notify': {
          // RFC 5436 §2.2: no notification of a notification.
          const isAutomatic = /^auto-submitted:[ \t]*auto-(?:notified|replied)/im.test(original.header.toString('latin1'));
          const answer = isAutomatic ? undefined : notification(action, original, writer());
          if (answer !== undefined) await depart('notify', answer, { mailFrom: '' }, action.fileCopy);
          break;
        }
        case 'reject':
        case 'ereject':
          rejected = action.reason;
          if (facts.source !== 'lmtp' && (facts.source === 'submission' ? facts.envelopeFrom : isGenuine(facts, message))) {
            await depart('reject', rejection(action.reason, original, writer()), { mailFrom: '' });
            isRejectionSent = true;
          }
          break;
        case 'discard':
          break;
      }
    }
    this.#ports.observe?.({
      kind: 'filed',
      account: account.id,
      messageId: parsed.facts.messageIds[0] ?? '',
      actions: told,
      steps: outcome.steps,
    });
    const uploads = [
      ...departures.map(({ upload }) => upload),
      ...[...versions.values()].map(({ blob }) => blob).filter((blob) => blob !== message.blob),
    ];
    return {
      uploads,
      apply(tx, usual) {
        for (const { name: tracked, seconds, isRenewed } of outcome.tracked) {
          if (isRenewed || !isRemembered(tx, `duplicate ${tracked}`, tx.at)) remember(tx, `duplicate ${tracked}`, seconds);
        }
        for (const departure of departures) leave(tx, departure);
        if (rejected !== undefined) {
          if (facts.source === 'lmtp') return { kind: 'rejected', reason: rejected };
          if (isRejectionSent) return { kind: 'gone' };
          // Nobody can be told: it is kept, out of the way.
          const mailbox = resolveTarget(tx, { mailbox: 'Junk', mayCreate: true, specialUse: '\\junk' }) ?? usual(tx);
          return { kind: 'kept', email: add(tx, message, versions.get(bytes)!, [mailbox], []).id, mailbox };
        }
        return place(tx, outcome.actions, versions, message, usual, isHeld);
      },
    };
  }
}

/** The copies that the actions want: one email for each version of the bytes, in all its mailboxes, with all its flags. */
function place(
  tx: AccountTransactor,
  actions: readonly Action[],
  versions: ReadonlyMap<Buffer, Version>,
  message: FiledMessage,
  usual: (tx: AccountTransactor) => MailboxNumber,
  isHeld: boolean,
): Filed {
  let first: Filed = { kind: 'gone' };
  const wanted = new Map<Buffer, { mailboxes: Set<MailboxNumber>; deleted: Set<MailboxNumber>; flags: string[] }>();
  const want = (bytes: Buffer, mailbox: MailboxNumber, flags: readonly string[]) => {
    const entry = wanted.get(bytes) ?? { mailboxes: new Set(), deleted: new Set(), flags: [] };
    wanted.set(bytes, entry);
    entry.mailboxes.add(mailbox);
    entry.flags.push(...flags);
    if (flags.some((flag) => flag.toLowerCase() === '\\deleted')) entry.deleted.add(mailbox);
  };
  for (const action of actions) {
    if (action.do === 'keep') want(action.bytes, usual(tx), action.flags ?? []);
    // Where the mailbox is missing, the message must not be.
    else if (action.do === 'fileinto') want(action.bytes, resolveTarget(tx, action) ?? usual(tx), action.flags ?? []);
  }
  if (isHeld && wanted.size === 0) want(message.bytes, usual(tx), []);
  for (const [bytes, { mailboxes, deleted, flags }] of wanted) {
    const places = [...mailboxes];
    const { id, uids } = add(tx, message, versions.get(bytes)!, places, flags);
    for (const mailbox of deleted) {
      const uid = uids[places.indexOf(mailbox)] as Uid;
      tx.changeFlags(mailbox, [[uid, uid]], { deleted: true });
    }
    if (first.kind === 'gone') first = { kind: 'kept', email: id, mailbox: places[0]! };
  }
  return first;
}

function add(
  tx: AccountTransactor,
  message: FiledMessage,
  version: Version,
  mailboxes: readonly MailboxNumber[],
  flags: readonly string[],
) {
  const isJunk = mailboxes.every((mailbox) => tx.mailbox(mailbox)?.role === 'junk');
  const keywords = new Set(flags.flatMap((flag) => keywordOf(flag) ?? []));
  if (isJunk) keywords.add('$junk');
  return tx.addEmail({
    blob: version.blob.ref,
    receivedAt: message.receivedAt,
    keywords: [...keywords],
    mailboxes,
    ...version.parsed,
    delivery: { ...message.facts, envelopeTo: message.address },
  });
}

function leave(tx: AccountTransactor, { origin, upload, id, messageId, mailFrom, to, once, copy }: Departure): void {
  if (once !== undefined) {
    // Looked at again: another message may have been answered since.
    if (isRemembered(tx, once.name, tx.at)) return;
    if (once.seconds > 0) remember(tx, once.name, once.seconds);
  }
  const address = (email: string) => ({ email, parameters: null });
  enqueue(tx, { id, origin, blob: upload.ref, messageId, envelope: { mailFrom: address(mailFrom), rcptTo: to.map(address) } });
  if (copy === undefined) return;
  const mailbox = resolveTarget(tx, copy.to) ?? tx.mailboxByRole('inbox')!.id;
  const keywords = copy.to.flags.flatMap((flag) => keywordOf(flag) ?? []);
  tx.addEmail({ blob: upload.ref, receivedAt: copy.receivedAt, keywords, mailboxes: [mailbox], ...copy.parsed });
}

/** Whether an address is the owner's, with a detail or by a catch-all; a group that he is in is not. */
function isOwn(address: string, addresses: readonly string[]): boolean {
  const bare = address.toLowerCase().replace(/\+[^@]*@/, '@');
  return addresses.includes(bare) || addresses.includes(`*${bare.slice(bare.lastIndexOf('@'))}`);
}

function sentenceOf(action: Action): string {
  switch (action.do) {
    case 'fileinto':
      return `fileinto ${action.mailbox}`;
    case 'redirect':
      return `redirect ${action.address}`;
    default:
      return action.do;
  }
}

const keepOnly = ({ bytes }: FiledMessage): Outcome => ({ actions: [{ do: 'keep', flags: undefined, bytes }], tracked: [], steps: 0 });

/** RFC 5235 §3.2: 0 was not tested, 1 is clear, 10 is spam. */
function spamScoreOf(verdict: string | undefined): number {
  const scores: Readonly<Record<string, number>> = { PASS: 1, GRAY: 5, FAIL: 10 };
  return scores[verdict?.toUpperCase() ?? ''] ?? 0;
}

/** RFC 5235 §3.3: 1 has none, 4 may have one, 5 has one. */
function virusScoreOf(verdict: string | undefined): number {
  const scores: Readonly<Record<string, number>> = { PASS: 1, GRAY: 4, FAIL: 5 };
  return scores[verdict?.toUpperCase() ?? ''] ?? 0;
}

/** Whether the envelope's sender may be told, and is who the message says: DMARC's alignment, or SPF of a domain that is From's, or above it. */
function isGenuine({ dmarc, spf, envelopeFrom, ...others }: DeliveryFacts, { bytes, parsed: { facts } }: FiledMessage): boolean {
  if (!mayBounce(envelopeFrom, { dmarc, spf, ...others }, bytes)) return false;
  if (dmarc === 'PASS') return true;
  const host = facts.envelope.from?.flatMap((address) => ('host' in address ? [address.host.toLowerCase()] : []))[0];
  const sender = envelopeFrom?.split('@').at(-1)?.toLowerCase();
  return spf === 'PASS' && host !== undefined && sender !== undefined && (host === sender || sender.endsWith(`.${host}`));
}

function vacationOf(reader: AccountReader): VacationSettings {
  return { ...noVacation, ...reader.object<VacationSettings>(vacationResponseType, vacationResponseId) };
}

function isOn({ isEnabled, fromDate, toDate }: VacationSettings, now: number): boolean {
  return isEnabled && (fromDate === null || Date.parse(fromDate) <= now) && (toDate === null || now < Date.parse(toDate));
}

/** RFC 8621 §8, as the action of RFC 5230 that it stands for. */
function vacationActionOf({ subject, textBody, htmlBody, fromDate }: VacationSettings): VacationAction {
  const text = textBody ?? (htmlBody === null ? 'I am away, and will answer when I am back.' : '');
  const encoded = (type: string, body: string) =>
    `Content-Type: ${type}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n${wrapBase64(Buffer.from(body))}\r\n`;
  const html = htmlBody === null ? undefined : encoded('text/html', htmlBody);
  const both = html !== undefined && text !== '';
  const reason = both
    ? `Content-Type: multipart/alternative; boundary="=_vacation"\r\n\r\n--=_vacation\r\n${encoded('text/plain', text)}--=_vacation\r\n${html}--=_vacation--\r\n`
    : (html ?? text);
  return {
    do: 'vacation',
    // Each absence answers anew.
    handle: `JMAP ${fromDate ?? ''}`,
    seconds: vacationSecondsDefault,
    subject: subject === null || subject.trim() === '' ? undefined : subject,
    from: undefined,
    addresses: [],
    isMime: html !== undefined,
    reason,
    fileCopy: undefined,
  };
}
