/**
 * Random commands from four connections over two accounts, against a model in memory. At every step a client that comes back with QRESYNC, one that
 * reads everything, and the model agree on the mailbox that was touched; each of the four is asked now and then whether what it was told is what is
 * there. IMAP_MODEL_STEPS and IMAP_MODEL_SEED say how long, and replay a failure.
 */
import { describe, expect, it } from 'vitest';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import { provisionAccount } from '../../../storage/directory/provision.ts';
import { otherUser, startImapApp, user } from '../../support/imap/app.ts';
import { Actor, ResyncClient, ScratchClient } from './clients.ts';
import { Dice } from './dice.ts';
import { ModelAccount, type ModelMailbox, type StoreSign, shownModel } from './model.ts';

const steps = Number(process.env['IMAP_MODEL_STEPS'] ?? 10_000);
const seed = Number(process.env['IMAP_MODEL_SEED'] ?? 1);
const flagNames = ['\\Seen', '\\Flagged', '\\Answered', '\\Deleted', '$work', 'later'];
const names = ['INBOX', 'Archive', 'Drafts', 'Junk', 'Sent', 'Trash'];
const extraNames = ['A', 'B'];
/** More would only be slower. */
const messagesMax = 40;

interface World {
  readonly model: ModelAccount;
  readonly actors: readonly Actor[];
  readonly resync: ResyncClient;
  readonly scratch: ScratchClient;
}

class Run {
  readonly #dice: Dice;
  readonly #world: World;
  readonly #actor: Actor;

  constructor(world: World, actor: Actor, dice: Dice) {
    this.#world = world;
    this.#actor = actor;
    this.#dice = dice;
  }

  /** One command; the names of the mailboxes it touched. */
  async step(): Promise<readonly string[]> {
    const { model } = this.#world;
    const actor = this.#actor;
    const all = [...model.mailboxes.keys()];
    if (actor.selected === undefined || this.#dice.isLucky(0.05)) {
      const name = this.#dice.pick(all);
      await actor.select(name, this.#dice.isLucky(0.1));
      return [name];
    }
    if (this.#dice.isLucky(0.06)) return this.#changeTree();
    if (this.#dice.isLucky(0.2)) return this.#append(this.#dice.pick(all));
    const mailbox = model.mailboxes.get(actor.selected);
    if (mailbox === undefined) throw new Error('a deleted mailbox is still selected');
    return this.#onMessages(actor.selected, mailbox);
  }

  async #append(name: string): Promise<readonly string[]> {
    if (this.#world.model.mailbox(name).messages.length >= messagesMax) return this.#clear(name);
    const flags = this.#dice.some(flagNames);
    const message = this.#dice.message();
    const lines = await this.#actor.act(`APPEND "${name}" (${flags.join(' ')}) {${message.length}+}\r\n${message}`);
    expect(lines.at(-1)).toMatch(/^x OK \[APPENDUID/);
    expect(lines.at(-1)).toContain(` ${this.#world.model.mailbox(name).uidNext}]`);
    this.#world.model.append(name, flags);
    return [name];
  }

  async #clear(name: string): Promise<readonly string[]> {
    await this.#actor.select(name, false);
    await this.#ok('STORE 1:* +FLAGS.SILENT (\\Deleted)');
    await this.#ok('EXPUNGE');
    const mailbox = this.#world.model.mailbox(name);
    mailbox.remove(mailbox.messages.map(({ uid }) => uid));
    return [name];
  }

  async #changeTree(): Promise<readonly string[]> {
    const { model, resync, actors } = this.#world;
    const name = this.#dice.pick(extraNames);
    if (!model.mailboxes.has(name)) {
      await this.#ok(`CREATE "${name}"`);
      model.mailboxes.set(name, emptyMailbox());
      return [name];
    }
    const others = actors.filter((actor) => actor !== this.#actor && actor.selected === name);
    if (this.#dice.isLucky(0.4)) {
      // Who deletes what he has selected has nothing selected after it; others who have it selected are sent away.
      if (this.#actor.selected === name) this.#actor.unselect();
      await this.#ok(`DELETE "${name}"`);
      model.mailboxes.delete(name);
      resync.forget(name);
      for (const actor of others) await actor.mustBeSentAway();
      return [];
    }
    const to = extraNames.find((other) => !model.mailboxes.has(other));
    if (to === undefined) return [name];
    await this.#ok(`RENAME "${name}" "${to}"`);
    model.mailboxes.set(to, model.mailbox(name));
    model.mailboxes.delete(name);
    for (const actor of actors) if (actor.selected === name) actor.selected = to;
    resync.forget(name);
    return [to];
  }

  async #ok(command: string): Promise<string[]> {
    const lines = await this.#actor.act(command);
    expect(lines.at(-1)).toMatch(/^x OK/);
    return lines;
  }

  async #onMessages(name: string, mailbox: ModelMailbox): Promise<readonly string[]> {
    const actor = this.#actor;
    await actor.learn();
    const { model } = this.#world;
    const known = actor.uids.flatMap((uid) => (uid === undefined ? [] : [uid]));
    const uids = this.#dice.some(known);
    const isUid = this.#dice.isLucky(0.5);
    const set = isUid ? uids.join(',') : uids.map((uid) => actor.uids.indexOf(uid) + 1).join(',');
    const prefix = isUid ? 'UID ' : '';
    const kind = this.#dice.pick([
      'store',
      'store',
      'pipelined',
      'copy',
      'move',
      'expunge',
      'uid expunge',
      'sync',
      'search',
      'status',
      'close',
    ] as const);
    if (kind === 'sync') return this.#sync(name, mailbox);
    if (kind === 'status') return this.#status(name, mailbox);
    if (kind === 'close') {
      await this.#ok(actor.isReadOnly || this.#dice.isLucky(0.5) ? 'UNSELECT' : 'CLOSE');
      // What this client was not told of is not its to remove.
      if (actor.last[0] === 'CLOSE') model.expunge(name, known);
      actor.unselect();
      return [name];
    }
    if (uids.length === 0) return this.#sync(name, mailbox);
    if (kind === 'search') {
      const flag = this.#dice.pick(['SEEN', 'FLAGGED', 'DELETED', 'KEYWORD later'] as const);
      await this.#ok(`UID SEARCH ${flag}`);
      const found = actor.last
        .find((line) => line.startsWith('* SEARCH'))!
        .slice(9)
        .split(' ')
        .filter((uid) => uid !== '')
        .map(Number);
      const wire = { SEEN: '\\Seen', FLAGGED: '\\Flagged', DELETED: '\\Deleted', 'KEYWORD later': 'later' }[flag];
      const wanted = mailbox.messages.filter(({ email, deleted }) => (wire === '\\Deleted' ? deleted : email.flags.has(wire)));
      // Messages that this client was not told of yet are not found.
      expect(found).toEqual(wanted.map(({ uid }) => uid).filter((uid) => known.includes(uid)));
      return [];
    }
    if (kind === 'copy') return this.#transfer('COPY', prefix, set, uids);
    if (actor.isReadOnly) {
      expect((await actor.act(`${prefix}STORE ${set} +FLAGS (\\Seen)`)).at(-1)).toMatch(/^x NO/);
      return [];
    }
    switch (kind) {
      case 'store':
      case 'pipelined': {
        const count = kind === 'store' ? 1 : 3;
        for (let at = 0; at < count; at += 1) {
          const sign = this.#dice.pick<StoreSign>(['', '+', '-']);
          const flags = this.#dice.some(flagNames);
          const silent = this.#dice.isLucky(0.3) ? '.SILENT' : '';
          await this.#ok(`${prefix}STORE ${set} ${sign}FLAGS${silent} (${flags.join(' ')})`);
          model.store(name, uids, sign, flags);
          if (silent !== '') for (const uid of uids) this.#assume(uid, sign, flags);
          if (!isUid || at + 1 === count) continue;
          await actor.learn();
        }
        return [name];
      }
      case 'move':
        return this.#transfer('MOVE', prefix, set, uids);
      case 'expunge':
        await this.#ok('EXPUNGE');
        model.expunge(name, known);
        return [name];
      case 'uid expunge':
        await this.#ok(`UID EXPUNGE ${uids.join(',')}`);
        model.expunge(name, uids);
        return [name];
    }
  }

  /** RFC 9051 §6.4.6: after .SILENT the client knows the result by itself. */
  #assume(uid: number, sign: StoreSign, flags: readonly string[]): void {
    const before = this.#actor.flags.get(uid);
    if (before === undefined) return;
    const after = new Set(sign === '' ? flags : before);
    if (sign !== '') for (const flag of flags) after[sign === '+' ? 'add' : 'delete'](flag);
    this.#actor.flags.set(uid, [...after]);
  }

  async #transfer(command: 'COPY' | 'MOVE', prefix: string, set: string, uids: readonly number[]): Promise<readonly string[]> {
    const { model } = this.#world;
    const from = this.#actor.selected!;
    const to = this.#dice.pick([...model.mailboxes.keys()].filter((name) => command === 'COPY' || name !== from));
    if (model.mailbox(to).messages.length + uids.length > messagesMax * 2) return this.#clear(to);
    await this.#ok(`${prefix}${command} ${set} "${to}"`);
    if (command === 'COPY') model.copy(from, uids, to);
    else model.move(from, uids, to);
    return [from, to];
  }

  /** All has been told after NOOP: what the client believes is what is there. */
  async #sync(name: string, mailbox: ModelMailbox): Promise<readonly string[]> {
    await this.#ok('NOOP');
    await this.#actor.learn();
    expect(this.#actor.uids).toEqual(mailbox.messages.map(({ uid }) => uid));
    expect(this.#actor.known).toBe(shownModel(mailbox));
    return [name];
  }

  async #status(name: string, mailbox: ModelMailbox): Promise<readonly string[]> {
    const lines = await this.#ok(`STATUS "${name}" (MESSAGES UIDNEXT UNSEEN DELETED)`);
    const { messages, uidNext } = mailbox;
    const unseen = messages.filter(({ email }) => !email.flags.has('\\Seen')).length;
    const deleted = messages.filter((message) => message.deleted).length;
    expect(lines).toContain(`* STATUS "${name}" (MESSAGES ${messages.length} UIDNEXT ${uidNext} UNSEEN ${unseen} DELETED ${deleted})`);
    return [];
  }
}

const emptyMailbox = (): ModelMailbox => new ModelAccount(['x']).mailbox('x');

describe('four connections over two accounts', () => {
  it(`agree with a model for ${steps} random steps (seed ${seed})`, { timeout: 120_000 }, async () => {
    await using app = await startImapApp();
    await provisionAccount(await app.accounts.open('account2' as AccountId));
    const worlds = [user, otherUser].map(
      (login): World => ({
        model: new ModelAccount(names),
        actors: [new Actor(app, login), new Actor(app, login)],
        resync: new ResyncClient(app, login),
        scratch: new ScratchClient(app, login),
      }),
    );
    const dice = new Dice(seed);
    for (let step = 1; step <= steps; step += 1) {
      const world = dice.pick(worlds);
      const actor = dice.pick(world.actors);
      try {
        const touched = await new Run(world, actor, dice).step();
        for (const name of touched) {
          const wanted = shownModel(world.model.mailbox(name));
          expect(await world.resync.look(name)).toBe(wanted);
          expect(await world.scratch.look(name)).toBe(wanted);
        }
      } catch (error) {
        const said = [actor.last, world.resync.last, world.scratch.last].map((lines) => lines.slice(0, 12).join('\n    ')).join('\n  ');
        throw new Error(`step ${step} of seed ${seed}: ${(error as Error).message}\n  ${said}`, { cause: error });
      }
    }
    for (const { actors, resync, scratch } of worlds) for (const client of [...actors, resync, scratch]) client.leave();
  });
});
