/** Writers on one account in one store, under a clock that moves when it is told to, or slept on. */
import type { Clock } from '../../../storage/clock.ts';
import { decodeCommit } from '../../../storage/log/commit-codec.ts';
import type { LogEvent } from '../../../storage/log/events.ts';
import { Log, type LogOptions } from '../../../storage/log/log.ts';
import type { Commit } from '../../../storage/log/record.ts';
import { logKey } from '../../../storage/objects/object-keys.ts';
import { SnapshotLoader } from '../../../storage/snapshot/loader.ts';
import { writeSnapshot } from '../../../storage/snapshot/writer.ts';
import { ToyMachine, type ToyTx } from '../../simulation/toy-machine.ts';
import { seededRandom } from '../../support/faulty-random.ts';
import { ScriptedStore } from './scripted-store.ts';

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

export class HandClock implements Clock {
  wall = Date.UTC(2026, 11, 1);
  mono = 1000;

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.mono;
  }

  async sleep(ms: number): Promise<void> {
    this.pass(ms);
  }

  pass(ms: number): void {
    this.wall += ms;
    this.mono += ms;
  }
}

export const account = 'acc1';

export class Account {
  /** The store's. */
  readonly clock = new HandClock();
  readonly store = new ScriptedStore({ clock: this.clock });

  writer(node: string, options: Partial<LogOptions<ToyTx, string>> = {}, machine = new ToyMachine()): Writer {
    return new Writer(this, node, options, machine);
  }

  async commit(seq: number): Promise<Commit> {
    const key = logKey(account, seq);
    return decodeCommit(key, (await this.store.get(key)).body, account, seq).commit;
  }

  remove(...numbers: number[]): Promise<void> {
    return this.store.deleteMany(numbers.map((seq) => logKey(account, seq)));
  }
}

export class Writer {
  readonly log: Log<ToyTx, string>;
  readonly machine: ToyMachine;
  readonly events: LogEvent[] = [];
  readonly effects: string[][] = [];
  readonly clock: HandClock;
  resets = 0;
  readonly #account: Account;

  constructor(world: Account, node: string, options: Partial<LogOptions<ToyTx, string>>, machine: ToyMachine) {
    this.#account = world;
    this.machine = machine;
    this.clock = (options.clock as HandClock | undefined) ?? world.clock;
    this.log = new Log({
      account,
      store: world.store,
      machine,
      clock: this.clock,
      random: seededRandom(node.length + node.charCodeAt(0)),
      node,
      snapshots: new SnapshotLoader({ store: world.store, accountId: account }),
      onEvent: (event) => this.events.push(event),
      onEffects: (effects) => this.effects.push([...effects]),
      onReset: () => {
        this.resets++;
      },
      ...options,
    });
  }

  kinds(): string[] {
    return this.events.map(({ kind }) => kind);
  }

  /** An item that can be found again. */
  add(token: string): Promise<number> {
    return this.log.transact((tx) => add(tx, token));
  }

  async snapshot(): Promise<void> {
    const { store, clock } = this.#account;
    await writeSnapshot(this.machine.view(), { store, accountId: account, clock, random: seededRandom(9), by: 'test' });
  }

  get tokens(): string[] {
    return [...this.machine.dump().tokens.keys()];
  }
}

export function add(tx: ToyTx, token: string): number {
  const number = tx.nextItem;
  tx.put('item', String(number), { touches: 0 });
  tx.put('token', token, number);
  return number;
}

/** Writers whose logs are open, with no request counted yet. */
export async function opened(...nodes: string[]) {
  const world = new Account();
  const writers = nodes.map((node) => world.writer(node));
  for (const { log } of writers) await log.open();
  world.store.requests.length = 0;
  return { world, writers, first: writers[0]!, second: writers[1]! };
}
