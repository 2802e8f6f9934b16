/**
 * One client's IMAP session: takes commands in order, looks up their rows, carries them out and answers. Commands of a row with `begin` may be under
 * way together; their answers come in the order of the commands. Everything else waits for what was begun before it. Between a command's outcome and
 * its tagged answer the client is told what has changed in the selected mailbox, as far as RFC 9051 §7.5.1 allows.
 */

import type { NotifyGroup } from '../../protocol/imap/commands/notify.ts';
import type { FetchAttribute } from '../../protocol/imap/fetch-attribute.ts';
import { overlappingCommandsMax } from '../../protocol/imap/limits.ts';
import { encodeMailboxName } from '../../protocol/imap/mailbox-name.ts';
import type { ByteWriter } from '../../protocol/imap/wire/byte-writer.ts';
import { InvariantError, ProtocolError } from '../../protocol/mail/errors.ts';
import type { MailboxNumber } from '../../protocol/mail/ids.ts';
import type { Ranges } from '../../protocol/mail/ranges.ts';
import type { Account } from '../../storage/account/api.ts';
import type { Identity } from '../auth/authenticator.ts';
import type { Logger } from '../logger.ts';
import type { Connection } from '../net/connection.ts';
import { capabilities } from './capability.ts';
import type { AnyCommandRow, CapabilityContext, Invocation, SessionState } from './command.ts';
import { commandRows, rowOf } from './commands/index.ts';
import { fetchMessages } from './fetch/fetch.ts';
import { type Incoming, Input } from './input.ts';
import type { MailboxView } from './mailbox-view.ts';
import { Output } from './output.ts';
import { ReachNews } from './reach-news.ts';
import { answered, type Refusal, type Reply, refusalOf } from './refusal.ts';
import type { ImapServices } from './services.ts';
import { UidRequired } from './uid-only.ts';

export class Session {
  readonly connection: Connection;
  readonly services: ImapServices;
  readonly output: Output;
  readonly input: Input;
  logger: Logger;
  identity: Identity | undefined;
  /** RFC 7162 §3.1: the client has shown that it knows mod-sequences. */
  isCondstore = false;
  /** RFC 7162 §3.2.3: enabled. */
  isQresync = false;
  /** RFC 9586 is enabled: message numbers are neither told nor taken. */
  isUidOnly = false;
  /** RFC 9755, or RFC 9051, is enabled: names are UTF-8, and quoted strings may be. */
  acceptsUtf8 = false;
  /** RFC 9051 is enabled: what RFC 3501 had and it has not is left out. */
  #isRev2 = false;
  loginFailures = 0;
  /** Untagged responses come at once and not only with an answer. */
  isIdle = false;
  #account: Account | undefined;
  #view: MailboxView | undefined;
  #isOver = false;
  #isNewsDue = false;
  /** A command is under way: what is news is told with its answer. */
  #isBusy = false;
  /** What is told beside the selected mailbox, to who has asked for it. */
  news: ReachNews | undefined;
  /** Events of the selected mailbox: all as long as NOTIFY was never used (RFC 5465 §3.1). */
  #selectedEvents: SelectedEvents = allEvents;
  #farewell: string | undefined;
  /** Settles when all begun commands are answered. Never rejects. */
  #begun: Promise<void> = Promise.resolve();
  #begunCount = 0;
  /** The last uploaded APPEND's turn to commit: see commands/append.ts. */
  appendTurn: Promise<unknown> = Promise.resolve();

  constructor(connection: Connection, services: ImapServices) {
    this.connection = connection;
    this.services = services;
    this.logger = services.logger.child({ remote: connection.remote });
    this.output = new Output(connection);
    this.input = new Input(connection, this.output, services);
  }

  get state(): SessionState {
    if (this.#account === undefined) return 'notAuthenticated';
    return this.#view === undefined ? 'authenticated' : 'selected';
  }

  /** Of the states 'authenticated' and 'selected'. */
  get account(): Account {
    if (this.#account === undefined) throw new InvariantError('a command that needs an account ran before login');
    return this.#account;
  }

  /** Of the state 'selected'. */
  get view(): MailboxView {
    if (this.#view === undefined) throw new InvariantError('a command that needs a mailbox ran before SELECT');
    return this.#view;
  }

  get selectedView(): MailboxView | undefined {
    return this.#view;
  }

  logIn(identity: Identity, account: Account): void {
    this.identity = identity;
    this.#account = account;
    this.logger = this.logger.child({ account: identity.address });
    this.input.trust();
    this.connection.setDeadline(this.services.idleTimeoutMs, this.#onSilence);
  }

  /** RFC 5465 §3.1: `selected` undefined is the same as SELECTED NONE. */
  notify(groups: readonly NotifyGroup[], selected: NotifyGroup | undefined): Promise<void> | undefined {
    const opened = this.watchAccount().set(groups);
    const { events = [], attributes = [] } = selected ?? {};
    this.#selectedEvents = {
      messages: events.includes('MessageNew'),
      flags: events.includes('FlagChange'),
      isImmediate: true,
      mayExpungeAtOnce: selected?.filter.kind === 'selected',
      attributes,
    };
    return opened;
  }

  /** Messages that this client added: it need not be told what is in them (RFC 5465 §5.2). */
  noteOwnUids(account: Account, mailbox: MailboxNumber, uids: readonly number[]): void {
    if (this.#selectedEvents.attributes.length > 0 && this.isSelected(account, mailbox)) this.#view!.noteOwnUids(uids);
  }

  isSelected(account: Account, mailbox: MailboxNumber): boolean {
    return this.#view?.mailbox === mailbox && this.#view.account === account;
  }

  watchAccount(): ReachNews {
    this.news ??= new ReachNews(this, this.#onNews);
    return this.news;
  }

  select(view: MailboxView): void {
    this.unselect();
    this.#view = view;
    view.tellsRecent = !this.#isRev2;
  }

  unselect(): void {
    this.#view?.[Symbol.dispose]();
    this.#view = undefined;
  }

  /** Ends the session after the current answer. */
  end(): void {
    this.#isOver = true;
  }

  /** Ends it from outside, with a word to the client: shutdown. */
  sayBye(text: string): void {
    this.#farewell = text;
    this.#isOver = true;
    this.output.untagged(`BYE ${text}`);
    this.output.send();
    void this.connection[Symbol.asyncDispose]();
  }

  readonly #onSilence = (): void => {
    this.sayBye('Nothing was said for too long.');
  };

  capabilities(): readonly string[] {
    const context: CapabilityContext = {
      messageBytesMax: this.services.messageBytesMax,
      nonSynchronizingLiterals: this.services.nonSynchronizingLiterals,
      messagesMax: this.services.messagesMax,
      canStartTls: this.services.secureContext !== undefined && !this.connection.isTls,
      isProtected: this.connection.isProtected,
      canBind: this.connection.canBind,
      takesTokens: this.services.authenticator.bearer !== undefined,
      isLoggedIn: this.#account !== undefined,
      isCompressed: this.connection.isCompressed,
      hasJmap: this.services.jmapSessionUrl !== undefined,
    };
    return capabilities(commandRows, context);
  }

  get isRev2(): boolean {
    return this.#isRev2;
  }

  enableRev2(): void {
    this.#isRev2 = true;
    this.acceptsUtf8 = true;
    if (this.#view !== undefined) this.#view.tellsRecent = false;
  }

  /** A mailbox name into `out`, as this client reads names. */
  writeMailboxName(name: string): void {
    this.writeMailboxNameTo(this.output, name);
  }

  writeMailboxNameTo(out: ByteWriter, name: string): void {
    if (this.acceptsUtf8) out.utf8String(name);
    else out.string(encodeMailboxName(name));
  }

  /** Serves the client until it leaves. Never rejects for what a client does. */
  async run(): Promise<void> {
    this.connection.setDeadline(this.services.loginTimeoutMs, this.#onSilence);
    this.output.untagged(`OK [CAPABILITY ${this.capabilities().join(' ')}] ${this.services.hostname} ready`);
    try {
      while (!this.#isOver) {
        const incoming = await this.input.next();
        if (this.#isOver) break;
        this.#isBusy = true;
        await this.#serve(incoming);
        this.#isBusy = false;
        if (this.news !== undefined) this.#onNews();
      }
      await this.#begun;
    } finally {
      this.unselect();
      this.news?.[Symbol.dispose]();
      this.output.send();
    }
  }

  async #serve(incoming: Incoming): Promise<void> {
    switch (incoming.kind) {
      case 'command':
        return this.#start(incoming);
      case 'refused':
        await this.#begun;
        this.output.reply(incoming.tag, incoming.reply);
        return;
      case 'end':
        await this.#begun;
        if (incoming.farewell !== undefined) this.output.untagged(`BYE ${incoming.farewell}`);
        this.end();
        return;
    }
  }

  async #start({ tag, name, scanner }: Incoming & { kind: 'command' }): Promise<void> {
    const row = rowOf(name);
    const invocation: Invocation = { session: this, tag, name, isUid: name.startsWith('UID ') };
    if (row?.begin === undefined || !row.states.includes(this.state)) await this.#begun;
    try {
      if (row === undefined) throw new ProtocolError(`${name} is no command that this server knows`);
      if (!row.states.includes(this.state)) throw new ProtocolError(wrongState(name, this.state));
      if (this.isUidOnly && row.takesNumbers && !invocation.isUid) throw new UidRequired();
      const args = row.decode(scanner, { acceptsUtf8: this.acceptsUtf8, isRev2: this.#isRev2 }, name);
      if (row.begin === undefined)
        this.#answer(invocation, row, await this.#whileWorking(invocation, row, async () => row.run(invocation, args)), true);
      else await this.#begin(invocation, row, row.begin(invocation, args));
    } catch (error) {
      await this.#begun;
      this.#answer(invocation, row, this.#refuse(error, name), true);
    }
  }

  /** Puts the end of a begun command into the queue; waits only while too many are under way. */
  async #begin(invocation: Invocation, row: AnyCommandRow, finish: () => Promise<Reply | undefined>): Promise<void> {
    this.#begunCount += 1;
    // Started now, so that a failure has an owner however long its turn takes to come.
    const settled = this.#begun.then(async () => {
      let reply: Reply | undefined;
      try {
        reply = await this.#whileWorking(invocation, row, finish);
      } catch (error) {
        reply = this.#refuse(error, invocation.name);
      }
      this.#begunCount -= 1;
      // A later command may have named messages by numbers: they hold until it is answered.
      this.#answer(invocation, row, reply, this.#begunCount === 0);
    });
    this.#begun = settled;
    if (this.#begunCount >= overlappingCommandsMax) await settled;
  }

  /** RFC 9585: tells the client now and then that its command is under way, so that it does not give up. Between awaits responses are whole. */
  async #whileWorking<T>({ tag }: Invocation, row: AnyCommandRow, work: () => Promise<T>): Promise<T> {
    if (row.isConversation) return work();
    const timer = setInterval(() => this.output.untagged(`OK [INPROGRESS ("${tag}" NIL NIL)] Still at work.`), this.services.progressMs);
    try {
      return await work();
    } finally {
      clearInterval(timer);
    }
  }

  #answer({ tag, name, isUid }: Invocation, row: AnyCommandRow | undefined, reply: Reply | undefined, isAlone: boolean): void {
    if (reply === answered) return;
    const holdsSequence = row?.sequences === 'hold' && !isUid;
    const mayExpunge = isAlone && !holdsSequence && reply?.status !== 'BAD';
    this.tellChanges(mayExpunge, removes(name));
    this.output.reply(tag, reply ?? { status: 'OK', text: `${name} completed` });
    if (this.#isOver || this.#farewell !== undefined) return;
    if (this.#view?.isGone) {
      // RFC 9051 §6.3.5 leaves it open what becomes of those who have a deleted mailbox selected.
      this.output.untagged(`BYE ${goneText}`);
      this.end();
    }
  }

  /** Untagged responses about what has changed. `isAnswer`: the client's own command removed messages, which it hears of in any case. */
  tellChanges(mayExpunge: boolean, isAnswer = false): void {
    const view = this.#view;
    const { messages, flags, attributes } = this.#selectedEvents;
    if (view !== undefined && !view.isGone && (messages || isAnswer)) {
      const { isUidOnly, isQresync } = this;
      const options = { withFlags: flags, withModSeq: this.isCondstore, asVanished: isQresync || isUidOnly, isUidOnly };
      const added = view.sync(this.output, { ...options, mayExpunge });
      if (attributes.length > 0 && added.length > 0) this.#fetchNew(view, attributes, added);
    }
    this.news?.tell();
    this.output.schedule();
  }

  /** RFC 5465 §5.2: what was asked for of new messages. Commands wait for it, so that the numbers hold. */
  #fetchNew(view: MailboxView, attributes: readonly FetchAttribute[], uids: Ranges): void {
    this.#begunCount += 1;
    this.#begun = this.#begun
      .then(async () => {
        if (this.#view === view) await fetchMessages(this, view, { attributes, indexes: view.indexesOfUids(uids), seen: [] });
      })
      .catch((error: unknown) => this.logger.error('new messages cannot be told', { error }))
      .finally(() => {
        this.#begunCount -= 1;
      });
  }

  /** The selected mailbox has changed. */
  readonly onMailboxChange = (): void => this.#onNews();

  /** News leave in this turn of the event loop, to who waits for them; a client that is behind hears of them when it has read. */
  readonly #onNews = (): void => {
    if (this.#isNewsDue || !this.#mayTellNow) return;
    this.#isNewsDue = true;
    setImmediate(() => this.#tellNews().catch((error: unknown) => this.logger.error('news cannot be told', { error })));
  };

  async #tellNews(): Promise<void> {
    if (this.connection.isBehind) await this.connection.drained();
    this.#isNewsDue = false;
    if (!this.#mayTellNow) return;
    if (this.#view?.isGone) this.sayBye(goneText);
    else this.tellChanges(this.isIdle || this.#selectedEvents.mayExpungeAtOnce);
    this.output.send();
  }

  /** RFC 2177: in IDLE. RFC 5465 §3.1: after NOTIFY also when no command is in progress. */
  get #mayTellNow(): boolean {
    if (this.#isOver) return false;
    return this.isIdle || (this.#selectedEvents.isImmediate && !this.#isBusy && this.#begunCount === 0);
  }

  #refuse(error: unknown, name: string): Reply {
    const refusal: Refusal = refusalOf(error);
    if (refusal.isReported) this.logger.error('command failed', { command: name, error });
    if (refusal.isFatal) {
      this.end();
      this.#farewell = refusal.text;
      this.output.untagged(`BYE ${refusal.text}`);
    }
    return refusal;
  }
}

const goneText = 'The selected mailbox was deleted, or is no longer shared.';

interface SelectedEvents {
  /** EXISTS and EXPUNGE are told. */
  readonly messages: boolean;
  readonly flags: boolean;
  /** Also when no command is in progress. */
  readonly isImmediate: boolean;
  readonly mayExpungeAtOnce: boolean;
  /** Of new messages. */
  readonly attributes: readonly FetchAttribute[];
}

const allEvents: SelectedEvents = { messages: true, flags: true, isImmediate: false, mayExpungeAtOnce: false, attributes: [] };

/** Commands that are answered with EXPUNGE. */
function removes(name: string): boolean {
  return /^(?:UID )?(?:EXPUNGE|MOVE|REPLACE)$/.test(name);
}

function wrongState(name: string, state: SessionState): string {
  switch (state) {
    case 'notAuthenticated':
      return `a login before ${name}`;
    case 'authenticated':
      return `a selected mailbox before ${name}`;
    case 'selected':
      return `${name} before login only`;
  }
}
