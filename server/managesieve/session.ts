/** One connection of ManageSieve (RFC 5804): greeting, STARTTLS, AUTHENTICATE, and commands on the scripts of who logged in, one after the other. */
import type { SecureContext } from 'node:tls';
import { decodeBase64 } from '../../protocol/imap/commands/authenticate.ts';
import { MailError, StorageError } from '../../protocol/mail/errors.ts';
import { capabilities, notifyMethods } from '../../protocol/sieve/extensions/index.ts';
import { redirectsMax } from '../../protocol/sieve/limits.ts';
import { formatString, type ManageArgument, type ManageEvent, ManageReader } from '../../protocol/sieve/manage/reader.ts';
import type { Account, Accounts } from '../../storage/account/api.ts';
import type { Random } from '../../storage/random.ts';
import type { Authenticator, Identity } from '../auth/authenticator.ts';
import { SaslExchange, type SaslReply, saslMechanismNames } from '../auth/sasl/exchange.ts';
import type { Logger } from '../logger.ts';
import type { Connection } from '../net/connection.ts';
import { commandRows, type Reply, refusalOf } from './commands.ts';
import { faultsMax, idleTimeoutMs, loginFailuresMax, strangerTimeoutMs } from './limits.ts';

export interface ManageSieveServices {
  readonly accounts: Accounts;
  readonly authenticator: Authenticator;
  readonly random: Pick<Random, 'hex'>;
  readonly logger: Logger;
  readonly version: string;
  /** Makes STARTTLS available. */
  readonly secureContext?: () => SecureContext;
}

export class Session {
  readonly #connection: Connection;
  readonly #services: ManageSieveServices;
  readonly #reader = new ManageReader();
  #user: { readonly identity: Identity; readonly account: Account } | undefined;
  #failures = 0;
  #faults = 0;
  #isEnded = false;
  #isBusy = false;

  constructor(connection: Connection, services: ManageSieveServices) {
    this.#connection = connection;
    this.#services = services;
  }

  async run(): Promise<void> {
    this.#setDeadline();
    this.#answer({ status: 'OK', text: 'Satchel is ready.', lines: this.#capabilities() });
    while (!this.#isEnded) {
      const event = await this.#next();
      if (event === undefined) return;
      this.#isBusy = true;
      const reply = await this.#carryOut(event);
      this.#isBusy = false;
      if (reply !== undefined) this.#answer(reply);
      await this.#connection.drained();
    }
  }

  /** Says farewell; a command that is being carried out is answered first. */
  sayBye(text: string): void {
    if (this.#isEnded) return;
    if (this.#isBusy) {
      this.#isEnded = true;
      return;
    }
    this.#end(text);
  }

  #end(text: string): void {
    if (!this.#connection.isClosed) this.#write({ status: 'BYE', text });
    this.#isEnded = true;
    void this.#connection[Symbol.asyncDispose]();
  }

  #setDeadline(): void {
    const ms = this.#user === undefined ? strangerTimeoutMs : idleTimeoutMs;
    this.#connection.setDeadline(ms, () => this.sayBye('Nothing was heard for too long.'));
  }

  async #next(): Promise<ManageEvent | undefined> {
    for (;;) {
      const event = this.#reader.next();
      if (event !== undefined) return event;
      const chunk = await this.#connection.read();
      if (chunk === undefined) return undefined;
      this.#connection.renewDeadline();
      this.#reader.push(chunk);
    }
  }

  #answer(reply: Reply): void {
    this.#write(reply);
    if (reply.status === 'BYE' || reply.isLast) this.#isEnded = true;
  }

  #write({ status, code, text, lines = [] }: Reply): void {
    const last = `${status}${code === undefined ? '' : ` (${code})`} ${formatString(text)}`;
    this.#connection.write([Buffer.from([...lines, last].map((line) => `${line}\r\n`).join(''))]);
  }

  #offer() {
    const { isProtected } = this.#connection;
    const canBind = this.#connection.exportBinding !== undefined;
    return { mayUsePlaintext: isProtected, canBind, takesTokens: this.#services.authenticator.bearer !== undefined };
  }

  /** RFC 5804 §1.7. */
  #capabilities(): string[] {
    const line = (name: string, value?: string) => (value === undefined ? `"${name}"` : `"${name}" ${formatString(value)}`);
    const canStartTls = this.#services.secureContext !== undefined && !this.#connection.isTls;
    return [
      line('IMPLEMENTATION', `Satchel ${this.#services.version}`),
      line('SASL', this.#user === undefined ? saslMechanismNames(this.#offer()).join(' ') : ''),
      line('SIEVE', capabilities.join(' ')),
      ...(canStartTls && this.#user === undefined ? [line('STARTTLS')] : []),
      line('NOTIFY', notifyMethods.join(' ')),
      line('MAXREDIRECTS', String(redirectsMax)),
      ...(this.#user === undefined ? [] : [line('OWNER', this.#user.identity.address)]),
      line('UNAUTHENTICATE'),
      line('VERSION', '1.0'),
    ];
  }

  async #carryOut(event: ManageEvent): Promise<Reply | undefined> {
    try {
      switch (event.kind) {
        case 'lost':
          return { status: 'BYE', text: event.reason };
        case 'refused':
          return this.#fault({ status: 'NO', text: event.reason, ...(event.isTooLarge ? { code: 'QUOTA/MAXSIZE' } : {}) });
        case 'line':
          return this.#fault({ status: 'NO', text: 'A line begins with a command.' });
        case 'command':
          return await this.#command(event.name, event.arguments);
      }
    } catch (error) {
      if (error instanceof MailError) return refusalOf(error);
      if (error instanceof StorageError && (error.code === 'unavailable' || error.code === 'conflict')) {
        return { status: 'NO', code: 'TRYLATER', text: 'The store cannot be reached, try again.' };
      }
      this.#services.logger.error('A ManageSieve command failed.', { error });
      return { status: 'NO', text: 'The server failed; its log says why.' };
    }
  }

  /** A stranger that talks another language is let go. */
  #fault(reply: Reply): Reply {
    if (this.#user === undefined && ++this.#faults >= faultsMax) return { status: 'BYE', text: 'Too many faults.' };
    return reply;
  }

  async #command(name: string, args: readonly ManageArgument[]): Promise<Reply | undefined> {
    switch (name) {
      case 'LOGOUT':
        // §2.3: not BYE.
        return { status: 'OK', text: 'Farewell.', isLast: true };
      case 'CAPABILITY':
        return { status: 'OK', text: 'That is all.', lines: this.#capabilities() };
      case 'NOOP':
        return this.#noop(args);
      case 'STARTTLS':
        return this.#startTls();
      case 'AUTHENTICATE':
        return this.#authenticate(args);
      case 'UNAUTHENTICATE':
        if (this.#user === undefined) return { status: 'NO', text: 'Nobody is logged in.' };
        this.#user = undefined;
        this.#setDeadline();
        return { status: 'OK', text: 'Nobody is logged in any more.' };
    }
    const row = commandRows.find((each) => each.name === name);
    if (row === undefined) return this.#fault({ status: 'NO', text: 'There is no such command.' });
    if (this.#user === undefined) return this.#fault({ status: 'NO', text: 'Log in first.' });
    if (args.length !== row.takes.length || row.takes.some((kind, index) => args[index]!.kind !== kind)) {
      return { status: 'NO', text: `${name} takes ${row.takes.length === 0 ? 'no argument' : `a ${row.takes.join(' and a ')}`}.` };
    }
    const { account } = this.#user;
    const values = args.map((arg) => (arg.kind === 'string' ? arg.text : String(arg.value)));
    return row.run({ account, random: this.#services.random }, ...values);
  }

  /** RFC 5804 §2.13. */
  #noop([tag, ...more]: readonly ManageArgument[]): Reply {
    if (more.length > 0 || tag?.kind === 'number') return { status: 'NO', text: 'NOOP takes a string, or nothing.' };
    return { status: 'OK', text: 'Done.', ...(tag === undefined ? {} : { code: `TAG ${formatString(tag.text)}` }) };
  }

  async #startTls(): Promise<Reply | undefined> {
    const { secureContext } = this.#services;
    if (secureContext === undefined || this.#connection.isTls) return { status: 'NO', text: 'TLS cannot begin here.' };
    if (this.#user !== undefined) return { status: 'NO', text: 'TLS begins before the login.' };
    this.#write({ status: 'OK', text: 'Begin TLS.' });
    // What came behind the command was not protected: it is nobody's word.
    this.#reader.drop();
    try {
      await this.#connection.startTls(secureContext());
    } catch (error) {
      this.#services.logger.debug('TLS handshake failed', { remote: this.#connection.remote, error });
      this.#isEnded = true;
      return undefined;
    }
    // RFC 5804 §2.2: capabilities again, unasked.
    return { status: 'OK', text: 'TLS is on.', lines: this.#capabilities() };
  }

  async #authenticate([mechanism, initial, ...more]: readonly ManageArgument[]): Promise<Reply> {
    if (this.#user !== undefined) return { status: 'NO', text: 'Somebody is logged in.' };
    if (mechanism?.kind !== 'string' || initial?.kind === 'number' || more.length > 0) {
      return { status: 'NO', text: 'AUTHENTICATE takes a mechanism, and at most one string.' };
    }
    if (!this.#connection.isProtected && /^(?:plain|login)$/i.test(mechanism.text)) {
      return { status: 'NO', code: 'ENCRYPT-NEEDED', text: 'Passwords are not taken in the clear: use STARTTLS first.' };
    }
    try {
      const identity = await this.#exchange(mechanism.text, initial?.text);
      if ('status' in identity) return identity;
      this.#user = { identity, account: await this.#services.accounts.open(identity.accountId) };
      this.#setDeadline();
      return { status: 'OK', text: 'Logged in.' };
    } catch (error) {
      if (!(error instanceof MailError)) throw error;
      if (++this.#failures >= loginFailuresMax) return { status: 'BYE', text: 'Too many failed logins.' };
      // Not the codes of scripts: a mechanism is not one.
      return { status: 'NO', text: error.message };
    }
  }

  async #exchange(mechanism: string, initial: string | undefined): Promise<Identity | Reply> {
    const { exportBinding } = this.#connection;
    const sasl = new SaslExchange(mechanism, this.#services.authenticator, {
      client: { remote: this.#connection.remote, service: 'managesieve' },
      mayUsePlaintext: this.#connection.isProtected,
      ...(exportBinding === undefined ? {} : { exportBinding }),
    });
    const first = initial === undefined ? undefined : decodeBase64(Buffer.from(initial));
    if (initial !== undefined && first === undefined) return { status: 'NO', text: 'This is not base64.' };
    let step: SaslReply = await sasl.start(first);
    while (step.kind === 'challenge') {
      this.#connection.write([Buffer.from(`${formatString(Buffer.from(step.data).toString('base64'))}\r\n`)]);
      const event = await this.#next();
      if (event === undefined) return { status: 'BYE', text: 'The connection has ended.' };
      if (event.kind !== 'line') return { status: 'NO', text: 'A string was expected: the exchange is over.' };
      if (event.text === '*') return { status: 'NO', text: 'The exchange is over.' };
      const message = event.text === '' ? Buffer.alloc(0) : decodeBase64(Buffer.from(event.text));
      if (message === undefined) return { status: 'NO', text: 'This is not base64.' };
      step = await sasl.step(message);
    }
    return step.identity;
  }
}
