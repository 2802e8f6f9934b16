/** What the simulation needs of a state machine: the machine on a disk of its own, and a few changes to ask of it. */
import type { StateMachine } from '../../storage/log/machine.ts';
import type { BlobRef } from '../../storage/log/record.ts';

export interface SimulatedMachine<Tx> extends StateMachine<Tx, unknown> {
  /** What its disk holds: to be opened again, any number of times. */
  dump(): unknown;
  /** All of the state in one text: equal for equal states. */
  contents(): string;
  /** Blobs of what lives, without tombstones. */
  living(): Iterable<BlobRef>;
}

export interface MachineOptions {
  /** As `dump` gave it. Undefined: an empty one. */
  readonly disk?: unknown;
  /** The index fails to settle a commit when this says so. */
  readonly fails?: () => boolean;
  readonly checksPrev?: boolean;
}

export interface Model<Tx> {
  open(options?: MachineOptions): Promise<SimulatedMachine<Tx>>;
  /**
   * Changes. Each leaves `token` in the log, as an `object.put` of type `token`, and answers with the value that it put there: the number of what
   * it made, or 0. `pick` chooses among what there is.
   */
  add(tx: Tx, token: string, blob?: BlobRef): number;
  /** Makes something new that names the blob of something that lives. */
  copy(tx: Tx, token: string, pick: number): number;
  touch(tx: Tx, token: string, pick: number): number;
  remove(tx: Tx, token: string, pick: number): number;
  /** Changes something. */
  put(tx: Tx, token: string): void;
}
