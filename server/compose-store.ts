/**
 * Makes the object store that the configuration names, and refuses one that would lose mail: drivers, retries and the meter around them, the
 * bucket's own rules, and the probe. A store that has passed the probe is not asked again for a day.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StorageError } from '../protocol/mail/errors.ts';
import type { Clock } from '../storage/clock.ts';
import { openFileStore } from '../storage/objects/file.ts';
import { assertBucketSettings } from '../storage/objects/lifecycle.ts';
import { StoreMeter } from '../storage/objects/metered.ts';
import type { ObjectStore } from '../storage/objects/object-store.ts';
import { probeStore } from '../storage/objects/probe.ts';
import { RetryingStore } from '../storage/objects/retrying.ts';
import { S3Store } from '../storage/objects/s3.ts';
import type { Random } from '../storage/random.ts';
import type { Config } from './config.ts';
import { probeKeptMs } from './limits.ts';
import type { Logger } from './logger.ts';

export interface OpenedStore extends AsyncDisposable {
  /** The store whose requests count for `cause`; retries are inside, but for conditional writes. */
  of(cause: string): ObjectStore;
  readonly meter: StoreMeter;
  readonly name: string;
}

export interface StorePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Stands in for the configured driver, unprobed: tests. */
  readonly driver?: ObjectStore;
}

/** Throws StorageError `refused` for a store that we may not run on, `unavailable` when it does not answer. */
export async function openStore(config: Config, ports: StorePorts): Promise<OpenedStore> {
  const driver = ports.driver ?? (await createDriver(config, ports));
  const meter = new StoreMeter({ clock: ports.clock });
  const opened: OpenedStore = {
    meter,
    name: driver.name,
    // The meter stands inside, so that every attempt counts.
    of: (cause) => new RetryingStore(meter.of(driver, cause), ports),
    [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
  };
  try {
    if (driver instanceof S3Store) {
      const warnings = assertBucketSettings(await driver.bucketSettings(), config.inbound.prefix);
      for (const warning of warnings) ports.logger.warn(warning, { store: driver.name });
    }
    if (ports.driver === undefined) await probeOnceADay(config, opened, ports);
    return opened;
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw inWords(error, driver.name);
  }
}

async function createDriver(config: Config, { clock, random }: StorePorts): Promise<ObjectStore> {
  const { store } = config;
  if (store.driver === 'file') {
    // Where a message is dropped by hand.
    mkdirSync(join(store.path, config.inbound.prefix), { recursive: true });
    return openFileStore({ path: store.path, clock, random });
  }
  const { accessKeyId, secretAccessKey, driver, ...options } = store;
  void driver;
  const credentials = accessKeyId === undefined || secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey };
  return new S3Store({ ...options, credentials, clock });
}

async function probeOnceADay(config: Config, store: OpenedStore, { clock, random, logger }: StorePorts): Promise<void> {
  const file = join(config.dataDir, 'probed.json');
  const endpoint = config.store.driver === 's3' ? (config.store.endpoint ?? config.store.region ?? '') : '';
  const name = `${store.name} ${endpoint}`.trimEnd();
  const last = readProbed(file);
  const ageMs = clock.now() - (last?.at ?? Number.NEGATIVE_INFINITY);
  if (last?.store === name && ageMs >= 0 && ageMs < probeKeptMs) return;
  await probeStore(store.of('probe'), random);
  logger.debug('The store keeps its promises.', { store: store.name });
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  writeFileSync(file, `${JSON.stringify({ store: name, at: clock.now() })}\n`);
}

function readProbed(file: string): { readonly store: string; readonly at: number } | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function inWords(error: unknown, name: string): unknown {
  if (!(error instanceof StorageError) || error.code !== 'unavailable') return error;
  return new StorageError(
    'unavailable',
    `The store ${name} does not answer (${error.message}). Check store in the configuration, and the network.`,
    {
      cause: error,
    },
  );
}
