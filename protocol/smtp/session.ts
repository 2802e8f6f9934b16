/**
 * One SMTP or LMTP connection, without I/O: bytes go in by receive(), replies come out through the port, the handler decides.
 *
 * Commands run one after the other, however they were pipelined (RFC 2920); while one waits for its handler, input is held and the peer is
 * paused. Replies of a burst leave in one write. A session that was closed takes nothing more.
 */

import type { SmtpCommand, SmtpContext, Stage } from './commands/command.ts';
import { commandTables } from './commands/index.ts';
import type { MailTransaction, MaybePromise, Recipient, SmtpOptions, SmtpPort } from './handler.ts';
import { commandLineBytesMax, errorsMax, inputBytesMax } from './limits.ts';
import { DataReader, hasBareLineEnd, MessageSink } from './message-bytes.ts';
import { formatReply, type Reply, reply, SmtpRefusal } from './reply.ts';

interface Transaction<R> extends MailTransaction<R> {
  readonly recipients: Recipient<R>[];
}

/** What the input is read as. */
type Reading =
  | { readonly as: 'commands' }
  /** A line that was too long, up to its end. */
  | { readonly as: 'rest' }
  /** A line that is an answer in an exchange. */
  | { readonly as: 'answer'; readonly take: (line: string) => MaybePromise<Reply | undefined> }
  | { readonly as: 'data'; readonly reader: DataReader }
  | { readonly as: 'chunk'; left: number; readonly isLast: boolean; readonly sink: MessageSink; readonly refusal: Reply | undefined };

const commandsFollow: Reading = { as: 'commands' };
const empty = Buffer.alloc(0);
const decoder = new TextDecoder('utf-8', { fatal: true });

export class SmtpSession<R> implements SmtpContext {
  readonly options: SmtpOptions<unknown>;
  readonly #port: SmtpPort;
  #input: Buffer = empty;
  #at = 0;
  #reading: Reading = commandsFollow;
  #output = '';
  #isBusy = false;
  #isPaused = false;
  /** Takes no more input; and has been closed. */
  #isClosed = false;
  #isEnded = false;
  #isSecure: boolean;
  #errors = 0;
  #clientName: string | undefined;
  #isAuthenticated = false;
  #transaction: Transaction<unknown> | undefined;
  /** The message so far, when it comes by BDAT. */
  #chunks: MessageSink | undefined;

  constructor(options: SmtpOptions<R>, port: SmtpPort, isSecure = false) {
    // Handlers are given back the values that they made themselves.
    this.options = options as unknown as SmtpOptions<unknown>;
    this.#port = port;
    this.#isSecure = isSecure;
  }

  /** The greeting (RFC 5321 §4.2; RFC 2033 §4.1: LMTP says so). Once, before anything is received. */
  start(): void {
    const { hostName, mode } = this.options;
    this.#reply({ code: 220, text: `${hostName} ${mode === 'lmtp' ? 'LMTP' : 'ESMTP'} ready` });
    this.#flush();
  }

  /** Bytes from the peer, split anyhow. */
  receive(bytes: Buffer): void {
    if (this.#isClosed) return;
    const rest = this.#input.length - this.#at;
    this.#input = rest === 0 ? bytes : Buffer.concat([this.#input.subarray(this.#at), bytes]);
    this.#at = 0;
    this.#pump();
  }

  /** Ends the session from our side: 421 (RFC 5321 §3.8), for time-outs and shutdown. A message being stored is not waited for. */
  shutDown(text: string): void {
    if (this.#isClosed) return;
    this.#reply(reply(421, '4.3.2', text));
    this.#end();
  }

  /** Whether a message or command is being worked on. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  get isSecure(): boolean {
    return this.#isSecure;
  }

  get canStartTls(): boolean {
    return !this.#isSecure && this.#port.startTls !== undefined;
  }

  get isAuthenticated(): boolean {
    return this.#isAuthenticated;
  }

  authenticated(): void {
    this.#isAuthenticated = true;
  }

  get transaction(): MailTransaction<unknown> | undefined {
    return this.#transaction;
  }

  get isInChunks(): boolean {
    return this.#chunks !== undefined;
  }

  get capabilities(): readonly string[] {
    const rows = new Set(commandTables[this.options.mode].values());
    return [...rows].flatMap((row) => row.capabilities?.(this) ?? []);
  }

  greet(clientName: string): void {
    this.reset();
    this.#clientName = clientName;
  }

  begin(transaction: Omit<MailTransaction<unknown>, 'recipients' | 'clientName' | 'isSecure'>): void {
    this.#transaction = { ...transaction, recipients: [], clientName: this.#clientName ?? '', isSecure: this.#isSecure };
  }

  addRecipient(address: string, parameters: ReadonlyMap<string, string | null>, value: unknown): void {
    this.#transaction?.recipients.push({ address, parameters, value });
  }

  reset(): void {
    this.#transaction = undefined;
    this.#chunks = undefined;
  }

  receiveData(): void {
    this.#reading = { as: 'data', reader: new DataReader(this.options.messageBytesMax) };
  }

  receiveChunk(octets: number, isLast: boolean): void {
    const hasRecipients = (this.#transaction?.recipients.length ?? 0) > 0;
    const refusal = hasRecipients ? undefined : reply(503, '5.5.1', 'a recipient that was accepted must come first');
    if (refusal === undefined) this.#chunks ??= new MessageSink(this.options.messageBytesMax);
    // A refused chunk is read into a sink that keeps nothing.
    const sink = refusal === undefined ? this.#chunks! : new MessageSink(-1);
    this.#reading = { as: 'chunk', left: octets, isLast, sink, refusal };
  }

  converse(take: (line: string) => MaybePromise<Reply | undefined>): void {
    this.#reading = { as: 'answer', take };
  }

  startTls(): void {
    // RFC 3207 §4.2: what follows in the clear was put there by somebody else.
    if (this.#at < this.#input.length) {
      this.#reply(reply(554, '5.5.1', 'nothing may follow STARTTLS before TLS'));
      this.#end();
      return;
    }
    this.#reply(reply(220, '2.0.0', 'go ahead'));
    this.#flush();
    this.#settle(this.#port.startTls!(), () => {
      this.reset();
      this.#clientName = undefined;
      this.#isAuthenticated = false;
      this.#isSecure = true;
    });
  }

  close(): void {
    this.#isClosed = true;
  }

  #pump(): void {
    while (!this.#isBusy && !this.#isClosed && this.#step());
    if (this.#isClosed) {
      this.#end();
      return;
    }
    if (!this.#isBusy) this.#flush();
    const isFull = this.#isBusy && this.#input.length - this.#at >= inputBytesMax;
    if (isFull && !this.#isPaused) this.#port.pause();
    if (!isFull && this.#isPaused) this.#port.resume();
    this.#isPaused = isFull;
  }

  /** Takes some of the input. False when more is needed. */
  #step(): boolean {
    const reading = this.#reading;
    if (reading.as === 'chunk') return this.#readChunk(reading);
    if (this.#at >= this.#input.length) return false;
    switch (reading.as) {
      case 'commands':
      case 'answer':
        return this.#readLine();
      case 'rest':
        return this.#readRest();
      case 'data':
        this.#at = reading.reader.read(this.#input, this.#at);
        if (!reading.reader.isComplete) return false;
        this.#reading = commandsFollow;
        this.#handOver(reading.reader.sink);
        return true;
    }
  }

  #readLine(): boolean {
    const newline = this.#input.indexOf(10, this.#at);
    const length = (newline < 0 ? this.#input.length : newline + 1) - this.#at;
    if (length > commandLineBytesMax) {
      this.#reading = newline < 0 ? { as: 'rest' } : commandsFollow;
      this.#at += length;
      this.#refuse(reply(500, '5.5.2', 'the line is too long'));
      return true;
    }
    if (newline < 0) return false;
    const line = this.#input.subarray(this.#at, newline - 1);
    const isStrict = newline > this.#at && this.#input[newline - 1] === 13 && !line.includes(13);
    this.#at = newline + 1;
    // RFC 5321 §2.3.8. A LF or CR alone is how one command is made to look like two, or two messages like one.
    const reading = this.#reading;
    this.#reading = commandsFollow;
    if (isStrict && reading.as === 'answer') this.#run({ run: () => reading.take(line.toString('latin1')) }, '');
    else if (isStrict) this.#runLine(line);
    else this.#refuse(reply(500, '5.5.2', 'lines end with CRLF'));
    return true;
  }

  #readRest(): boolean {
    const newline = this.#input.indexOf(10, this.#at);
    this.#at = newline < 0 ? this.#input.length : newline + 1;
    if (newline >= 0) this.#reading = commandsFollow;
    return newline >= 0;
  }

  #readChunk(reading: Extract<Reading, { as: 'chunk' }>): boolean {
    const end = Math.min(this.#at + reading.left, this.#input.length);
    reading.sink.add(this.#input.subarray(this.#at, end));
    reading.left -= end - this.#at;
    this.#at = end;
    if (reading.left > 0) return false;
    this.#reading = commandsFollow;
    if (reading.refusal !== undefined) this.#refuse(reading.refusal);
    else if (reading.isLast) this.#handOver(reading.sink);
    // RFC 3030 §2: a chunk is refused when it is clear that the message will be.
    else if (reading.sink.isTooLarge) this.#refuse(this.#tooLarge());
    else this.#reply(reply(250, '2.0.0', `${reading.sink.octets} octets received`));
    return true;
  }

  #runLine(line: Buffer): void {
    let text: string;
    try {
      text = decoder.decode(line);
    } catch {
      this.#refuse(reply(500, '5.5.2', 'the line is not UTF-8'));
      return;
    }
    const space = text.indexOf(' ');
    const name = (space < 0 ? text : text.slice(0, space)).toUpperCase();
    const row = commandTables[this.options.mode].get(name);
    if (row === undefined) {
      this.#refuse(reply(500, '5.5.1', 'that command is not known here'));
      return;
    }
    const fault = this.#stageFault(row.stage);
    if (fault !== undefined) this.#refuse(fault);
    else this.#run(row, space < 0 ? '' : text.slice(space + 1));
  }

  #stageFault(stage: Stage): Reply | undefined {
    if (stage === 'any') return undefined;
    if (this.#clientName === undefined) return reply(503, '5.5.1', `say ${this.options.mode === 'lmtp' ? 'LHLO' : 'EHLO'} first`);
    if (stage === 'greeted') return undefined;
    if (this.#transaction === undefined) return reply(503, '5.5.1', 'MAIL must come first');
    if (stage === 'mail' || this.#transaction.recipients.length > 0) return undefined;
    return reply(503, '5.5.1', 'a recipient that was accepted must come first');
  }

  #run(row: Pick<SmtpCommand, 'run'>, args: string): void {
    try {
      this.#settle(row.run(this, args), (answer) => {
        if (answer !== undefined) this.#reply(answer);
      });
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The message is whole. RFC 2033 §4.2: LMTP answers for each recipient, also when all get the same answer. */
  #handOver(sink: MessageSink): void {
    const transaction = this.#transaction!;
    this.reset();
    const count = this.options.mode === 'lmtp' ? transaction.recipients.length : 1;
    const answerAll = (answer: Reply): void => {
      for (let i = 0; i < count; i++) this.#reply(answer);
    };
    const refusal = this.#messageFault(sink);
    if (refusal !== undefined) {
      answerAll(refusal);
      return;
    }
    const tryLater = reply(451, '4.3.0', 'try again later');
    try {
      this.#settle(
        this.options.handler.message(transaction, sink),
        (answers) => {
          for (let i = 0; i < count; i++) this.#reply(answers[i] ?? tryLater);
        },
        () => answerAll(tryLater),
      );
    } catch (error) {
      this.options.handler.onError?.(error);
      answerAll(tryLater);
    }
  }

  #messageFault(sink: MessageSink): Reply | undefined {
    if (sink.isTooLarge) return this.#tooLarge();
    const isRefused = this.options.bareLineEnds === 'refuse' && hasBareLineEnd(sink.chunks);
    return isRefused ? reply(554, '5.6.0', 'lines end with CRLF') : undefined;
  }

  /** Goes on with `then` at once, or holds the input until the promise is there. */
  #settle<T>(value: MaybePromise<T>, then: (value: T) => void, otherwise?: () => void): void {
    if (!(value instanceof Promise)) {
      then(value);
      return;
    }
    this.#isBusy = true;
    void value
      .then(then, (error: unknown) => {
        if (otherwise === undefined) {
          this.#fail(error);
          return;
        }
        this.options.handler.onError?.(error);
        otherwise();
      })
      .finally(() => {
        this.#isBusy = false;
        this.#pump();
      });
  }

  #fail(error: unknown): void {
    if (error instanceof SmtpRefusal) {
      this.#refuse(error.reply);
      return;
    }
    this.options.handler.onError?.(error);
    this.#reply(reply(451, '4.3.0', 'try again later'));
  }

  #refuse(answer: Reply): void {
    this.#reply(answer);
    this.#errors++;
    if (this.#errors < errorsMax) return;
    this.#reply(reply(421, '4.7.0', 'too many errors'));
    this.close();
  }

  #tooLarge(): Reply {
    return reply(552, '5.3.4', `at most ${this.options.messageBytesMax} octets a message`);
  }

  #reply(answer: Reply): void {
    this.#output += formatReply(answer);
  }

  #flush(): void {
    if (this.#output === '') return;
    const output = this.#output;
    this.#output = '';
    this.#port.write(output);
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#isClosed = true;
    this.#input = empty;
    this.#at = 0;
    this.#flush();
    this.#port.close();
  }
}
