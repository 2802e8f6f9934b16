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
import type { Model, SimulatedMachine } from './model.ts';
import { Process } from './process.ts';
import { type Bucket, SimulatedStore } from './simulated-store.ts';
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

export interface Scene<Tx> {
  readonly model: Model<Tx>;
  readonly world: World;
  readonly bucket: Bucket;
  readonly operations: Operation[];
  readonly rules: SimulatedRules;
}

export class SimulatedNode<Tx> {
  readonly name: string;
  readonly #scene: Scene<Tx>;
  process!: Process;
  machine!: SimulatedMachine<Tx>;
  log!: Log<Tx, unknown>;
  #store!: ObjectStore;
  #blobs!: BlobStore;
  #random!: Random;
  #oldDisk: unknown;
  #lives = 0;
  #isOpen = false;

  constructor(scene: Scene<Tx>, name: string) {
    this.#scene = scene;
    this.name = name;
    this.#boot(undefined);
  }

  #boot(disk: unknown): void {
    const { bucket, world } = this.#scene;
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
    void this.#open(disk);
  }

  async #open(disk: unknown): Promise<void> {
    const { model, rules, world } = this.#scene;
    const { process } = this;
    const { clock, name } = process;
    const { random } = world;
    this.machine = await model.open({
      disk,
      fails: () => !world.isCalm && world.chance(0.01),
      checksPrev: rules.log?.checkPrev,
    });
    this.log = new Log<Tx, unknown>({
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
    world.trace(() => `${this.name} comes back ${disk === undefined ? 'with nothing' : 'with a state'}`);
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
    const { model, operations, world } = this.#scene;
    const operation: Operation = { token: `T${operations.length + 1}`, node: this.name, process: this.process, status: 'pending' };
    operations.push(operation);
    const { token } = operation;
    const kind = world.random.fraction();
    const pick = world.whole(0, 999);
    try {
      if (kind < 0.35) await this.#addWithBlob(operation);
      else if (kind < 0.5) await this.#ask(operation, (tx) => model.add(tx, token));
      else if (kind < 0.65) await this.#ask(operation, (tx) => model.copy(tx, token, pick));
      else if (kind < 0.8) await this.#ask(operation, (tx) => model.touch(tx, token, pick));
      else if (kind < 0.94) await this.#ask(operation, (tx) => model.remove(tx, token, pick));
      else if (kind < 0.97)
        await this.#ask(operation, (tx) => {
          model.put(tx, token);
          throw new MailError('forbidden', 'as it happens');
        });
      else await this.#ask(operation, () => -1);
    } catch (error) {
      // The upload failed: nothing was asked of the log.
      operation.status = 'unwritten';
      this.#unexpected(`change ${token}`, error);
    }
    world.trace(() => `${operation.process.name} ${token} is ${operation.status}`);
  }

  async #addWithBlob(operation: Operation): Promise<void> {
    const { model, world } = this.#scene;
    const { token } = operation;
    let upload: Upload = await this.#blobs.put(Buffer.from(token));
    const wait = world.random.fraction();
    if (wait < 0.1) await this.process.clock.sleep(world.between(minuteMs, 20 * hourMs));
    else if (wait < 0.25) await this.process.clock.sleep(world.between(dayMs, 12 * dayMs));
    const reupload = async () => {
      upload = await this.#blobs.put(Buffer.from(token));
      return [upload];
    };
    await this.#ask(operation, (tx) => model.add(tx, token, upload.ref), { uploads: [upload], reupload });
  }

  async #ask(operation: Operation, mutation: (tx: Tx) => number, options?: Parameters<Log<Tx, unknown>['transact']>[1]): Promise<void> {
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
