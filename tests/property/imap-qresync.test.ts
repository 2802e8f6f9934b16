/**
 * A client that resynchronises by QRESYNC (RFC 7162 §3.2) and one that reads everything anew agree after whatever other sessions have done. The
 * replica follows the protocol to the letter: it believes VANISHED, FETCH and HIGHESTMODSEQ, and drops its connection at any moment.
 */
import { describe, expect, it } from 'vitest';
import { type ImapApp, password, startImapApp, user } from '../support/imap/app.ts';
import type { ImapTestClient } from '../support/imap/client.ts';

/** mulberry32: a seed gives the run again. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

async function open(app: ImapApp): Promise<ImapTestClient> {
  const client = await app.connect();
  await mustBeOk(client, `LOGIN ${user} "${password}"`);
  return client;
}

async function mustBeOk(client: ImapTestClient, command: string): Promise<string[]> {
  const lines = await client.command(command);
  if (!lines.at(-1)!.startsWith('x OK')) throw new Error(`${command}: ${lines.at(-1)}`);
  return lines;
}

const flagsOf = (text: string) =>
  text
    .split(' ')
    .filter((flag) => flag !== '' && flag !== '\\Recent')
    .sort()
    .join(' ');

function* numbersOf(set: string): Generator<number> {
  for (const part of set.split(',')) {
    const [first, last = first] = part.split(':').map(Number);
    for (let number = first!; number <= last!; number += 1) yield number;
  }
}

class Replica {
  readonly #app: ImapApp;
  readonly messages = new Map<number, string>();
  #client: ImapTestClient | undefined;
  #validity = 0;
  #modSeq = 0;
  /** The largest modSeq heard of since the last tagged answer, and what HIGHESTMODSEQ said. */
  #heard = 0;
  #said: number | undefined;
  exists = 0;

  constructor(app: ImapApp) {
    this.#app = app;
  }

  get isOnline(): boolean {
    return this.#client !== undefined;
  }

  get last(): number {
    return Math.max(0, ...this.messages.keys());
  }

  leave(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  async #take(lines: string[]): Promise<void> {
    const last = this.last;
    for (const line of lines) this.#hear(line);
    // RFC 7162 §5: what HIGHESTMODSEQ says stands above what was heard.
    this.#modSeq = this.#said ?? Math.max(this.#modSeq, this.#heard);
    this.#said = undefined;
    this.#heard = 0;
    // New messages come as EXISTS only, or with flags of some of them.
    if (this.messages.size < this.exists) {
      for (const line of await mustBeOk(this.#client!, `UID FETCH ${last + 1}:* (FLAGS)`)) this.#hear(line);
    }
  }

  #hear(line: string): void {
    const vanished = /^\* VANISHED (\(EARLIER\) )?(\S+)$/.exec(line);
    if (vanished !== null) {
      for (const uid of numbersOf(vanished[2]!)) {
        const had = this.messages.delete(uid);
        if (vanished[1] === undefined) {
          this.exists -= 1;
          if (!had) throw new Error(`VANISHED names ${uid}, which the client does not have`);
        }
      }
    }
    const exists = /^\* (\d+) EXISTS$/.exec(line);
    if (exists !== null) this.exists = Number(exists[1]);
    const uid = /^\* \d+ FETCH .*\bUID (\d+)/.exec(line);
    const flags = /\bFLAGS \(([^)]*)\)/.exec(line);
    if (uid !== null && flags !== null) this.messages.set(Number(uid[1]), flagsOf(flags[1]!));
    const modSeq = /\bMODSEQ \((\d+)\)/.exec(line);
    if (modSeq !== null) this.#heard = Math.max(this.#heard, Number(modSeq[1]));
    const highest = /\[HIGHESTMODSEQ (\d+)\]/.exec(line);
    if (highest !== null) this.#said = Number(highest[1]);
    const validity = /\[UIDVALIDITY (\d+)\]/.exec(line);
    if (validity !== null) this.#validity = Number(validity[1]);
    if (/^\* \d+ EXPUNGE$/.test(line)) throw new Error('EXPUNGE to a client of QRESYNC');
  }

  async say(command: string): Promise<void> {
    await this.#take(await mustBeOk(this.#client!, command));
  }

  /** Comes back, with what it remembers. */
  async arrive(random: (below: number) => number): Promise<void> {
    this.#client = await open(this.#app);
    await mustBeOk(this.#client, 'ENABLE QRESYNC');
    const uids = [...this.messages.keys()].sort((a, b) => a - b);
    const matches = random(2) === 0 || uids.length === 0 ? '' : ` (1:${uids.length} ${uids.join(',')})`;
    const known = random(2) === 0 && uids.length > 0 ? ` 1:${uids.at(-1)}` : '';
    // Now and then a number that the account does not know: the fallback must be as good.
    const since = random(8) === 0 ? Number.MAX_SAFE_INTEGER - 8 : this.#modSeq;
    const isCertain = since === this.#modSeq;
    const before = this.#modSeq;
    await this.say(this.#modSeq === 0 ? 'SELECT INBOX' : `SELECT INBOX (QRESYNC (${this.#validity} ${since}${known}${matches}))`);
    if (!isCertain) await this.say(`UID FETCH 1:* (FLAGS) (CHANGEDSINCE ${before} VANISHED)`);
  }

  /** Goes by UID FETCH instead. */
  async refresh(): Promise<void> {
    await this.say(`UID FETCH 1:* (FLAGS) (CHANGEDSINCE ${this.#modSeq} VANISHED)`);
  }

  toJSON(): [number, string][] {
    return [...this.messages].sort(([a], [b]) => a - b);
  }
}

async function fromScratch(app: ImapApp): Promise<[number, string][]> {
  const client = await open(app);
  await mustBeOk(client, 'EXAMINE INBOX');
  const lines = await mustBeOk(client, 'UID FETCH 1:* (FLAGS)');
  client.close();
  return lines.flatMap((line): [number, string][] => {
    const match = /FETCH \(UID (\d+) FLAGS \(([^)]*)\)/.exec(line);
    return match === null ? [] : [[Number(match[1]), flagsOf(match[2]!)]];
  });
}

const flags = ['\\Seen', '\\Deleted', '\\Flagged', 'work', '$Forwarded'];
const steps = 1200;

describe('QRESYNC', () => {
  for (const seed of [1, 2, 3]) {
    it(`leaves a client with what one from scratch has, after ${steps} random operations of three sessions (seed ${seed})`, async () => {
      const random = randomOf(seed);
      await using app = await startImapApp();
      const actors = await Promise.all([open(app), open(app), open(app)]);
      for (const [at, actor] of actors.entries()) {
        if (at === 1) await mustBeOk(actor, 'ENABLE QRESYNC');
        await mustBeOk(actor, `SELECT ${at < 2 ? 'INBOX' : 'Archive'}`);
      }
      const act = async (): Promise<void> => {
        const which = random(actors.length);
        const actor = actors[which]!;
        const uid = Math.max(1, replica.last + 4 - random(40));
        const set = which === 2 ? '*' : random(3) === 0 ? `${uid}:${uid + random(8)}` : `${uid}`;
        if (replica.messages.size > 60) {
          await mustBeOk(actors[0]!, `UID STORE 1:${replica.last - 20} +FLAGS.SILENT (\\Deleted)`);
          await mustBeOk(actors[0]!, 'EXPUNGE');
        }
        switch (random(10)) {
          case 0:
          case 1: {
            const text = `Subject: ${random(1000)}\r\n\r\nx\r\n`;
            await mustBeOk(actor, `APPEND INBOX (${flags[random(flags.length)]}) {${text.length}+}\r\n${text}`);
            return;
          }
          case 2:
            await mustBeOk(actor, 'EXPUNGE');
            return;
          case 3:
            await mustBeOk(actor, `UID MOVE ${set} ${which < 2 ? 'Archive' : 'INBOX'}`);
            return;
          case 4:
            await mustBeOk(actor, `UID COPY ${set} INBOX`);
            return;
          default:
            await mustBeOk(
              actor,
              `UID STORE 1:* ${random(2) === 0 ? '+' : '-'}FLAGS.SILENT (${flags[random(flags.length)]})`.replace('1:*', set),
            );
        }
      };
      const replica = new Replica(app);
      for (let step = 0; step < steps; step += 1) {
        await act();
        const choice = random(20);
        if (choice === 0) replica.leave();
        else if (choice === 1 && !replica.isOnline) await replica.arrive(random);
        else if (choice === 2 && replica.isOnline) await replica.say('NOOP');
        else if (choice === 3 && replica.isOnline) await replica.refresh();
        // By number: removals are held back behind this, and must not be lost when the client then leaves.
        else if (choice < 6 && replica.isOnline && replica.exists > 0) {
          await replica.say(`STORE ${replica.exists} ${random(2) === 0 ? '+' : '-'}FLAGS (\\Answered)`);
          if (choice === 5) replica.leave();
        }
        if (step % 50 !== 49) continue;
        if (replica.isOnline && random(2) === 0) await replica.say('NOOP');
        else {
          replica.leave();
          await replica.arrive(random);
        }
        expect(replica.toJSON(), `at step ${step}`).toEqual(await fromScratch(app));
        expect(replica.exists).toBe(replica.messages.size);
      }
      replica.leave();
      for (const actor of actors) actor.close();
    }, 20_000);
  }
});
