/**
 * A session's commands as they come. Decides about literals before they are sent: how long they may be depends on the command and on whether the
 * client has logged in. A refused command has its reply here, and the session never hears of it.
 */
import { type CommandStart, decodeCommandStart, tagOf } from '../../protocol/imap/command.ts';
import {
  commandBytesMax,
  continuationLineBytesMax,
  literalBytesMax,
  literalBytesTotalMax,
  smallLiteralBytesMax,
  strangerCommandBytesMax,
  strangerLiteralBytesMax,
} from '../../protocol/imap/limits.ts';
import { CommandReader, type ReaderEvent } from '../../protocol/imap/wire/command-reader.ts';
import { ProtocolError } from '../../protocol/mail/errors.ts';
import type { Connection } from '../net/connection.ts';
import type { Output } from './output.ts';
import { type Reply, refusalOf } from './refusal.ts';

export type Incoming =
  | ({ readonly kind: 'command' } & CommandStart)
  /** The command cannot be carried out: this is its answer. */
  | { readonly kind: 'refused'; readonly tag: string; readonly reply: Reply }
  /** The client is gone, or has to go: `farewell` tells it why. */
  | { readonly kind: 'end'; readonly farewell?: string };

export interface InputOptions {
  readonly messageBytesMax: number;
  readonly nonSynchronizingLiterals: 'all' | 'small';
}

export class Input {
  readonly #connection: Connection;
  readonly #output: Output;
  readonly #options: InputOptions;
  readonly #reader = new CommandReader(strangerCommandBytesMax);
  #isStranger = true;

  constructor(connection: Connection, output: Output, options: InputOptions) {
    this.#connection = connection;
    this.#output = output;
    this.#options = options;
  }

  /** The client has logged in: it may say more at once. */
  trust(): void {
    this.#isStranger = false;
    this.#reader.commandBytesMax = commandBytesMax;
  }

  /** Bytes that came behind the command that was read last. */
  get pendingBytes(): number {
    return this.#reader.pendingBytes;
  }

  /** Throws away what came and was not read. Returns how many bytes. */
  drop(): number {
    return this.#reader.drop();
  }

  /** The next command; waits for it. `before` is called when it has not come yet, before waiting. */
  async next(): Promise<Incoming> {
    for (;;) {
      const event = this.#reader.next();
      if (event === undefined) {
        if (!(await this.#readMore())) return { kind: 'end' };
        continue;
      }
      const incoming = this.#take(event);
      if (incoming !== undefined) return incoming;
    }
  }

  /** A line outside commands. undefined when the client is gone, null when the line is too long. */
  async nextLine(): Promise<Buffer | null | undefined> {
    for (;;) {
      const line = this.#reader.nextLine(continuationLineBytesMax);
      if (line !== undefined) return line;
      if (!(await this.#readMore())) return undefined;
    }
  }

  async #readMore(): Promise<boolean> {
    const chunk = await this.#connection.read();
    if (chunk === undefined) return false;
    this.#connection.renewDeadline();
    this.#reader.push(chunk);
    return true;
  }

  #take(event: ReaderEvent): Incoming | undefined {
    switch (event.kind) {
      case 'command':
        return readStart(event.text, event.literals);
      case 'literal': {
        const reply = this.#judge(event);
        if (reply === undefined) {
          this.#reader.acceptLiteral();
          if (event.isSynchronizing) this.#output.continuation('go ahead');
          return undefined;
        }
        const tag = tagOf(event.text);
        this.#reader.refuseLiteral();
        return { kind: 'refused', tag, reply };
      }
      case 'overlong':
        return {
          kind: 'refused',
          tag: event.text.includes(0x20) ? tagOf(event.text) : '*',
          reply: { status: 'BAD', text: 'This command is too long.' },
        };
      case 'endless':
        return { kind: 'end', farewell: 'This command does not end.' };
    }
  }

  /** RFC 7888 §4 and RFC 9051 §4.3: a literal is refused before it is taken. */
  #judge(event: ReaderEvent & { kind: 'literal' }): Reply | undefined {
    const { octets, text, literals, isSynchronizing } = event;
    // RFC 7888 §5: with LITERAL- a longer one is an error, also where it would fit.
    if (!isSynchronizing && this.#options.nonSynchronizingLiterals === 'small' && octets > smallLiteralBytesMax)
      return { status: 'BAD', code: 'TOOBIG', text: `A literal of more than ${smallLiteralBytesMax} octets has to wait for the server.` };
    if (this.#isStranger) {
      const taken = literals.reduce((sum, literal) => sum + literal.length, 0);
      if (octets + taken <= strangerLiteralBytesMax) return undefined;
      return { status: 'BAD', code: 'TOOBIG', text: `A literal may have ${strangerLiteralBytesMax} octets before login.` };
    }
    // A message's literal comes after its mailbox, which may be one too.
    const isMessage = /^[^ ]+ (?:append|(?:uid )?replace \S+) .*[^ ] (?:utf8 \()?~?\{\d+[+-]?\}\r?\n$/is.test(text.toString('latin1'));
    if (isMessage) {
      const others = literals.reduce((sum, literal) => sum + literal.length, 0);
      // RFC 3502: the messages of one APPEND are held together until the last has come.
      if (octets <= this.#options.messageBytesMax && others + octets <= this.#options.messageBytesMax + literalBytesMax) return undefined;
      return { status: 'NO', code: 'TOOBIG', text: `A message may have ${this.#options.messageBytesMax} octets.` };
    }
    const taken = literals.reduce((sum, literal) => sum + literal.length, 0);
    if (octets <= literalBytesMax && taken + octets <= literalBytesTotalMax) return undefined;
    return { status: 'BAD', code: 'TOOBIG', text: `A literal may have ${literalBytesMax} octets here.` };
  }
}

function readStart(text: Buffer, literals: readonly Buffer[]): Incoming {
  try {
    return { kind: 'command', ...decodeCommandStart(text, literals) };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { kind: 'refused', tag: tagOf(text), reply: refusalOf(error) };
  }
}
