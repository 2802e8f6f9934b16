/**
 * The process: reads the command line and the configuration, runs the server or one verb, and ends with its exit code. Here and in compose.ts
 * the real clock, chance, log and store are made and handed to the parts that use them.
 */
import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Verb } from './admin/verb.ts';
import { verbs } from './admin/verbs.ts';
import { formatAnnouncement } from './announcement.ts';
import { callServer } from './cli/admin-client.ts';
import { type CliPorts, type CommonOptions, runCommandLine } from './cli/program.ts';
import type { VerbSession } from './cli/transfer-commands.ts';
import { systemClock } from './clock.ts';
import type { App, Ports } from './compose.ts';
import { adminSocketPath, type Config, type LoadedConfig, loadConfig, withoutSecrets } from './config.ts';
import { configJsonSchema } from './config-schema.ts';
import { drainMsMax, signalRepeatMs } from './limits.ts';
import { LogSink } from './log-sink.ts';
import { createLogger, type Logger, type LogLevel } from './logger.ts';
import { systemRandom } from './random.ts';

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as { version: string };

const cli: CliPorts = {
  verbs,
  version,
  stdout: (output) => void process.stdout.write(output),
  stderr: (output) => void process.stderr.write(output),
  readStdin: () => text(process.stdin),
  runVerb,
  openVerbs,
  terminal: process.stderr.isTTY ? (output) => void process.stderr.write(output) : undefined,
  now: () => systemClock.monotonic(),
  serve,
  showConfig: async ({ config, isSchema }) =>
    JSON.stringify(isSchema ? configJsonSchema() : withoutSecrets(load({ config }).config), undefined, 2),
};

// `satchel … | head` reads no more than it wants.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await runCommandLine(process.argv.slice(2), cli);

function load({ config }: CommonOptions): LoadedConfig {
  return loadConfig({ file: config, env: process.env, cwd: process.cwd() });
}

/** A server that answers on the socket does it; otherwise this process opens the store for the while. */
async function runVerb(verb: Verb, parameters: Record<string, unknown>, options: CommonOptions): Promise<unknown> {
  const { config } = load(options);
  const outcome = await callServer(adminSocketPath(config), verb, parameters);
  if (outcome.answered) return outcome.result;
  // Loaded when needed: a verb that a server does is done before the parts of a server are read.
  const { compose } = await import('./compose.ts');
  // What goes wrong reaches the user as the verb's own answer; the log of such a short run is for what is wrong besides.
  await using app = await compose(config, portsOf(config, 'warn'), { mode: 'tool' });
  return await verb.run(app.services, parameters);
}

/** The store is opened when the first call finds no server, and kept open for the others. */
async function openVerbs(options: CommonOptions): Promise<VerbSession> {
  const { config } = load(options);
  let opened: App | undefined;
  const open = async () => {
    const { compose } = await import('./compose.ts');
    opened = await compose(config, portsOf(config, 'warn'), { mode: 'tool' });
    return opened;
  };
  let opening: Promise<App> | undefined;
  return {
    messageBytesMax: config.limits.messageBytesMax,
    async call(name, parameters) {
      const verb = verbs.find((row) => row.name === name);
      if (verb === undefined) throw new Error(`there is no verb ${name}`);
      if (opening === undefined) {
        const outcome = await callServer(adminSocketPath(config), verb, parameters);
        if (outcome.answered) return outcome.result;
        opening ??= open();
      }
      const app = await opening;
      return verb.run(app.services, parameters);
    },
    [Symbol.asyncDispose]: async () => opened?.[Symbol.asyncDispose](),
  };
}

async function serve(options: CommonOptions & { readonly isDemo: boolean }): Promise<void> {
  const { config, warnings } = load(options);
  const ports = portsOf(config, config.log.level);
  for (const warning of warnings) ports.logger.warn(warning);
  const stopping = firstSignal(ports.logger);
  const { compose } = await import('./compose.ts');
  const app = await compose(config, ports, { mode: 'server' });
  try {
    await app.start();
    const first = await app.makeFirstAccount();
    const { listening, storeName: store, isSelfSigned } = app;
    const hasAccounts = app.services.directory.listAccounts().length > 0;
    process.stdout.write(formatAnnouncement({ config, listening, store, isSelfSigned, firstAccount: first, hasAccounts }));
    if (options.isDemo) await demo(app);
    ports.logger.info('Serving.', { node: app.nodeId, store: app.storeName });
    const signal = await stopping;
    ports.logger.info('Stopping.', { signal });
  } finally {
    const late = setTimeout(() => {
      ports.logger.error('Stopping takes too long; ending now. Nothing acknowledged is lost.');
      process.exit(0);
    }, drainMsMax);
    late.unref();
    await app[Symbol.asyncDispose]();
    clearTimeout(late);
  }
  // Nothing is left to wait for. A pool of sockets that some library keeps warm must not keep us.
  process.exit(0);
}

async function demo(app: App): Promise<void> {
  const delivered = await app.deliverDemo();
  const said =
    delivered === undefined
      ? 'No sample messages: there is no account, or it has mail already.'
      : `${delivered.count} sample messages are on their way to ${delivered.address}.`;
  process.stdout.write(`${said}\n`);
}

/** Resolves at the first signal to stop; a second one ends the process at once. */
function firstSignal(logger: Logger): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let firstAt: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    const now = systemClock.monotonic();
    if (firstAt === undefined) {
      firstAt = now;
      resolve(signal);
    } else if (now - firstAt > signalRepeatMs) {
      logger.warn('A second signal: ending at once. Nothing acknowledged is lost.', { signal });
      process.exit(1);
    }
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, onSignal);
  return promise;
}

function portsOf(config: Config, level: LogLevel): Ports {
  const isForPeople = config.log.format === 'text' || (config.log.format === 'auto' && process.stderr.isTTY === true);
  const { write, flush } = new LogSink({ write: (text) => void writeSync(2, text), isWatched: process.stderr.isTTY === true });
  // Before the error itself is printed, and before the process ends however it does, a signal that nobody handles left out.
  process.on('uncaughtExceptionMonitor', flush).on('exit', flush);
  const logger = createLogger({ level, format: isForPeople ? 'text' : 'json', write, flush });
  return { clock: systemClock, random: systemRandom, logger, version };
}
