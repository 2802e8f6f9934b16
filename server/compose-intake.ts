/** Mail in: the pipeline, the sweep of the bucket, LMTP, and the workers that parse. */

import { ParsePool } from '../indexer/parse-pool.ts';
import type { Accounts } from '../storage/account/api.ts';
import type { Clock } from '../storage/clock.ts';
import type { Directory } from '../storage/directory/directory.ts';
import type { Background } from './background.ts';
import type { OpenedStore } from './compose-store.ts';
import type { Config } from './config.ts';
import type { ReadMessage } from './imap/services.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import type { ConnectionHandler } from './net/listener.ts';

export interface Intake extends AsyncDisposable {
  readonly lmtp: (ConnectionHandler & { close(): Promise<void> }) | undefined;
  readMessage(raw: Uint8Array): Promise<ReadMessage>;
  beginWork(background: Background): void;
}

export interface IntakeOptions {
  readonly config: Config;
  readonly store: OpenedStore;
  readonly accounts: Accounts;
  readonly directory: Directory;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly logger: Logger;
}

export async function openIntake({ logger }: IntakeOptions): Promise<Intake> {
  const parsers = new ParsePool({
    onCasualty: (reason, bytes) => logger.warn('A message could not be parsed; it is kept as it is.', { reason, bytes }),
  });
  return {
    lmtp: undefined,
    readMessage: (raw) => parsers.parse(raw),
    beginWork() {},
    [Symbol.asyncDispose]: () => parsers[Symbol.asyncDispose](),
  };
}
