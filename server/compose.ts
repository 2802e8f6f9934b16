/**
 * Puts the parts together: `compose(config, ports)` opens the store, the accounts and the directory, and gives an App; its start() opens what
 * listens and begins the work beside. Disposing drains: listeners stop accepting, sessions are told, what is in flight is finished, and the index
 * is left clean.
 *
 * Mode `server` owns the data folder, or refuses. Mode `tool` is for one verb: nothing listens, and when a server owns the folder the index is a
 * temporary one; the log keeps both right.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { LogAccounts } from '../storage/account/log-accounts.ts';
import { Directory } from '../storage/directory/directory.ts';
import type { AdminServices } from './admin/services.ts';
import { verbs } from './admin/verbs.ts';
import type { FirstAccount, Listening } from './announcement.ts';
import { PasswordAuthenticator } from './auth/authenticator.ts';
import { OpenIdProvider } from './auth/openid-provider.ts';
import { Background } from './background.ts';
import { clientSetupOf, hasGivenHost } from './client-setup.ts';
import { openAccounts, quotaLimitsOf } from './compose-accounts.ts';
import { jmapRoutes, openFaces } from './compose-faces.ts';
import { openAdminSocket, openHttp } from './compose-http.ts';
import { openIntake } from './compose-intake.ts';
import { openFeedback, openOutbox, sendingLimitsOf } from './compose-outbox.ts';
import { openPush } from './compose-push.ts';
import { openRules } from './compose-rules.ts';
import { openShares } from './compose-shares.ts';
import { type OpenedStore, openStore, type StorePorts } from './compose-store.ts';
import { adminSocketPath, type Config, ConfigError, givenPublicUrl } from './config.ts';
import { deliverDemo } from './demo/deliver-demo.ts';
import { makeFirstAccount } from './first-account.ts';
import { fetchProviderText } from './http/fetch-text.ts';
import { addMessageFlowRoute } from './http/message-flow-route.ts';
import { addSetupRoutes } from './http/setup/setup-routes.ts';
import { type IndexLock, lockIndexFolder } from './index-lock.ts';
import { directoryAgeMsMax, directoryRefreshMs, finishRemovalsMs } from './limits.ts';
import { createMetrics } from './metrics.ts';
import { nodeIdentity } from './node-identity.ts';
import { Certificates } from './tls/certificates.ts';

export interface Ports extends StorePorts {
  /** Satchel's own, for clients that ask. */
  readonly version: string;
}

export interface App extends AsyncDisposable {
  readonly nodeId: string;
  readonly storeName: string;
  readonly services: AdminServices;
  readonly accounts: LogAccounts;
  readonly store: OpenedStore;
  /** Empty before start(). */
  readonly listening: readonly Listening[];
  readonly isSelfSigned: boolean;
  start(): Promise<void>;
  /** Makes the first account where the configuration asks for one and there is nothing yet. */
  makeFirstAccount(): Promise<FirstAccount | undefined>;
  /** Hands sample messages in for the first account that has no mail. Undefined when there is none. */
  deliverDemo(): Promise<{ readonly address: string; readonly count: number } | undefined>;
}

export interface ComposeOptions {
  readonly mode: 'server' | 'tool';
}

export async function compose(config: Config, ports: Ports, { mode }: ComposeOptions): Promise<App> {
  // In this order they are opened, and in the other one closed, also when opening fails halfway.
  await using opening = new AsyncDisposableStack();
  const index = opening.use(takeIndexFolder(config, mode));
  const store = opening.use(await openStore(config, ports));
  const nodeId = index.isTemporary ? `tool-${ports.random.hex(6)}` : nodeIdentity(config.dataDir, ports.random);
  const metrics = createMetrics(store.meter);
  const node = opening.use(openAccounts({ ...ports, store, nodeId, folder: index.folder, metrics, quotaLimits: quotaLimitsOf(config) }));
  const { accounts } = node;
  const directory = opening.use(await Directory.open({ ...ports, accounts, catchUp: accounts.catchUp }));
  node.heed(directory);
  const shares = openShares({ ...ports, accounts, directory, defaultDomain: config.defaultDomain });
  const feedback = openFeedback({ ...ports, config, accounts, directory, metrics });
  const rules = opening.use(openRules({ ...ports, config, accounts, directory, metrics }));
  const intake = opening.use(
    openIntake({
      passRules: rules.passInbound,
      ...ports,
      config,
      store,
      accounts,
      directory,
      metrics,
      onFeedback: (event) => feedback.take(event),
    }),
  );
  const folder = index.isTemporary ? index.folder : config.dataDir;
  const outbox = opening.use(
    await openOutbox({ ...ports, config, store, nodeId, folder, accounts, directory, intake, rules: rules.outbound, metrics }),
  );
  const { pipeline } = intake;
  const serving = new Serving();
  const setup = () => clientSetupOf(config, serving.listening.length === 0 ? undefined : serving.listening);
  const services: AdminServices = {
    directory,
    shares,
    setup,
    maintenance: node,
    held: pipeline.held,
    ...(outbox.relay.unsuppress === undefined ? {} : { unsuppressAtRelay: (address) => outbox.relay.unsuppress!(address) }),
    mail: {
      accounts,
      parse: (bytes) => intake.parsers.parse(bytes),
      messageBytesMax: config.limits.messageBytesMax,
      verdicts: config.verdicts,
      hooks: rules.hookNames,
      messageFlowUrl: rules.flowUrl,
      store: store.of('admin'),
      inboundPrefix: config.inbound.prefix,
      meter: store.meter,
      clock: ports.clock,
      startedAt: ports.clock.monotonic(),
    },
    release: (name, recipients) => intake.release(name, recipients),
  };
  // Listeners and work beside end before what they stand on.
  opening.use(serving);
  const owned = opening.move();

  async function start(): Promise<void> {
    const certificates = serving.use(new Certificates({ ...ports, files: config.tls, folder: join(config.dataDir, 'tls') }));
    serving.isSelfSigned = certificates.isSelfSigned;
    const openId = config.openId && new OpenIdProvider({ ...config.openId, clock: ports.clock, fetchText: fetchProviderText });
    const authenticator = new PasswordAuthenticator({
      ...ports,
      directory,
      defaultDomain: config.defaultDomain,
      directoryAgeMsMax,
      openId,
    });
    const background = serving.use(new Background(ports));
    node.beginWork(background, directory);
    intake.beginWork(background);
    outbox.beginWork(background);
    background.repeat({ name: 'directory refresh', pauseMs: directoryRefreshMs, run: () => serving.watchStore(directory.refresh()) });
    background.repeat({ name: 'finish removals', pauseMs: finishRemovalsMs, firstMs: 1, run: () => directory.finishRemovals() });

    const admin = { verbs, services, logger: ports.logger };
    const socket = await openAdminSocket(adminSocketPath(config), admin, ports.logger);
    if (socket !== undefined) serving.use(socket);
    const faces = {
      ...ports,
      config,
      accounts,
      authenticator,
      intake,
      outbox,
      certificates,
      hostname: hostname(),
      version: ports.version,
      metrics,
      shares,
    };
    serving.listening.push(...serving.use(await openFaces(faces)).listening);
    const { inbound } = intake;
    const pusher = serving.use(await openPush({ ...ports, config, accounts, directory }));
    const addJmap = jmapRoutes({
      pusher,
      ...faces,
      ...ports,
      directory,
      shares,
      sendingLimits: sendingLimitsOf(config),
      announce: (account) => outbox.dispatcher.announce(account),
      messageBytesMax: config.limits.messageBytesMax,
    });
    const certificate = () => certificates.current;
    const addFaces = async (server: FastifyInstance) => {
      await addJmap(server);
      await addMessageFlowRoute(server, rules.flow);
      const told = { setup, isHostGiven: hasGivenHost(config), publicUrl: givenPublicUrl(config) };
      await addSetupRoutes(server, { directory, certificate, clock: ports.clock, ...told });
    };
    const http = { logger: ports.logger, notReady: () => serving.notReady, metrics: () => metrics.render(), admin, inbound, addFaces };
    for (const listener of await openHttp(config, http, certificates)) serving.listening.push(serving.use(listener).listening);
    serving.notReady = undefined;
  }

  return {
    nodeId,
    storeName: store.name,
    services,
    accounts,
    store,
    get listening() {
      return serving.listening;
    },
    get isSelfSigned() {
      return serving.isSelfSigned;
    },
    start,
    makeFirstAccount: async () => (config.firstAccount === null ? undefined : makeFirstAccount(directory, config.firstAccount)),
    async deliverDemo() {
      const [first] = directory.listAccounts();
      if (first === undefined) return undefined;
      const account = await accounts.open(first.id);
      if (account.read((reader) => reader.mailboxes().some(({ total }) => total > 0))) return undefined;
      const count = await deliverDemo(store.of('demo'), config.inbound.prefix, first.address, ports.clock.now());
      return { address: first.address, count };
    },
    async [Symbol.asyncDispose]() {
      serving.notReady = 'The server is stopping.';
      await owned.disposeAsync();
    },
  };
}

const storeIsAway = 'The store does not answer.';

/** What start() has opened. */
class Serving implements AsyncDisposable {
  readonly listening: Listening[] = [];
  isSelfSigned = false;
  notReady: string | undefined = 'The server is starting.';
  readonly #opened = new AsyncDisposableStack();

  /** Whoever asks whether we are ready hears it when the store does not answer. */
  async watchStore(request: Promise<unknown>): Promise<void> {
    try {
      await request;
      if (this.notReady === storeIsAway) this.notReady = undefined;
    } catch (error) {
      this.notReady ??= storeIsAway;
      throw error;
    }
  }

  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    return this.#opened.use(resource);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
    this.listening.length = 0;
  }
}

interface IndexFolder extends Disposable {
  readonly folder: string;
  readonly isTemporary: boolean;
}

function takeIndexFolder(config: Config, mode: ComposeOptions['mode']): IndexFolder {
  const folder = join(config.dataDir, 'index');
  const result = lockIndexFolder(folder);
  if ('lock' in result) return owned(result.lock, false);
  if (mode === 'server') {
    const who = result.heldBy === undefined ? 'another process' : `process ${result.heldBy}`;
    throw new ConfigError(`The data folder ${config.dataDir} is in use by ${who}. Stop that one, or give this one its own dataDir.`);
  }
  const temporary = mkdtempSync(join(tmpdir(), 'satchel-'));
  const taken = lockIndexFolder(temporary);
  if ('lock' in taken) return owned(taken.lock, true);
  throw new ConfigError(`The temporary folder ${temporary} cannot be used. Look at its file system.`);
}

function owned(lock: IndexLock, isTemporary: boolean): IndexFolder {
  return {
    folder: lock.folder,
    isTemporary,
    [Symbol.dispose]() {
      lock[Symbol.dispose]();
      if (isTemporary) rmSync(lock.folder, { recursive: true, force: true });
    },
  };
}
