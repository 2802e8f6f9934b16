/** Mail out: the dispatcher with its relay, and submission by SMTP. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Dispatcher } from '../indexer/outbox/dispatcher.ts';
import { DomainStanding } from '../indexer/outbox/domain-standing.ts';
import { Feedback, type FeedbackObservation } from '../indexer/outbox/feedback.ts';
import { domainFlushMs, markLookMs, settledLookMs } from '../indexer/outbox/limits.ts';
import { OutboxMarks } from '../indexer/outbox/marks.ts';
import type { OutboxEvent } from '../indexer/outbox/outbox-events.ts';
import { noRelay, type Relay } from '../indexer/outbox/relay.ts';
import { Restraint } from '../indexer/outbox/restraint.ts';
import type { OutboundPorts } from '../indexer/rules/outbound.ts';
import type { AccountId } from '../protocol/mail/ids.ts';
import type { Account } from '../storage/account/api.ts';
import type { LogAccounts } from '../storage/account/log-accounts.ts';
import type { Clock } from '../storage/clock.ts';
import type { Directory } from '../storage/directory/directory.ts';
import { activeKeys } from '../storage/directory/dkim.ts';
import { directoryAccountId } from '../storage/objects/object-keys.ts';
import { domainHistories, type SendingLimits } from '../storage/outbox/history.ts';
import { serviceOutboxId } from '../storage/outbox/outbox.ts';
import type { Random } from '../storage/random.ts';
import type { Authenticator } from './auth/authenticator.ts';
import type { Background } from './background.ts';
import type { Intake } from './compose-intake.ts';
import type { OpenedStore } from './compose-store.ts';
import type { Config } from './config.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import type { SessionServer } from './net/sessions.ts';
import { createSmtpServer } from './net/smtp-server.ts';
import { openAnswerFile } from './submission/answer-file.ts';
import { extensionsLookMs } from './submission/limits.ts';
import { openSesRelay } from './submission/relay/ses.ts';
import { openSmtpRelay } from './submission/relay/smtp.ts';
import { SubmissionService } from './submission/submission-service.ts';
import type { Certificates } from './tls/certificates.ts';

export interface Outbox extends AsyncDisposable {
  readonly dispatcher: Dispatcher;
  readonly relay: Relay;
  submission(authenticator: Authenticator, certificates: Certificates): SessionServer;
  /** Begins to hand over. */
  beginWork(background: Background): void;
}

export interface OutboxOptions {
  readonly config: Config;
  readonly store: OpenedStore;
  readonly nodeId: string;
  /** The folder that is this process's own: the data folder, or a temporary one. */
  readonly folder: string;
  readonly accounts: LogAccounts;
  readonly directory: Directory;
  readonly intake: Intake;
  /** The organisation's rules on what its users send. */
  readonly rules: OutboundPorts;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Takes what SES tells of mail that we sent. */
export function openFeedback(
  options: Pick<OutboxOptions, 'config' | 'accounts' | 'directory' | 'metrics' | 'clock' | 'random' | 'logger'>,
): Feedback {
  const { config, accounts, directory, metrics, clock, random } = options;
  const logger = options.logger.child({ face: 'outbox' });
  const observe = (event: FeedbackObservation) => tellFeedback(event, logger, metrics);
  const standing = new DomainStanding({ accounts, directory });
  return new Feedback({ accounts, directory, standing, clock, random, hostName: hostname(), reportDomain: config.defaultDomain, observe });
}

export async function openOutbox(options: OutboxOptions): Promise<Outbox> {
  const { config, store, nodeId, accounts, directory, intake, metrics, clock, random } = options;
  const logger = options.logger.child({ face: 'outbox' });
  const directoryAccount = await accounts.open(directoryAccountId as AccountId);
  const relay = openRelay(options, directoryAccount, logger);
  const answers = openAnswerFile({
    path: join(options.folder, 'relay-answers'),
    now: () => clock.now(),
    onFault: (error) => logger.error('The journal of what relays answer cannot be written: a crash may send copies twice.', { error }),
  });
  const service = await accounts.open(serviceOutboxId);
  const standing = new DomainStanding({ accounts, directory });
  const dispatcher = new Dispatcher({
    accounts,
    answers,
    standing,
    marks: new OutboxMarks(store.of('outbox'), clock),
    clock,
    random,
    node: nodeId,
    reportDomain: config.defaultDomain,
    hostName: hostname(),
    catchUp: accounts.catchUp,
    pipeline: intake.pipeline,
    rules: options.rules,
    directory,
    relay,
    restraint: new Restraint(service, clock),
    observe: (event) => tell(event, logger, metrics),
  });
  metrics.gauge('satchel_outbox_pending', 'Submissions with copies left to hand over, in the open accounts.', () => dispatcher.pending);
  metrics.gauge('satchel_domains_restrained', 'Domains that are warned, slowed or stopped in sending.', () =>
    service.read((reader) => [...domainHistories(reader)].filter(({ history }) => history.containment !== null).length),
  );
  return {
    dispatcher,
    relay,
    submission(authenticator, certificates) {
      const { submission, relay: relayConfig, limits } = config;
      const service = new SubmissionService({
        accounts,
        directory,
        authenticator,
        announce: (account) => dispatcher.announce(account),
        readMessage: (raw) => intake.parsers.parse(raw),
        clock,
        random,
        logger: options.logger.child({ face: 'submission' }),
        hostName: hostname(),
        messageBytesMax: limits.messageBytesMax,
        recipientsPerMessageMax: submission.recipientsPerMessage,
        limits: sendingLimitsOf(config),
        keepsSent: submission.keepSent,
        relay: {
          isThere: relayConfig.driver !== 'none',
          takesUtf8: relayConfig.driver === 'smtp',
          canRequireTls: () => relay.extensions?.has('REQUIRETLS') === true,
        },
      });
      return createSmtpServer({
        service,
        logger: options.logger.child({ face: 'submission' }),
        secureContext: () => certificates.current.context,
      });
    },
    beginWork(background) {
      const attach = (account: Account) => dispatcher.attach(account);
      accounts.onOpened(attach);
      background.repeat({ name: 'outbox', pauseMs: 1000, firstMs: 1, run: (signal) => dispatcher.run(signal) });
      background.repeat({
        name: 'outbox marks',
        pauseMs: markLookMs,
        firstMs: 1,
        run: () => dispatcher.look(),
      });
      const { lookForExtensions: look } = relay;
      if (look !== undefined)
        background.repeat({ name: 'extensions of the relay', pauseMs: extensionsLookMs, firstMs: 1, run: (signal) => look(signal) });
      background.repeat({ name: 'standing of domains', pauseMs: domainFlushMs, run: () => standing.flush() });
      background.repeat({ name: 'old submissions', pauseMs: settledLookMs, run: () => dispatcher.removeOld() });
    },
    async [Symbol.asyncDispose]() {
      await dispatcher[Symbol.asyncDispose]();
      await standing.flush().catch((error: unknown) => logger.warn('What domains have sent could not be written down.', { error }));
      relay[Symbol.dispose]();
      answers[Symbol.dispose]();
    },
  };
}

/** What an account may send in a day, by whichever face. */
export function sendingLimitsOf({ submission }: Config): SendingLimits {
  return { messagesPerDayMax: submission.messagesPerDay, recipientsPerDayMax: submission.recipientsPerDay };
}

function openRelay({ config, clock }: OutboxOptions, directory: Account, logger: Logger): Relay & Disposable {
  const { relay } = config;
  switch (relay.driver) {
    case 'none':
      return { ...noRelay, [Symbol.dispose]() {} };
    case 'smtp': {
      const { connections, driver: _driver, ...server } = relay;
      const keysOf = (domain: string) => directory.read((reader) => activeKeys(reader, domain));
      return openSmtpRelay({ ...server, connectionsMax: connections, hostName: hostname(), keysOf, clock });
    }
    case 'ses': {
      const { driver: _driver, ...service } = relay;
      return openSesRelay({ ...service, clock, onRateUnknown: (error) => logger.warn('SES does not tell the rate it grants.', { error }) });
    }
  }
}

function tell(event: OutboxEvent, logger: Logger, metrics: Metrics): void {
  metrics.count('satchel_outbox_events_total', 'What became of copies on their way out.', { kind: event.kind });
  const { kind, ...fields } = event;
  switch (kind) {
    case 'delivered':
    case 'relayed':
      if ('latencyMs' in event) metrics.observe('satchel_outbox_seconds', 'From when a message may leave to when it did.', event.latencyMs);
      logger.info(kind === 'delivered' ? 'Delivered here.' : 'Handed to the relay.', fields);
      break;
    case 'deferred':
      logger.info('Not taken now; it is tried again.', fields);
      break;
    case 'failed':
      logger.warn('Could not be delivered.', fields);
      break;
    case 'reported':
      logger.info('The sender is told.', fields);
      break;
    case 'takenOver':
      logger.warn('An attempt that was cut short is made again; the copy may arrive twice.', fields);
      break;
    case 'faulted':
      logger.error('Handing over failed; it is tried again.', fields);
      break;
  }
}

function tellFeedback(event: FeedbackObservation, logger: Logger, metrics: Metrics): void {
  const { kind, ...fields } = event;
  const what = 'event' in event ? event.event : kind;
  metrics.count('satchel_feedback_total', 'What SES told of mail that was sent.', { what, outcome: kind });
  switch (kind) {
    case 'taken':
      logger.info('SES tells what became of a message.', fields);
      break;
    case 'suppressed':
      logger.warn('Nothing is sent to this address any more: see `satchel suppression`.', fields);
      break;
    case 'contained':
      logger.error('An account is restrained in sending: see `satchel outbox reputation`, and `satchel outbox release`.', fields);
      break;
    case 'domainContained':
      logger.error('A domain is restrained in sending: see `satchel outbox reputation`, and `satchel outbox release`.', fields);
      break;
    case 'unknown':
      logger.debug('SES tells of a message that is not known here.', fields);
      break;
    case 'repeated':
    case 'ignored':
      logger.debug('An event of SES that changes nothing.', fields);
      break;
  }
}
