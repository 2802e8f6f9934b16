/**
 * Runs a transcript: a file of what clients say and what they must hear.
 *
 *   # a comment                              mailbox Work: 3 messages        what is there before
 *   C: line    C2: line                      the client (of connection 2) sends the line
 *   S: line    S2: line                      it hears the line; other untagged lines in between do not matter
 *   N: line                                  it has not heard the line since its last command
 *   …  any text     ⏎  CRLF     $name  a word: bound on first sight, the same from then on
 *   {=+}  in a client's line: announces all that follows as one literal, counted
 *
 *   other 2 3                                connections 2 and 3 are those of another user; $me and $you are the addresses of the two
 *
 *   tls                                      connection 1 turns to TLS, as STARTTLS was answered
 *
 *   server {"quotaLimits": …}                options of this server for the transcript, which other servers are not asked then; `hasTls`: it offers
 *                                            STARTTLS; `writeMs`: each write to its store takes so long
 *
 * Connections open with their first line. They are logged in, unless `anonymous` stands at the top. `ours: why` keeps a transcript from other servers.
 */
import { connect } from 'node:net';
import type { QuotaLimits } from '../../../protocol/mail/quota.ts';
import type { ImapServerOptions } from '../../../server/imap/services.ts';
import { ImapTestClient } from './client.ts';

export interface TranscriptTarget {
  readonly user: string;
  readonly password: string;
  /** A second account of the same server. */
  readonly other?: { readonly user: string; readonly password: string } | undefined;
  open(): Promise<ImapTestClient>;
}

export interface Transcript {
  readonly steps: readonly Step[];
  readonly isAnonymous: boolean;
  /** Why other servers are not asked. */
  readonly ours: string | undefined;
  readonly server: ServerOptions;
  /** Connections of the other user. */
  readonly others: ReadonlySet<string>;
}

/** What of the server a transcript may set. */
export type ServerOptions = Pick<
  Partial<ImapServerOptions>,
  'nonSynchronizingLiterals' | 'messagesMax' | 'jmapSessionUrl' | 'progressMs'
> & {
  readonly quotaLimits?: QuotaLimits;
  readonly hasTls?: boolean;
  readonly writeMs?: number;
};

interface Step {
  readonly lineNumber: number;
  readonly kind: 'C' | 'S' | 'N' | 'mailbox' | 'tls';
  readonly connection: string;
  readonly text: string;
}

export function parseTranscript(source: string): Transcript {
  const steps: Step[] = [];
  let isAnonymous = false;
  let ours: string | undefined;
  let server: ServerOptions = {};
  const others = new Set<string>();
  for (const [at, line] of source.split('\n').entries()) {
    const said = /^([CSN])(\d*): ?(.*)$/.exec(line);
    const text = said?.[3]?.replaceAll('⏎', '\r\n') ?? line;
    if (said !== null) steps.push({ lineNumber: at + 1, kind: said[1] as 'C' | 'S' | 'N', connection: said[2] || '1', text });
    else if (line.startsWith('mailbox ')) steps.push({ lineNumber: at + 1, kind: 'mailbox', connection: '', text });
    else if (line.startsWith('other ')) for (const connection of line.slice(6).split(' ')) others.add(connection);
    else if (line === 'tls') steps.push({ lineNumber: at + 1, kind: 'tls', connection: '1', text });
    else if (line === 'anonymous') isAnonymous = true;
    else if (line.startsWith('ours: ')) ours = line.slice(6);
    else if (line.startsWith('server ')) {
      server = JSON.parse(line.slice(7)) as ServerOptions;
      ours ??= 'the server is set up for it';
    } else if (line !== '' && !line.startsWith('#')) throw new Error(`line ${at + 1} is none of a transcript: ${line}`);
  }
  return { steps, isAnonymous, ours, server, others };
}

export async function runTranscript({ steps, isAnonymous, others }: Transcript, target: TranscriptTarget): Promise<void> {
  const names = new Map([['me', target.user]]);
  if (target.other !== undefined) names.set('you', target.other.user);
  const speakers = new Map<string, Speaker>();
  const speaker = async (connection: string): Promise<Speaker> => {
    const known = speakers.get(connection);
    if (known !== undefined) return known;
    const client = await target.open();
    const login = others.has(connection) ? target.other : target;
    if (login === undefined) throw new Error('the transcript wants a second account');
    if (!isAnonymous) await mustBeOk(client, `LOGIN "${login.user}" "${login.password}"`);
    const opened = new Speaker(client, names);
    if (isAnonymous) opened.heard.push(client.greeting);
    speakers.set(connection, opened);
    return opened;
  };
  try {
    for (const step of steps) {
      try {
        if (step.kind === 'mailbox') await prepare(step.text, target);
        else await (await speaker(step.connection)).take(step);
      } catch (error) {
        throw new Error(`line ${step.lineNumber}: ${(error as Error).message}`, { cause: error });
      }
    }
  } finally {
    for (const { client } of speakers.values()) client.close();
  }
}

class Speaker {
  readonly client: ImapTestClient;
  readonly #names: Map<string, string>;
  /** Untagged lines since the last command that no expectation has taken. */
  heard: string[] = [];
  /** The same, taken ones included. */
  #all: string[] = [];
  /** A tagged line or continuation that was read too early. */
  #ahead: string | undefined;

  constructor(client: ImapTestClient, names: Map<string, string>) {
    this.client = client;
    this.#names = names;
  }

  async take({ kind, text }: Step): Promise<void> {
    if (kind === 'C') {
      this.heard = [];
      this.#all = [];
      const said = text.replace(/\$(\w+)/g, (name, key: string) => this.#names.get(key) ?? name);
      const counted = said.replace(/\{=\+\}\r\n([\s\S]*)$/, (_, literal: string) => `{${Buffer.byteLength(literal)}+}\r\n${literal}`);
      this.client.write(`${counted}\r\n`);
    } else if (kind === 'tls') this.client.startTls();
    else if (kind === 'N') this.#mustNotHave(text);
    else if (text.startsWith('* ')) await this.#hearUntagged(text);
    else await this.#hearTagged(text);
  }

  async #hearUntagged(want: string): Promise<void> {
    for (;;) {
      const at = this.heard.findIndex((line) => this.#matches(want, line));
      if (at >= 0) {
        this.heard.splice(at, 1);
        return;
      }
      if (this.#ahead !== undefined) break;
      const line = await this.client.line();
      if (line.startsWith('* ')) this.#note(line);
      else this.#ahead = line;
    }
    throw new Error(`want ${show(want)}\n  got  ${[...this.#all, this.#ahead].map(show).join('\n       ')}`);
  }

  async #hearTagged(want: string): Promise<void> {
    let line = this.#ahead ?? (await this.client.line());
    this.#ahead = undefined;
    while (line.startsWith('* ')) {
      this.#note(line);
      line = await this.client.line();
    }
    if (!this.#matches(want, line))
      throw new Error(`want ${show(want)}\n  got  ${show(line)}\n  after ${this.#all.map(show).join('\n       ')}`);
  }

  #mustNotHave(unwanted: string): void {
    const line = this.#all.find((heard) => this.#matches(unwanted, heard));
    if (line !== undefined) throw new Error(`unwanted: ${show(line)}`);
  }

  #note(line: string): void {
    this.heard.push(line);
    this.#all.push(line);
  }

  #matches(want: string, got: string): boolean {
    const bound: string[] = [];
    const pattern = want.replace(/…|\$(\w+)|[\\^$.*+?()[\]{}|]/g, (part, name?: string) => {
      if (part === '…') return '[\\s\\S]*';
      if (name === undefined) return `\\${part}`;
      const known = this.#names.get(name);
      if (known !== undefined) return known.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
      bound.push(name);
      return '([^\\s()\\[\\]]+)';
    });
    const match = new RegExp(`^${Buffer.from(pattern, 'utf8').toString('latin1')}$`).exec(got);
    if (match === null) return false;
    for (const [at, name] of bound.entries()) this.#names.set(name, match[at + 1]!);
    return true;
  }
}

const show = (line: string | undefined) => (line === undefined ? '' : Buffer.from(line.replaceAll('\r\n', '⏎'), 'latin1').toString('utf8'));

async function mustBeOk(client: ImapTestClient, command: string): Promise<void> {
  const answer = (await client.command(command)).at(-1);
  if (!/^x OK/.test(answer ?? '')) throw new Error(`${command.slice(0, 60)}: ${answer}`);
}

/** `mailbox NAME: N messages` by a connection of its own, on any server. */
async function prepare(text: string, target: TranscriptTarget): Promise<void> {
  const match = /^mailbox (.+): (\d+) messages?$/.exec(text);
  if (match === null) throw new Error('want: mailbox NAME: N messages');
  const client = await target.open();
  await mustBeOk(client, `LOGIN "${target.user}" "${target.password}"`);
  const name = match[1]!;
  if (name !== 'INBOX') {
    await client.command(`DELETE "${name}"`);
    await mustBeOk(client, `CREATE "${name}"`);
  }
  await mustBeOk(client, `SELECT "${name}"`);
  await client.command('STORE 1:* +FLAGS.SILENT (\\Deleted)');
  await mustBeOk(client, 'EXPUNGE');
  for (let number = 1; number <= Number(match[2]); number += 1) {
    const message = standardMessage(number);
    await mustBeOk(client, `APPEND "${name}" " 2-Nov-2026 10:00:0${number % 10} +0000" {${message.length}+}\r\n${message}`);
  }
  // A session that has seen the messages takes \Recent with it.
  await mustBeOk(client, `SELECT "${name}"`);
  await client.command('LOGOUT');
}

function standardMessage(number: number): string {
  return [
    `From: Sender ${number} <sender${number}@example.org>`,
    'To: Me <me@example.com>',
    `Subject: Message ${number}`,
    `Date: Mon, 2 Nov 2026 10:00:0${number % 10} +0000`,
    `Message-ID: <${number}@example.org>`,
    '',
    `Body of message ${number}.`,
    '',
  ].join('\r\n');
}

/** Another server, by `host:port user:password`, and `user:password` of a second account. */
export function otherServer(description: string): TranscriptTarget {
  const match = /^([^:]+):(\d+) ([^:]+):(\S*)(?: ([^:]+):(\S*))?$/.exec(description);
  if (match === null) throw new Error('IMAP_TRANSCRIPT_TARGET is host:port user:password [user:password]');
  return {
    user: match[3]!,
    password: match[4]!,
    ...(match[5] === undefined ? {} : { other: { user: match[5], password: match[6]! } }),
    async open() {
      const client = new ImapTestClient(connect(Number(match[2]), match[1]!));
      client.greeting = await client.line();
      return client;
    },
  };
}
