/** The organisation's rules, the hooks that they ask, and the interface by which functions read and replace messages. */
import { hostname } from 'node:os';
import { type Hook, type HookReport, Hooks } from '../indexer/hooks/hooks.ts';
import { httpsCall } from '../indexer/hooks/https.ts';
import { lambdaCall } from '../indexer/hooks/lambda.ts';
import { MessageFlow } from '../indexer/hooks/message-flow.ts';
import type { OutboundPorts } from '../indexer/rules/outbound.ts';
import { type Passage, type PassingMessage, passRules } from '../indexer/rules/passage.ts';
import { ServiceMail } from '../indexer/rules/service-mail.ts';
import { RuleTransport } from '../indexer/rules/transport.ts';
import type { Accounts } from '../storage/account/api.ts';
import type { Clock } from '../storage/clock.ts';
import type { Directory } from '../storage/directory/directory.ts';
import { S3Store } from '../storage/objects/s3.ts';
import type { Random } from '../storage/random.ts';
import { type Config, ConfigError } from './config.ts';
import { type MessageFlowRoute, messageFlowPath } from './http/message-flow-route.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

export interface Rules extends AsyncDisposable {
  readonly passInbound: (message: PassingMessage) => Promise<Passage | undefined>;
  readonly outbound: OutboundPorts;
  readonly flow: MessageFlowRoute;
  readonly hookNames: readonly string[];
  /** Where functions reach the message flow interface. */
  readonly flowUrl: string;
}

export interface RulesOptions {
  readonly config: Config;
  readonly accounts: Accounts;
  readonly directory: Directory;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export function openRules({ config, accounts, directory, metrics, clock, random, logger }: RulesOptions): Rules {
  const opened = new DisposableStack();
  const names = config.hooks.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new ConfigError(`hooks has two of the name ${twice}. Give each its own.`);
  const { messageBytesMax } = config.limits;
  const flowUrl = `${config.publicUrl.replace(/\/$/, '')}${messageFlowPath}`;
  const flow = new MessageFlow({
    clock,
    secret: random.hex(32),
    baseUrl: flowUrl,
    messageBytesMax,
  });
  const hooks = new Hooks({
    hooks: config.hooks.map((hook) => openHook(hook, clock, opened)),
    flow,
    clock,
    observe: (report) => tell(report, logger, metrics),
  });
  const transport = new RuleTransport({ rules: () => directory.rules(), askHook: (name, call) => hooks.ask(name, call) });
  const mail = new ServiceMail({ accounts, clock, hostName: hostname() });
  return {
    passInbound: (message) => passRules({ directory, transport, mail }, message),
    outbound: { transport, mail },
    hookNames: hooks.names,
    flowUrl,
    flow: {
      flow,
      secretOf: (accessKeyId) => directory.flowSecret(accessKeyId),
      now: () => clock.now(),
      readObject: objectReader(config, clock, logger),
      messageBytesMax,
    },
    async [Symbol.asyncDispose]() {
      opened.dispose();
    },
  };
}

function openHook(hook: Config['hooks'][number], clock: Clock, opened: DisposableStack): Hook {
  const { name, mode, timeoutMs, attempts, fallback } = hook;
  const call = hook.driver === 'https' ? httpsCall({ ...hook, clock }) : opened.use(lambdaCall(hook)).call;
  return { name, mode, timeoutMs, attempts, fallback, call };
}

/** Reads from the buckets that the configuration lists, as the store's own is read. */
function objectReader(config: Config, clock: Clock, logger: Logger): MessageFlowRoute['readObject'] {
  const { store } = config;
  const { region, endpoint, forcePathStyle, accessKeyId, secretAccessKey } = store.driver === 's3' ? store : ({} as Record<string, never>);
  const credentials = accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined;
  return async ({ bucket, key, objectVersion }) => {
    if (!config.messageFlow.buckets.includes(bucket)) return undefined;
    await using objects = new S3Store({ bucket, region, endpoint, forcePathStyle, credentials, clock });
    try {
      if (objectVersion !== undefined) return await objects.getVersion(key, objectVersion, config.limits.messageBytesMax);
      const info = await objects.head(key);
      if (info === undefined || info.size > config.limits.messageBytesMax) return undefined;
      return (await objects.get(key)).body;
    } catch (error) {
      logger.warn('A changed message of a hook could not be read.', { bucket, key, error });
      return undefined;
    }
  };
}

function tell(report: HookReport, logger: Logger, metrics: Metrics): void {
  metrics.count('satchel_hook_calls_total', 'What became of calls of hooks.', { kind: report.kind, hook: report.hook });
  const { kind, ...fields } = report;
  if (kind === 'asked') logger.debug('A hook was asked.', fields);
  else if (kind === 'failed') logger.warn('A hook failed.', fields);
  else logger.error('A hook gives no answer: its fallback holds.', fields);
}
