/** Mail in: the pipeline with the workers that parse for it, the sweep of the bucket, and LMTP. */
import { Resolver } from 'node:dns/promises';
import { hostname } from 'node:os';
import { authenticate } from '../indexer/authenticate.ts';
import { readAuthenticationResults } from '../indexer/authentication-results.ts';
import type { IntakeEvent } from '../indexer/intake-events.ts';
import { ParsePool } from '../indexer/parse-pool.ts';
import { type IntakeOutcome, Pipeline, type PipelinePorts } from '../indexer/pipeline.ts';
import { type DNSResolver, ResolverGuard } from '../indexer/resolver-guard.ts';
import { ServiceMail } from '../indexer/rules/service-mail.ts';
import { keyService } from '../indexer/ses/client-side-encryption.ts';
import type { FeedbackEvent } from '../indexer/ses/events.ts';
import { AnnouncedMail } from '../indexer/sources/announced.ts';
import { HttpSource } from '../indexer/sources/http.ts';
import { LmtpService } from '../indexer/sources/lmtp.ts';
import { type QueueAddress, SqsSource } from '../indexer/sources/sqs.ts';
import { Sweep } from '../indexer/sources/sweep.ts';
import { Undeliverable } from '../indexer/undeliverable.ts';
import type { Accounts } from '../storage/account/api.ts';
import type { Clock } from '../storage/clock.ts';
import type { Directory } from '../storage/directory/directory.ts';
import type { Random } from '../storage/random.ts';
import type { Background } from './background.ts';
import { openFilter } from './compose-filter.ts';
import type { OpenedStore } from './compose-store.ts';
import type { Config } from './config.ts';
import { fetchSnsText } from './http/fetch-text.ts';
import type { InboundRoute } from './http/inbound-route.ts';
import { copyBytesMin, dnsTries, dnsTryMs, queuePauseMs } from './limits.ts';
import { createLmtpServer, type LmtpServer } from './lmtp/lmtp-server.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import type { Certificates } from './tls/certificates.ts';

export interface Intake extends AsyncDisposable {
  readonly pipeline: Pipeline;
  readonly parsers: ParsePool;
  /** Takes in after all what was held: a message, or the text of an event. */
  release(name: string, recipients?: readonly string[]): Promise<IntakeOutcome | undefined>;
  /** Where events are posted to; undefined when the configuration believes nobody. */
  readonly inbound: InboundRoute | undefined;
  lmtp(certificates: Certificates): LmtpServer;
  /** Sweeps the bucket. */
  beginWork(background: Background): void;
}

export interface IntakeOptions {
  readonly config: Config;
  readonly store: OpenedStore;
  readonly accounts: Accounts;
  readonly directory: Directory;
  /** The organisation's rules. */
  readonly passRules: PipelinePorts['passRules'];
  /** Takes what SES tells of mail that we sent. */
  readonly onFeedback?: (event: FeedbackEvent) => Promise<void>;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly version: string;
}

export function openIntake(options: IntakeOptions): Intake {
  const { config, onFeedback, store, accounts, directory, metrics, clock, random, logger } = options;
  const { inbound, verdicts, limits } = config;
  const parsers = new ParsePool({
    onCasualty: (reason, bytes) => logger.warn('A message could not be parsed; it is kept, and shown as it is.', { reason, bytes }),
  });
  const filter = openFilter(options);
  const pipeline = new Pipeline(
    {
      store: store.of('intake'),
      accounts,
      directory,
      parsers,
      clock,
      observe: (event) => tell(event, logger, metrics),
      filter,
      passRules: options.passRules,
      undeliverable: new Undeliverable(config.undeliverable, {
        directory,
        clock,
        mail: new ServiceMail({ accounts, clock, hostName: hostname() }),
      }),
      ...(config.store.driver === 's3' ? { unwrapKey: keyService({ ...ofStore(config), ...inbound.kms }) } : {}),
    },
    {
      inboundPrefix: inbound.prefix,
      verdicts,
      messageBytesMax: limits.messageBytesMax,
      ...(config.store.driver === 's3' ? { copyBytesMin } : {}),
    },
  );
  metrics.gauge('satchel_intake_messages', 'Messages being taken in.', () => pipeline.load.messages);
  metrics.gauge('satchel_intake_bytes', 'Bytes of messages being taken in.', () => pipeline.load.bytes);
  const { topicArns, token } = inbound.http;
  const isPosted = topicArns.length > 0 || token !== undefined;
  const observe = (event: IntakeEvent) => tell(event, logger, metrics);
  const mail = new AnnouncedMail({
    store: store.of('intake'),
    pipeline,
    accounts,
    directory,
    clock,
    observe,
    inboundPrefix: inbound.prefix,
    bucket: config.store.driver === 's3' ? { name: config.store.bucket, prefix: config.store.prefix } : undefined,
    hasReceipts: topicArns.length > 0 || inbound.sqs.some(({ receipts }) => receipts),
    ...(onFeedback === undefined ? {} : { onFeedback }),
  });
  const queues = inbound.sqs.map(
    (queue) => new SqsSource({ queue: { ...ofStore(config), ...queue }, mail, held: pipeline.held, clock, observe }),
  );
  metrics.gauge('satchel_queue_messages', 'Messages of SQS being worked on.', () =>
    queues.reduce((sum, queue) => sum + queue.outstanding, 0),
  );
  /** SNS gives a message up within the hour that the sweep leaves to it: nothing older can still be posted. A queue may be behind by days. */
  const eventsEmptyAt = () => {
    const times = queues.map((queue) => queue.emptyAt);
    return times.includes(undefined) ? undefined : Math.min(clock.now(), ...times.filter((time) => time !== undefined));
  };
  return {
    pipeline,
    parsers,
    release: async (name, recipients) => (await mail.release(name)) ?? pipeline.release(name, recipients),
    inbound: isPosted
      ? { path: inbound.http.path, source: new HttpSource({ mail, topicArns, token, fetchText: fetchSnsText, clock, observe }) }
      : undefined,
    lmtp(certificates) {
      const dns = new ResolverGuard({
        resolver: openResolver(inbound.lmtp.dnsServers),
        clock,
        onChange: (isAway) => {
          if (isAway) logger.warn('DNS does not answer: mail by LMTP comes in without results of SPF, DKIM and DMARC until it does.');
          else logger.warn('DNS answers again.');
        },
      });
      metrics.gauge('satchel_dns_away', '1 while DNS does not answer, and mail by LMTP is not authenticated.', () => (dns.isAway ? 1 : 0));
      const service = new LmtpService({
        pipeline,
        directory,
        clock,
        random,
        hostName: hostname(),
        defaultDomain: config.defaultDomain,
        messageBytesMax: limits.messageBytesMax,
        authenticate: async (message, sender) =>
          readAuthenticationResults(message, inbound.lmtp.authservIds) ??
          (inbound.lmtp.authenticate ? authenticate(message, sender, { resolver: dns.resolve, clock, hostName: hostname() }) : {}),
        onError: (error) => logger.error('An LMTP transaction failed.', { error }),
      });
      return createLmtpServer({ service, logger, secureContext: () => certificates.current.context });
    },
    beginWork(background) {
      const sweep = new Sweep({
        store: store.of('sweep'),
        pipeline,
        clock,
        inboundPrefix: inbound.prefix,
        mustBeStill: config.store.driver === 'file',
        ...(isPosted || queues.length > 0 ? { eventsEmptyAt } : {}),
      });
      for (const queue of queues) {
        background.repeat({ name: 'queue of mail events', pauseMs: queuePauseMs, firstMs: 1, run: (signal) => queue.run(signal) });
      }
      background.repeat({ name: 'sweep', pauseMs: inbound.sweepSeconds * 1000, firstMs: 1, run: (signal) => sweep.run(signal) });
    },
    async [Symbol.asyncDispose]() {
      for (const queue of queues) queue[Symbol.dispose]();
      await parsers[Symbol.asyncDispose]();
    },
  };
}

function openResolver(servers: readonly string[]): DNSResolver {
  const resolver = new Resolver({ timeout: dnsTryMs, tries: dnsTries });
  if (servers.length > 0) resolver.setServers(servers);
  return (name, type) => resolver.resolve(name, type) as ReturnType<DNSResolver>;
}

/** A queue and a key lie where the bucket lies, and are asked with the bucket's credentials, unless it is said otherwise. */
function ofStore({ store }: Config): Pick<QueueAddress, 'region' | 'credentials'> {
  if (store.driver !== 's3') return {};
  const { region, accessKeyId, secretAccessKey } = store;
  return {
    ...(region === undefined ? {} : { region }),
    ...(accessKeyId === undefined || secretAccessKey === undefined ? {} : { credentials: { accessKeyId, secretAccessKey } }),
  };
}

function tell(event: IntakeEvent, logger: Logger, metrics: Metrics): void {
  metrics.count('satchel_intake_events_total', 'What became of messages on their way in.', { kind: event.kind });
  const { kind, ...fields } = event;
  switch (kind) {
    case 'delivered':
      if (event.kind === 'delivered') {
        metrics.observe('satchel_delivery_seconds', 'From arrival in the bucket, or at our door, to the commit.', event.latencyMs);
      }
      logger.info('Delivered.', fields);
      break;
    case 'duplicate':
      logger.debug('Taken in before; not delivered again.', fields);
      break;
    case 'ruled':
      logger.info('Rules of the organisation were followed.', fields);
      break;
    case 'dropped':
      logger.info('Dropped by policy.', fields);
      break;
    case 'held':
      logger.warn('Held back: see `satchel failed` or `satchel quarantine`.', fields);
      break;
    case 'bounced':
      logger.info('Nobody here has the address: the sender was told.', fields);
      break;
    case 'ignored':
      logger.debug('An event of an object that is not ours.', fields);
      break;
    case 'gone':
      logger.info('An event of an object that is not there: it was taken in before, or removed.', fields);
      break;
    case 'refused':
      logger.warn('An event was refused.', fields);
      break;
    case 'subscription':
      logger.warn('A subscription of SNS began or ended.', fields);
      break;
    case 'postponed':
      logger.warn('The store or an account is away; the message waits.', fields);
      break;
    case 'faulted':
      logger.error('A message made us fail.', fields);
      break;
  }
}
