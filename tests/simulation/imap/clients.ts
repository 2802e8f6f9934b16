/** The clients of the model test: one that believes what it is told, one that comes back with QRESYNC, one that reads everything anew. */
import { expect } from 'vitest';
import { type ImapApp, password } from '../../support/imap/app.ts';
import type { ImapTestClient } from '../../support/imap/client.ts';
import { shown } from './model.ts';

const tag = 'x';

interface Told {
  readonly sequence: number;
  readonly uid: number | undefined;
  readonly flags: readonly string[] | undefined;
  readonly modSeq: number;
}

/** `* n FETCH (…)` with UID, FLAGS, MODSEQ. */
function toldOf(line: string): Told | undefined {
  const fetch = /^\* (\d+) FETCH \(/.exec(line);
  if (fetch === null) return undefined;
  const uid = /[( ]UID (\d+)/.exec(line)?.[1];
  const flags = /[( ]FLAGS \(([^)]*)\)/.exec(line)?.[1];
  return {
    sequence: Number(fetch[1]),
    uid: uid === undefined ? undefined : Number(uid),
    flags: flags === undefined ? undefined : flags.split(' ').filter((flag) => flag !== ''),
    modSeq: Number(/MODSEQ \((\d+)\)/.exec(line)?.[1] ?? 0),
  };
}

export class Client {
  readonly #app: ImapApp;
  readonly #user: string;
  #client: ImapTestClient | undefined;
  /** What was said and heard last: shown when a check fails. */
  last: readonly string[] = [];

  constructor(app: ImapApp, user: string) {
    this.#app = app;
    this.#user = user;
  }

  /** The untagged responses and the tagged one. Whoever was sent away comes back at the next command. */
  async say(command: string): Promise<string[]> {
    this.#client ??= await this.#open();
    const lines = await this.#client.command(command, tag);
    this.last = [command, ...lines];
    if (lines.at(-1) === '' || lines.some((line) => line.startsWith('* BYE'))) this.leave();
    return lines;
  }

  /** The mailbox that it had selected is gone. */
  async mustBeSentAway(): Promise<void> {
    await this.say('NOOP');
    expect(await this.#client?.line()).toMatch(/^\* BYE/);
    this.leave();
  }

  leave(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  async #open(): Promise<ImapTestClient> {
    const client = await this.#app.connect();
    expect((await client.command(`LOGIN ${this.#user} "${password}"`)).at(-1)).toMatch(/^x OK/);
    await this.greet(client);
    return client;
  }

  protected async greet(_client: ImapTestClient): Promise<void> {}
}

/** Keeps numbers, UIDs and flags as the server tells them, unasked. */
export class Actor extends Client {
  selected: string | undefined;
  isReadOnly = false;
  /** By message number; undefined: told of by EXISTS only. */
  uids: (number | undefined)[] = [];
  readonly flags = new Map<number, readonly string[]>();

  override leave(): void {
    super.leave();
    this.selected = undefined;
    this.uids = [];
    this.flags.clear();
  }

  async act(command: string): Promise<string[]> {
    const lines = await this.say(command);
    // RFC 9051 §7.5.1: numbers hold while these are answered.
    const holds = /^(?:FETCH|STORE|SEARCH) /.test(command);
    if (holds) expect(lines.filter((line) => / EXPUNGE$/.test(line))).toEqual([]);
    if (this.selected !== undefined) for (const line of lines) this.#hear(line);
    return lines;
  }

  #hear(line: string): void {
    const exists = /^\* (\d+) EXISTS$/.exec(line);
    if (exists !== null) {
      expect(Number(exists[1])).toBeGreaterThanOrEqual(this.uids.length);
      while (this.uids.length < Number(exists[1])) this.uids.push(undefined);
    }
    const expunged = /^\* (\d+) EXPUNGE$/.exec(line);
    if (expunged !== null) {
      expect(Number(expunged[1])).toBeLessThanOrEqual(this.uids.length);
      const [uid] = this.uids.splice(Number(expunged[1]) - 1, 1);
      if (uid !== undefined) this.flags.delete(uid);
    }
    const told = toldOf(line);
    if (told === undefined) return;
    expect(told.sequence).toBeLessThanOrEqual(this.uids.length);
    const known = this.uids[told.sequence - 1];
    const uid = told.uid ?? known;
    if (uid === undefined) return;
    if (known !== undefined) expect(uid).toBe(known);
    this.uids[told.sequence - 1] = uid;
    if (told.flags !== undefined) this.flags.set(uid, told.flags);
  }

  async select(name: string, isReadOnly: boolean): Promise<void> {
    this.selected = undefined;
    const lines = await this.say(`${isReadOnly ? 'EXAMINE' : 'SELECT'} "${name}"`);
    expect(lines.at(-1)).toMatch(/^x OK/);
    this.selected = name;
    this.isReadOnly = isReadOnly;
    this.uids = [];
    this.flags.clear();
    for (const line of lines) this.#hear(line);
    await this.learn();
  }

  unselect(): void {
    this.selected = undefined;
    this.uids = [];
    this.flags.clear();
  }

  /** Asks for what it was told of and does not know. */
  async learn(): Promise<void> {
    while (this.selected !== undefined && this.uids.includes(undefined)) {
      const first = this.uids.indexOf(undefined) + 1;
      await this.act(`FETCH ${first}:${this.uids.length} (UID FLAGS)`);
      // Messages that are gone already are told so at the next chance.
      if (this.uids.includes(undefined)) await this.act('NOOP');
    }
  }

  get known(): string {
    return shown([...this.flags]);
  }
}

interface Remembered {
  readonly validity: string;
  modSeq: number;
  readonly flags: Map<number, readonly string[]>;
}

/** RFC 7162: comes back to a mailbox with what it remembers, and is told the difference. */
export class ResyncClient extends Client {
  readonly #memory = new Map<string, Remembered>();

  protected override async greet(client: ImapTestClient): Promise<void> {
    expect((await client.command('ENABLE QRESYNC')).at(-1)).toMatch(/^x OK/);
  }

  forget(name: string): void {
    this.#memory.delete(name);
  }

  async look(name: string): Promise<string> {
    const before = this.#memory.get(name);
    const lines = await this.say(`SELECT "${name}"${before === undefined ? '' : ` (QRESYNC (${before.validity} ${before.modSeq}))`}`);
    expect(lines.at(-1)).toMatch(/^x OK/);
    // Of the mailbox before, up to CLOSED.
    const closed = lines.findIndex((line) => line.startsWith('* OK [CLOSED]'));
    const own = lines.slice(closed + 1);
    const text = own.join('\n');
    const validity = /UIDVALIDITY (\d+)/.exec(text)![1]!;
    const memory: Remembered = before?.validity === validity ? before : { validity, modSeq: 0, flags: new Map() };
    if (memory !== before) own.push(...(await this.say('UID FETCH 1:* (FLAGS MODSEQ)')));
    for (const line of own) {
      const vanished = /^\* VANISHED(?: \(EARLIER\))? ([\d:,]+)$/.exec(line)?.[1];
      for (const range of vanished?.split(',') ?? []) {
        const [first = 0, last = first] = range.split(':').map(Number);
        for (const uid of [...memory.flags.keys()]) if (uid >= first && uid <= last) memory.flags.delete(uid);
      }
      const told = toldOf(line);
      if (told?.uid !== undefined && told.flags !== undefined) memory.flags.set(told.uid, told.flags);
    }
    memory.modSeq = Number(/HIGHESTMODSEQ (\d+)/.exec(text)![1]);
    this.#memory.set(name, memory);
    expect(memory.flags.size).toBe(Number(/\* (\d+) EXISTS/.exec(text)![1]));
    return shown([...memory.flags]);
  }
}

export class ScratchClient extends Client {
  async look(name: string): Promise<string> {
    expect((await this.say(`EXAMINE "${name}"`)).at(-1)).toMatch(/^x OK/);
    const told = (await this.say('UID FETCH 1:* (UID FLAGS)')).map(toldOf);
    return shown(told.flatMap((one) => (one?.uid === undefined ? [] : [[one.uid, one.flags ?? []] as const])));
  }
}
