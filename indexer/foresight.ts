/**
 * Which accounts an object is for, before it gets a place among the messages being worked on: so that mail for a busy account waits, and nobody
 * behind it. It is a guess, by which a message takes its turn; who gets it is decided when it is read.
 */
import { StorageError } from '../protocol/mail/errors.ts';
import type { AccountId } from '../protocol/mail/ids.ts';
import { parseInboundKey } from '../storage/objects/object-keys.ts';
import type { ObjectStore } from '../storage/objects/object-store.ts';
import { understand } from './arrival.ts';
import { Gate } from './gate.ts';
import type { IntakeObserver } from './intake-events.ts';
import { lookedAtBytes, looksMax } from './limits.ts';
import type { InboundObject } from './pipeline-types.ts';
import { type RecipientDirectory, type RouteCandidates, route } from './routing.ts';

export interface ForesightPorts {
  readonly store: Pick<ObjectStore, 'getRange'>;
  readonly directory: RecipientDirectory;
  readonly observe: IntakeObserver;
  readonly inboundPrefix: string;
}

export class Foresight {
  readonly #ports: ForesightPorts;
  /** Beside the gate of the work: a look is short, and what it finds waits elsewhere. */
  readonly #gate = new Gate({ messagesMax: looksMax, bytesMax: looksMax * lookedAtBytes });

  constructor(ports: ForesightPorts) {
    this.#ports = ports;
  }

  /** As far as the source knows them, or the object's name does. Rejects with a StorageError when the directory cannot say. */
  named({ key, receipts = [] }: InboundObject): Promise<Iterable<AccountId>> {
    const address = parseInboundKey(this.#ports.inboundPrefix, key)?.address;
    const addresses = receipts.length > 0 ? receipts.flatMap(({ recipients }) => recipients) : address === undefined ? [] : [address];
    if (addresses.length === 0) return Promise.resolve([]);
    return this.#tellingOf(key, async () =>
      this.#accountsOf([{ source: 'receipt', isEnvelope: true, addresses: [...new Set(addresses)] }]),
    );
  }

  /** By the object's first bytes: a request more. None where they do not tell. Rejects with a StorageError when the store is away. */
  look({ key, receipts = [] }: InboundObject): Promise<Iterable<AccountId>> {
    const { store, inboundPrefix } = this.#ports;
    return this.#tellingOf(key, () =>
      this.#gate.pass(lookedAtBytes, async () => {
        const beginning = await store.getRange(key, 0, lookedAtBytes).catch(noneIfMissing);
        return this.#accountsOf(understand(key, inboundPrefix, beginning, receipts).candidates);
      }),
    );
  }

  async #accountsOf(candidates: readonly RouteCandidates[]): Promise<Iterable<AccountId>> {
    return (await route(this.#ports.directory, candidates)).targets.keys();
  }

  async #tellingOf<T>(key: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof StorageError) this.#ports.observe({ kind: 'postponed', key, error });
      throw error;
    }
  }
}

/** Whoever reads it finds that it is gone. */
function noneIfMissing(error: unknown): Buffer {
  if (error instanceof StorageError && error.code === 'missing') return Buffer.alloc(0);
  throw error;
}
