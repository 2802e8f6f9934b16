/**
 * One node of the simulation: a process with its own log, state and blobs on the shared account, that changes things, writes snapshots and
 * scrubs. A node that crashed comes back as a new process, on the disk that the old one left, an older copy of it, or none.
 */
import { MailError, StorageError } from '../../protocol/mail/errors.ts';
import { MemoryBlobCache } from '../../storage/blobs/blob-cache.ts';
import { BlobStore } from '../../storage/blobs/blob-store.ts';
import { Log, type Upload } from '../../storage/log/log.ts';
import type { LogRules } from '../../storage/log/rules.ts';
import type { ObjectStore } from '../../storage/objects/object-store.ts';
import { RetryingStore } from '../../storage/objects/retrying.ts';
import type { Random } from '../../storage/random.ts';
import { SnapshotLoader } from '../../storage/snapshot/loader.ts';
import { type ScrubRules, scrubAccount } from '../../storage/snapshot/scrubber.ts';
import { type SnapshotRules, writeSnapshot } from '../../storage/snapshot/writer.ts';
import { Process } from './process.ts';
import { type Bucket, SimulatedStore } from './simulated-store.ts';
import { type ToyDisk, ToyMachine, type ToyTx } from './toy-machine.ts';
import { dayMs, hourMs, minuteMs, secondMs, type World } from './world.ts';

export const account = 'sim';

/** Rules taken out. All are kept where nothing is said. */
export interface SimulatedRules {
  readonly log?: Partial<LogRules>;
  readonly scrub?: Partial<ScrubRules>;
  readonly snapshot?: Partial<SnapshotRules>;
  /** The scrubber writes a fence before it reads what is named. */
  readonly fence?: boolean;
}

/**
 * A change somebody asked for. `acknowledged`: it must be in the chain once. `refused`, `unwritten`: it must not. `unknown`, `pending`: at most
 * once.
 */
export interface Operation {
  readonly token: string;
  readonly node: string;
  readonly process: Process;
  status: 'pending' | 'acknowledged' | 'unchanged' | 'refused' | 'unwritten' | 'unknown';
  /** The number of the item that it made, as it was answered. */
  item?: number;
}

export interface Scene {
  readonly world: World;
  readonly bucket: Bucket;
  readonly operations: Operation[];
  readonly rules: SimulatedRules;
}

export class SimulatedNode {
  readonly name: string;
  readonly #scene: Scene;
  process!: Process;
  machine!: ToyMachine;
  log!: Log<ToyTx, string>;
  #store!: ObjectStore;
  #blobs!: BlobStore;
  #random!: Random;
  #oldDisk: ToyDisk | undefined;
  #lives = 0;
  #isOpen = false;

  constructor(scene: Scene, name: string) {
    this.#scene = scene;
    this.name = name;
    this.#boot(undefined);
  }

  #boot(disk: ToyDisk | undefined): void {
    const { bucket, rules, world } = this.#scene;
    this.#lives++;
    this.#isOpen = false;
    this.process = new Process(world, `${this.name}.${this.#lives}`);
    const { clock } = this.process;
    const { random } = world;
    this.#random = random;
    const store = new SimulatedStore(bucket, this.process);
    this.#store = new RetryingStore(store, { clock, random });
    // Where all clocks may be wrong at once, nothing tells how long ago the first attempt at a name was: a name is then used for one.
    const uploads = bucket.traits.refusesSkew ? this.#store : store;
    this.#blobs = new BlobStore({ store: uploads, accountId: account, clock, random, cache: new MemoryBlobCache({ bytesMax: 0 }) });
    this.machine = new ToyMachine({
      disk,
      fails: () => !world.isCalm && world.chance(0.01),
      checksPrev: rules.log?.checkPrev,
    });
    const { name } = this.process;
    this.log = new Log<ToyTx, string>({
      account,
      store: this.#store,
      machine: this.machine,
      clock,
      random,
      node: name,
      snapshots: new SnapshotLoader({ store: this.#store, accountId: account }),
      onEvent: (event) =>
        world.trace(() => `${name} ${JSON.stringify(event, (_, value) => (value instanceof Error ? value.message : value))}`),
      rules: rules.log,
    });
    void this.#open();
  }

  async #open(): Promise<void> {
    const { process } = this;
    for (;;) {
      try {
        await this.log.open();
        this.#isOpen = true;
        return;
      } catch (error) {
        this.#unexpected('opening', error);
        await process.clock.sleep(secondMs);
      }
    }
  }

  /** A time at which things happen: whatever this node does then. Nobody changes anything in a quiet one. */
  burst(isQuiet: boolean): void {
    const { world } = this.#scene;
    if (!this.process.isAlive) {
      this.#restart();
      return;
    }
    if (world.chance(0.15)) this.#oldDisk = this.machine.dump();
    if (world.chance(0.3)) return;
    const { process } = this;
    const at = (run: () => Promise<void>) => process.later(world.between(0, 2 * secondMs), () => void run());
    if (!isQuiet) for (let change = world.whole(1, 4); change > 0; change--) at(() => this.#change());
    if (world.chance(0.25)) process.later(world.between(0, 4 * secondMs), () => void this.#snapshot());
    if (world.chance(0.2)) process.later(world.between(0, 4 * secondMs), () => void this.#scrub());
  }

  #restart(): void {
    const { world } = this.#scene;
    if (world.chance(0.4)) return;
    const disk = world.pick([this.machine.dump(), this.machine.dump(), this.#oldDisk, undefined]);
    world.trace(() => `${this.name} comes back at ${disk?.position.seq ?? 0}`);
    this.#boot(disk);
  }

  /** Things are calm: what this node must be able to do now. */
  async settle(): Promise<void> {
    if (!this.process.isAlive) this.#boot(this.machine.dump());
    while (!this.#isOpen) await this.process.clock.sleep(secondMs);
    for (;;) {
      try {
        return await this.log.refresh();
      } catch (error) {
        this.#unexpected('the last refresh', error);
        await this.process.clock.sleep(secondMs);
      }
    }
  }

  async #change(): Promise<void> {
    const { operations, world } = this.#scene;
    const operation: Operation = { token: `T${operations.length + 1}`, node: this.name, process: this.process, status: 'pending' };
    operations.push(operation);
    const { token } = operation;
    const kind = world.random.fraction();
    try {
      if (kind < 0.35) await this.#addWithBlob(operation);
      else if (kind < 0.5) await this.#ask(operation, (tx) => this.#add(tx, token, {}));
      else if (kind < 0.65) await this.#ask(operation, (tx) => this.#copy(tx, token));
      else if (kind < 0.8) await this.#ask(operation, (tx) => this.#touch(tx, token));
      else if (kind < 0.94) await this.#ask(operation, (tx) => this.#remove(tx, token));
      else if (kind < 0.97)
        await this.#ask(operation, (tx) => {
          tx.put('token', token, 0);
          throw new MailError('forbidden', 'as it happens');
        });
      else await this.#ask(operation, (tx) => -tx.nextItem);
    } catch (error) {
      // The upload failed: nothing was asked of the log.
      operation.status = 'unwritten';
      this.#unexpected(`change ${token}`, error);
    }
    world.trace(() => `${operation.process.name} ${token} is ${operation.status}`);
  }

  async #addWithBlob(operation: Operation): Promise<void> {
    const { world } = this.#scene;
    const { token } = operation;
    let upload: Upload = await this.#blobs.put(Buffer.from(token));
    const wait = world.random.fraction();
    if (wait < 0.1) await this.process.clock.sleep(world.between(minuteMs, 20 * hourMs));
    else if (wait < 0.25) await this.process.clock.sleep(world.between(dayMs, 12 * dayMs));
    const reupload = async () => {
      upload = await this.#blobs.put(Buffer.from(token));
      return [upload];
    };
    await this.#ask(operation, (tx) => this.#add(tx, token, { blob: upload.ref }), { uploads: [upload], reupload });
  }

  #add(tx: ToyTx, token: string, item: object): number {
    const number = tx.nextItem;
    tx.put('item', String(number), { ...item, touches: 0 });
    tx.put('token', token, number);
    return number;
  }

  /** The second item names the blob of the first, which lives. */
  #copy(tx: ToyTx, token: string): number {
    const withBlob = [...tx.items.values()].filter(({ blob }) => blob !== undefined);
    const { blob } = withBlob[hashOf(token) % Math.max(1, withBlob.length)] ?? {};
    return this.#add(tx, token, blob === undefined ? {} : { blob });
  }

  #touch(tx: ToyTx, token: string): number {
    const ids = [...tx.items.keys()];
    const id = ids[hashOf(token) % Math.max(1, ids.length)];
    if (id !== undefined) tx.put('item', id, { ...tx.items.get(id)!, touches: tx.items.get(id)!.touches + 1 });
    tx.put('token', token, 0);
    return 0;
  }

  #remove(tx: ToyTx, token: string): number {
    const ids = [...tx.items.keys()];
    const id = ids[hashOf(token) % Math.max(1, ids.length)];
    if (id !== undefined) tx.remove('item', id);
    tx.put('token', token, 0);
    return 0;
  }

  async #ask(
    operation: Operation,
    mutation: (tx: ToyTx) => number,
    options?: Parameters<Log<ToyTx, string>['transact']>[1],
  ): Promise<void> {
    try {
      const value = await this.log.transact(mutation, options);
      operation.status = value < 0 ? 'unchanged' : 'acknowledged';
      if (value > 0) operation.item = value;
    } catch (error) {
      if (error instanceof MailError) operation.status = 'refused';
      else if (error instanceof StorageError && !error.message.includes('may have been written')) operation.status = 'unwritten';
      else operation.status = 'unknown';
      if (!(error instanceof MailError)) this.#unexpected(`change ${operation.token}`, error);
    }
  }

  async #snapshot(): Promise<void> {
    const { rules, world } = this.#scene;
    if (!this.#isOpen) return;
    const { clock } = this.process;
    const options = { store: this.#store, accountId: account, clock, random: this.#random, by: this.process.name, partBytesTarget: 2048 };
    try {
      const { outcome, position } = await writeSnapshot(this.machine.view(), { ...options, rules: rules.snapshot });
      world.trace(() => `${this.process.name} snapshot at ${position.seq}: ${outcome}`);
    } catch (error) {
      this.#unexpected('a snapshot', error);
    }
  }

  async #scrub(): Promise<void> {
    const { rules, world } = this.#scene;
    if (!this.#isOpen) return;
    const { log, machine, process } = this;
    const view = async () => {
      if (rules.fence === false) await log.refresh();
      else await log.fence();
      return machine.view();
    };
    const onRemoval = ({ key }: { key: string }) => world.trace(() => `${process.name} scrubs ${key}`);
    try {
      const report = await scrubAccount({
        store: this.#store,
        accountId: account,
        clock: process.clock,
        view,
        onRemoval,
        rules: rules.scrub,
      });
      for (const sentence of report.withheld) world.trace(() => `${process.name} withheld: ${sentence}`);
    } catch (error) {
      this.#unexpected('a scrub', error);
    }
  }

  /** The store may be away, and what lies about may be gone; anything else that fails is a failure of the run. */
  #unexpected(what: string, error: unknown): void {
    const { world } = this.#scene;
    const isExpected =
      error instanceof StorageError && (error.code === 'unavailable' || error.code === 'missing' || error.code === 'conflict');
    if (isExpected) world.trace(() => `${this.process.name} ${what}: ${error.message}`);
    else world.fail(`${this.process.name} ${what}: ${error instanceof Error ? error.stack : String(error)}`);
  }
}

function hashOf(token: string): number {
  return (Number(token.slice(1)) * 2_654_435_761) % 1_000_003;
}
