/**
 * Looks through the inbound prefix, so that mail is found however it got there and however many events were lost. One turn lists by pages and
 * takes in what is ready; it holds one page and the messages in flight, however many wait.
 *
 * Objects of an account that is busy are put off to let others pass, and taken up as soon as there is room; past a limit they are passed over, and the
 * turn lists again when there is room for their names. It does so too when working off takes long, for what has come meanwhile. Where an event source is configured,
 * an object is left to it for an hour, and until the source was found empty since: a sweep that ran ahead of the receipt would not know the
 * recipients that only the receipt names.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Clock } from '../../storage/clock.ts';
import type { ListPage, ObjectInfo, ObjectStore } from '../../storage/objects/object-store.ts';
import { eventGraceMs, messagesInFlightMax, parkedMax, relistAfterMs, stillMs } from '../limits.ts';
import type { IntakeOutcome, Pipeline } from '../pipeline.ts';

export interface SweepOptions {
  readonly store: Pick<ObjectStore, 'listPage' | 'head'>;
  readonly pipeline: Pick<Pipeline, 'ingest' | 'hasRoom'>;
  readonly clock: Clock;
  readonly inboundPrefix: string;
  /** The file store: files are written in place by whoever drops them, so an object must have been still before it counts as whole. */
  readonly mustBeStill: boolean;
  /** Given when events announce mail: when their source was last found empty, by our clock; undefined when not yet. */
  readonly eventsEmptyAt?: () => number | undefined;
  /** Default: the limit's. Tests take less. */
  readonly parkedMax?: number;
}

export interface SweepReport {
  /** Objects listed, and what became of those that were taken up. */
  readonly seen: number;
  readonly outcomes: Readonly<Partial<Record<IntakeOutcome['kind'], number>>>;
  /** Left where they are because the store or an account was away. */
  readonly postponed: number;
}

/** Failures in a row after which the turn ends: the store is away, and the next turn tries again. */
const failuresInARowMax = 16;

export class Sweep {
  readonly #options: SweepOptions;

  constructor(options: SweepOptions) {
    this.#options = options;
  }

  /** One turn. Rejects when the store cannot be listed, or when the signal was given. */
  async run(signal?: AbortSignal): Promise<SweepReport> {
    const turn = new Turn(this.#options, signal);
    try {
      do await this.#list(turn, signal);
      while (await turn.workOff());
    } finally {
      await turn.settle();
    }
    return turn.report;
  }

  async #list(turn: Turn, signal: AbortSignal | undefined): Promise<void> {
    const { store, inboundPrefix, eventsEmptyAt } = this.#options;
    // Nothing is due, and a listing costs what an upload does.
    if (eventsEmptyAt !== undefined && eventsEmptyAt() === undefined) return;
    let startAfter = turn.beginList();
    let page: ListPage | undefined;
    do {
      page = await store.listPage(inboundPrefix, { startAfter, pageBefore: page, signal });
      const young: ObjectInfo[] = [];
      for (const info of page.objects) {
        // What ends in a slash is a folder that somebody made.
        if (!turn.isNew(info.key) || info.key.endsWith('/')) continue;
        turn.seen++;
        if (!this.#isDue(info, page.date)) continue;
        if (this.#options.mustBeStill && page.date - info.lastModified < stillMs) young.push(info);
        else await turn.take(info);
        if (turn.isStopped) return;
      }
      for (const info of await this.#stillOf(young, signal)) await turn.take(info);
      startAfter = page.next;
    } while (startAfter !== undefined && !turn.isStopped);
  }

  #isDue(info: ObjectInfo, date: number): boolean {
    const { eventsEmptyAt } = this.#options;
    if (eventsEmptyAt === undefined) return true;
    const emptyAt = eventsEmptyAt();
    return date - info.lastModified > eventGraceMs && emptyAt !== undefined && info.lastModified < emptyAt;
  }

  /** Those that a second later are as they were; the others are for the next turn. */
  async #stillOf(young: readonly ObjectInfo[], signal: AbortSignal | undefined): Promise<readonly ObjectInfo[]> {
    if (young.length === 0) return [];
    await this.#options.clock.sleep(stillMs, signal);
    const now = await Promise.all(young.map((info) => this.#options.store.head(info.key, { signal })));
    return young.filter((info, index) => now[index]?.size === info.size && now[index]?.lastModified === info.lastModified);
  }
}

/** The messages in flight of one turn, and those put off. */
class Turn {
  /** Objects listed, each once; those passed over when they are listed again. */
  seen = 0;
  readonly #options: SweepOptions;
  readonly #signal: AbortSignal | undefined;
  readonly #parkedMax: number;
  readonly #running = new Set<Promise<void>>();
  readonly #parked = new Map<AccountId, ObjectInfo[]>();
  /** Keys of both. */
  readonly #taken = new Set<string>();
  #parkedCount = 0;
  /** Where the next list begins, for what was passed over. */
  #passedOver: { readonly after: string } | undefined;
  #listedAt = 0;
  #listMs = 0;
  readonly #outcomes: Partial<Record<IntakeOutcome['kind'], number>> = {};
  #postponed = 0;
  #failuresInARow = 0;

  constructor(options: SweepOptions, signal: AbortSignal | undefined) {
    this.#options = options;
    this.#signal = signal;
    this.#parkedMax = options.parkedMax ?? parkedMax;
  }

  get isStopped(): boolean {
    return this.#failuresInARow >= failuresInARowMax;
  }

  get report(): SweepReport {
    return { seen: this.seen, outcomes: this.#outcomes, postponed: this.#postponed };
  }

  /** Gives the name behind which to list: for what has come meanwhile all of it, for what was passed over the rest. */
  beginList(): string | undefined {
    const after = this.#isLate ? undefined : this.#passedOver?.after;
    this.#listedAt = this.#options.clock.monotonic();
    this.#passedOver = undefined;
    return after;
  }

  isNew(key: string): boolean {
    return !this.#taken.has(key);
  }

  /** Begins with the object once there is a place; first come those put off whose account has room again. */
  async take(info: ObjectInfo): Promise<void> {
    await this.#place();
    while (this.#takeParked()) await this.#place();
    this.#begin(info, true);
  }

  /** Those put off, as room comes. True: it is time to list again. */
  async workOff(): Promise<boolean> {
    const { clock } = this.#options;
    this.#listMs = clock.monotonic() - this.#listedAt;
    while ((this.#parkedCount > 0 || this.#running.size > 0) && !this.isStopped) {
      if (this.#isLate || (this.#passedOver !== undefined && this.#parkedCount <= this.#parkedMax / 2)) return true;
      if (this.#takeParked()) await this.#place();
      else if (this.#running.size > 0) await this.#next();
      // Others have the account busy: one of its objects waits for them.
      else this.#takeParked(true);
    }
    return this.#passedOver !== undefined && !this.isStopped;
  }

  /** Objects that are put off hold the turn up for long. */
  get #isLate(): boolean {
    return this.#parkedCount > 0 && this.#options.clock.monotonic() - this.#listedAt > Math.max(relistAfterMs, this.#listMs * 4);
  }

  /** Waits for what is in flight; begins nothing. */
  async settle(): Promise<void> {
    await Promise.all(this.#running);
  }

  #takeParked(evenIfBusy = false): boolean {
    for (const [account, waiting] of this.#parked) {
      if (!evenIfBusy && !this.#options.pipeline.hasRoom(account)) continue;
      const info = waiting.shift()!;
      this.#parkedCount--;
      // To the end of the line: accounts take turns.
      this.#parked.delete(account);
      if (waiting.length > 0) this.#parked.set(account, waiting);
      this.#begin(info, false);
      return true;
    }
    return false;
  }

  /** Past the limit it is left for the next list. */
  #park(account: AccountId, info: ObjectInfo): void {
    if (this.#parkedCount >= this.#parkedMax) {
      this.seen--;
      this.#taken.delete(info.key);
      const after = justBefore(info.key);
      if (this.#passedOver === undefined || after < this.#passedOver.after) this.#passedOver = { after };
      return;
    }
    const waiting = this.#parked.get(account);
    if (waiting === undefined) this.#parked.set(account, [info]);
    else waiting.push(info);
    this.#parkedCount++;
  }

  async #place(): Promise<void> {
    while (this.#running.size > messagesInFlightMax - 1) await this.#next();
    this.#signal?.throwIfAborted();
  }

  async #next(): Promise<void> {
    await Promise.race(this.#running);
    this.#signal?.throwIfAborted();
  }

  #begin(info: ObjectInfo, mayBePutOff: boolean): void {
    this.#taken.add(info.key);
    const running = this.#ingest(info, mayBePutOff).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #ingest(info: ObjectInfo, mayBePutOff: boolean): Promise<void> {
    try {
      const outcome = await this.#options.pipeline.ingest({ key: info.key, size: info.size, mayBePutOff });
      this.#failuresInARow = 0;
      if (outcome.kind === 'busy') {
        this.#park(outcome.account, info);
        return;
      }
      this.#taken.delete(info.key);
      this.#outcomes[outcome.kind] = (this.#outcomes[outcome.kind] ?? 0) + 1;
    } catch (error) {
      this.#taken.delete(info.key);
      // The pipeline has told its observer; the object stays for the next turn.
      this.#postponed++;
      if (!(error instanceof StorageError) || error.code === 'unavailable') this.#failuresInARow++;
    }
  }
}

/** A name that sorts before this one, and behind all that do not begin as it does. */
function justBefore(key: string): string {
  return [...key].slice(0, -1).join('');
}
