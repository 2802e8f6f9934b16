/**
 * Random commands of an owner and of somebody with whom two mailboxes are shared, from two connections each, while the rights change: against a model in
 * memory in which flags are everybody's and \Seen is of each his own. At every step a client that comes back with QRESYNC, one that reads everything,
 * and the model agree, for both users. IMAP_MODEL_STEPS and IMAP_MODEL_SEED say how long, and replay a failure.
 */
import { describe, expect, it } from 'vitest';
import { otherUser, startImapApp, user } from '../../support/imap/app.ts';
import { Actor, ResyncClient, ScratchClient } from './clients.ts';
import { Dice } from './dice.ts';
import { shown } from './model.ts';

const steps = Math.ceil(Number(process.env['IMAP_MODEL_STEPS'] ?? 10_000) / 4);
const seed = Number(process.env['IMAP_MODEL_SEED'] ?? 1);
const flagNames = ['\\Seen', '\\Flagged', '\\Answered', '\\Deleted', 'later'];
const sharedNames = ['Archive', 'Junk'];
const rightsGiven = ['lrswite', 'lrswite', 'lrs', 'lrw', 'lrst', 'lrwi', 'lrsitek', 'lrte'];
const messagesMax = 30;

type User = 'owner' | 'viewer';
type Sign = '' | '+' | '-';

interface Email {
  /** Without \Seen. */
  readonly flags: Set<string>;
  readonly seen: Set<User>;
}

interface Message {
  readonly uid: number;
  readonly email: Email;
  deleted: boolean;
}

class Mailbox {
  readonly of: User;
  rights = 'lrswipkxtea';
  uidNext = 1;
  messages: Message[] = [];

  constructor(of: User) {
    this.of = of;
  }

  may(who: User, right: string): boolean {
    return who === this.of || this.rights.includes(right);
  }

  add(email: Email, deleted: boolean): void {
    this.messages.push({ uid: this.uidNext, email, deleted });
    this.uidNext += 1;
  }

  remove(uids: readonly number[]): void {
    this.messages = this.messages.filter(({ uid }) => !uids.includes(uid));
  }

  /** As one of the two sees it. */
  shownTo(who: User): string {
    return shown(
      this.messages.map(({ uid, email, deleted }) => [
        uid,
        [...email.flags, ...(email.seen.has(who) ? ['\\Seen'] : []), ...(deleted ? ['\\Deleted'] : [])],
      ]),
    );
  }
}

interface Party {
  readonly who: User;
  readonly actors: readonly Actor[];
  readonly resync: ResyncClient;
  readonly scratch: ScratchClient;
  /** By the names that he knows them by. */
  readonly mailboxes: ReadonlyMap<string, Mailbox>;
}

class Step {
  readonly #dice: Dice;
  readonly #party: Party;
  readonly #actor: Actor;

  constructor(party: Party, actor: Actor, dice: Dice) {
    this.#party = party;
    this.#actor = actor;
    this.#dice = dice;
  }

  /** One command; the mailboxes it touched. */
  async take(): Promise<readonly Mailbox[]> {
    const { mailboxes, who } = this.#party;
    const names = [...mailboxes.keys()];
    const actor = this.#actor;
    const chance = this.#dice.throw();
    if (actor.selected === undefined || chance < 0.05) {
      await actor.select(this.#dice.pick(names), this.#dice.isLucky(0.1));
      return [mailboxes.get(actor.selected!)!];
    }
    if (chance < 0.1 && who === 'owner') return this.#share(this.#dice.pick(sharedNames));
    if (chance < 0.3) return this.#append(this.#dice.pick(names));
    return this.#onMessages(mailboxes.get(actor.selected)!);
  }

  async #share(name: string): Promise<readonly Mailbox[]> {
    const mailbox = this.#party.mailboxes.get(name)!;
    mailbox.rights = this.#dice.pick(rightsGiven);
    await this.#mustBe(true, `SETACL "${name}" ${otherUser} ${mailbox.rights}`);
    return [mailbox];
  }

  async #mustBe(isDone: boolean, command: string): Promise<string[]> {
    const lines = await this.#actor.act(command);
    expect(`${command}: ${lines.at(-1)}`).toMatch(isDone ? /: x OK/ : /: x NO \[NOPERM\]/);
    return lines;
  }

  async #append(name: string): Promise<readonly Mailbox[]> {
    const { who, mailboxes } = this.#party;
    const mailbox = mailboxes.get(name)!;
    if (mailbox.messages.length >= messagesMax) return this.#clear(name, mailbox);
    const flags = this.#dice.some(flagNames);
    const message = this.#dice.message();
    const may = mailbox.may(who, 'i');
    await this.#mustBe(may, `APPEND "${name}" (${flags.join(' ')}) {${message.length}+}\r\n${message}`);
    if (may) this.#enter(mailbox, flags);
    return [mailbox];
  }

  /** What of the flags of a new message is kept. */
  #enter(mailbox: Mailbox, flags: readonly string[]): void {
    const { who } = this.#party;
    const others = flags.filter((flag) => flag !== '\\Seen' && flag !== '\\Deleted' && mailbox.may(who, 'w'));
    const seen = flags.includes('\\Seen') && mailbox.may(who, 's') ? [who] : [];
    mailbox.add({ flags: new Set(others), seen: new Set(seen) }, flags.includes('\\Deleted') && mailbox.may(who, 't'));
  }

  async #clear(name: string, mailbox: Mailbox): Promise<readonly Mailbox[]> {
    const { who } = this.#party;
    if (!mailbox.may(who, 't') || !mailbox.may(who, 'e')) return [];
    await this.#actor.select(name, false);
    await this.#mustBe(true, 'STORE 1:* +FLAGS.SILENT (\\Deleted)');
    await this.#mustBe(true, 'EXPUNGE');
    mailbox.remove(mailbox.messages.map(({ uid }) => uid));
    return [mailbox];
  }

  async #onMessages(mailbox: Mailbox): Promise<readonly Mailbox[]> {
    const { who } = this.#party;
    const actor = this.#actor;
    await actor.learn();
    const known = actor.uids.flatMap((uid) => (uid === undefined ? [] : [uid]));
    const uids = this.#dice.some(known);
    const kind = this.#dice.pick(['store', 'store', 'copy', 'move', 'expunge', 'sync', 'search', 'status', 'close'] as const);
    if (kind === 'status') return this.#status(mailbox);
    if (kind === 'close') {
      await this.#mustBe(true, actor.isReadOnly ? 'UNSELECT' : 'CLOSE');
      if (!actor.isReadOnly && mailbox.may(who, 'e')) this.#expunge(mailbox, known);
      actor.unselect();
      return [mailbox];
    }
    if (kind === 'sync' || uids.length === 0) return this.#sync(mailbox);
    const set = uids.join(',');
    if (kind === 'search') {
      const lines = await this.#mustBe(true, 'UID SEARCH UNSEEN');
      const unseen = mailbox.messages.filter(({ email }) => !email.seen.has(who)).map(({ uid }) => uid);
      const found = lines.find((line) => line.startsWith('* SEARCH'))!.slice(9);
      expect(found).toBe(unseen.filter((uid) => known.includes(uid)).join(' '));
      return [];
    }
    if (kind === 'copy') return this.#transfer('COPY', mailbox, set, uids);
    if (actor.isReadOnly) return [];
    if (kind === 'move') return this.#transfer('MOVE', mailbox, set, uids);
    if (kind === 'expunge') {
      const may = mailbox.may(who, 'e');
      await this.#mustBe(may, 'EXPUNGE');
      if (may) this.#expunge(mailbox, known);
      return [mailbox];
    }
    return this.#store(mailbox, set, uids);
  }

  #expunge(mailbox: Mailbox, known: readonly number[]): void {
    mailbox.remove(mailbox.messages.filter(({ uid, deleted }) => deleted && known.includes(uid)).map(({ uid }) => uid));
  }

  async #store(mailbox: Mailbox, set: string, uids: readonly number[]): Promise<readonly Mailbox[]> {
    const { who } = this.#party;
    const sign = this.#dice.pick<Sign>(['', '+', '-']);
    const flags = this.#dice.some(flagNames);
    const rightOf = (flag: string) => (flag === '\\Seen' ? 's' : flag === '\\Deleted' ? 't' : 'w');
    const asked = sign === '' ? ['s', 't', 'w'] : flags.map(rightOf);
    const may = (right: string) => mailbox.may(who, right);
    const isDone = asked.length === 0 || asked.some(may);
    await this.#mustBe(isDone, `UID STORE ${set} ${sign}FLAGS (${flags.join(' ')})`);
    if (!isDone) return [mailbox];
    for (const message of mailbox.messages.filter(({ uid }) => uids.includes(uid))) {
      const { email } = message;
      const change = (flag: string, has: Set<string>, value: string) => {
        if (sign === '' ? flags.includes(flag) : sign === '+' && flags.includes(flag)) has.add(value);
        else if (sign === '' || flags.includes(flag)) has.delete(value);
      };
      if (may('s')) change('\\Seen', email.seen, who);
      if (may('w')) for (const flag of flagNames) if (rightOf(flag) === 'w') change(flag, email.flags, flag);
      if (may('t') && sign === '') message.deleted = flags.includes('\\Deleted');
      else if (may('t') && flags.includes('\\Deleted')) message.deleted = sign === '+';
    }
    return [mailbox];
  }

  async #transfer(command: 'COPY' | 'MOVE', from: Mailbox, set: string, uids: readonly number[]): Promise<readonly Mailbox[]> {
    const { who, mailboxes } = this.#party;
    const [name, to] = this.#dice.pick([...mailboxes].filter(([, mailbox]) => command === 'COPY' || mailbox !== from));
    if (to.messages.length + uids.length > messagesMax * 2) return this.#clear(name, to);
    const mayTake = command === 'COPY' || (from.may(who, 't') && from.may(who, 'e'));
    const isDone = mayTake && to.may(who, 'i');
    await this.#mustBe(isDone, `UID ${command} ${set} "${name}"`);
    if (!isDone) return [from, to];
    const there = from.messages.filter(({ uid }) => uids.includes(uid));
    for (const { email, deleted } of there) {
      const isDeleted = deleted && to.may(who, 't');
      if (from.of !== to.of)
        this.#enter(to, [...email.flags, ...(email.seen.has(who) ? ['\\Seen'] : []), ...(isDeleted ? ['\\Deleted'] : [])]);
      else if ((email.flags.size > 0 && !to.may(who, 'w')) || (email.seen.has(who) && !to.may(who, 's')))
        this.#enter(to, [...email.flags, ...(email.seen.has(who) ? ['\\Seen'] : []), ...(isDeleted ? ['\\Deleted'] : [])]);
      else if (to.messages.some((message) => message.email === email))
        to.add({ flags: new Set(email.flags), seen: new Set(email.seen) }, isDeleted);
      else to.add(email, isDeleted);
    }
    if (command === 'MOVE') from.remove(there.map(({ uid }) => uid));
    return [from, to];
  }

  async #sync(mailbox: Mailbox): Promise<readonly Mailbox[]> {
    await this.#mustBe(true, 'NOOP');
    await this.#actor.learn();
    expect(this.#actor.uids).toEqual(mailbox.messages.map(({ uid }) => uid));
    expect(this.#actor.known).toBe(mailbox.shownTo(this.#party.who));
    return [mailbox];
  }

  async #status(mailbox: Mailbox): Promise<readonly Mailbox[]> {
    const { who } = this.#party;
    const lines = await this.#mustBe(true, `STATUS "${this.#actor.selected}" (MESSAGES UNSEEN DELETED)`);
    const unseen = mailbox.messages.filter(({ email }) => !email.seen.has(who)).length;
    const deleted = mailbox.messages.filter((message) => message.deleted).length;
    expect(lines.find((line) => line.startsWith('* STATUS'))).toContain(
      `(MESSAGES ${mailbox.messages.length} UNSEEN ${unseen} DELETED ${deleted})`,
    );
    return [];
  }
}

describe('an owner and somebody he shares with', () => {
  it(`agree with a model for ${steps} random steps (seed ${seed})`, { timeout: 120_000 }, async () => {
    await using app = await startImapApp();
    const shared = sharedNames.map((name) => [name, new Mailbox('owner')] as const);
    const parties = [
      { who: 'owner' as const, login: user, mailboxes: new Map([...shared, ['INBOX', new Mailbox('owner')]]) },
      {
        who: 'viewer' as const,
        login: otherUser,
        mailboxes: new Map([
          ...shared.map(([name, mailbox]) => [`Other Users/${user}/${name}`, mailbox] as const),
          ['INBOX', new Mailbox('viewer')],
        ]),
      },
    ].map(
      ({ who, login, mailboxes }): Party => ({
        who,
        actors: [new Actor(app, login), new Actor(app, login)],
        resync: new ResyncClient(app, login),
        scratch: new ScratchClient(app, login),
        mailboxes,
      }),
    );
    const [owner] = parties as [Party, Party];
    for (const [name, mailbox] of shared) {
      mailbox.rights = 'lrswite';
      expect((await owner.actors[0]!.act(`SETACL "${name}" ${otherUser} ${mailbox.rights}`)).at(-1)).toMatch(/^x OK/);
    }
    const dice = new Dice(seed);
    for (let step = 1; step <= steps; step += 1) {
      const party = dice.pick(parties);
      const actor = dice.pick(party.actors);
      try {
        const touched = await new Step(party, actor, dice).take();
        for (const { who, mailboxes, resync, scratch } of parties) {
          for (const [name, mailbox] of mailboxes) {
            if (!touched.includes(mailbox)) continue;
            const wanted = mailbox.shownTo(who);
            expect([who, name, await resync.look(name)]).toEqual([who, name, wanted]);
            expect([who, name, await scratch.look(name)]).toEqual([who, name, wanted]);
          }
        }
      } catch (error) {
        const said = actor.last.slice(0, 12).join('\n    ');
        throw new Error(`step ${step} of seed ${seed}, ${party.who}: ${(error as Error).message}\n  ${said}`, { cause: error });
      }
    }
    for (const { actors, resync, scratch } of parties) for (const client of [...actors, resync, scratch]) client.leave();
  });
});
