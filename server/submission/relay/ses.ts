/**
 * The relay driver `ses`: SES's API, version 2. Up to 50 recipients a call, each call under SES's own message id, by which its events come back; tags
 * tell account and submission. Calls keep to the rate that SES grants. The SDK does not repeat a call: SES would send twice, since it has no name
 * under which it would know a message again.
 */
import {
  DeleteSuppressedDestinationCommand,
  GetAccountCommand,
  ListSuppressedDestinationsCommand,
  SESv2Client,
  SendEmailCommand,
} from '@aws-sdk/client-sesv2';
import { relayMsMax, relayWaitMsMax } from '../../../indexer/outbox/limits.ts';
import { withoutFields } from '../../../indexer/outbox/outgoing-message.ts';
import type { HandoverResult, Relay, RelayMessage } from '../../../indexer/outbox/relay.ts';
import type { Clock } from '../../../storage/clock.ts';

export interface SesRelayOptions {
  readonly region?: string;
  readonly endpoint?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly configurationSet?: string;
  readonly clock: Clock;
  /** SES refused to tell the rate; the last one known holds. */
  readonly onRateUnknown?: (error: unknown) => void;
}

export interface SesRelay extends Relay, Disposable {
  /** Recipients a second that SES grants. */
  readonly ratePerSecond: number;
}

/** Recipients of one call, and milliseconds that a granted rate is believed. */
const recipientsMax = 50;
const rateKeptMs = 10 * 60_000;
/** Milliseconds that SES may take to tell its rate. */
const askMsMax = 30_000;
/** Pages of a thousand addresses of SES's list that are looked through. */
const listPagesMax = 100;
/** Until GetAccount has answered: what SES grants in its sandbox. */
const rateAtFirst = 1;

/** Fields that SES takes once only; what was sent on from elsewhere may have several. The topmost, the newest, stays. */
const singleNames: ReadonlySet<string> = new Set([
  ...[
    'auto-submitted',
    'bcc',
    'cc',
    'content-type',
    'content-transfer-encoding',
    'date',
    'delivered-to',
    'dkim-signature',
    'from',
    'in-reply-to',
  ],
  ...[
    'list-archive',
    'list-help',
    'list-id',
    'list-owner',
    'list-post',
    'list-subscribe',
    'list-unsubscribe',
    'message-id',
    'mime-version',
  ],
  ...['precedence', 'references', 'reply-to', 'return-path', 'sender', 'subject', 'to'],
]);

export function openSesRelay(options: SesRelayOptions): SesRelay {
  const { region, endpoint, accessKeyId, secretAccessKey, configurationSet, clock } = options;
  const client = new SESv2Client({
    maxAttempts: 1,
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(accessKeyId === undefined || secretAccessKey === undefined ? {} : { credentials: { accessKeyId, secretAccessKey } }),
  });
  let rate = rateAtFirst;
  let askedAt = Number.NEGATIVE_INFINITY;
  let freeAt = 0;

  async function readRate(): Promise<void> {
    if (clock.monotonic() - askedAt < rateKeptMs) return;
    askedAt = clock.monotonic();
    try {
      const { SendQuota } = await client.send(new GetAccountCommand({}), { abortSignal: AbortSignal.timeout(askMsMax) });
      if (SendQuota?.MaxSendRate !== undefined && SendQuota.MaxSendRate > 0) rate = SendQuota.MaxSendRate;
    } catch (error) {
      options.onRateUnknown?.(error);
    }
  }

  /** Waits for its turn: so many recipients take so long. Resolves to how long it would be where that is longer than a claim allows. */
  async function pace(recipients: number): Promise<number | undefined> {
    const now = clock.monotonic();
    const begins = Math.max(now, freeAt);
    if (begins - now > relayWaitMsMax) return begins - now;
    freeAt = begins + (recipients * 1000) / rate;
    if (begins > now) await clock.sleep(begins - now);
    return undefined;
  }

  return {
    recipientsMax,
    get ratePerSecond() {
      return rate;
    },
    async send({ account, submission, rcptTo, bytes }: RelayMessage): Promise<readonly HandoverResult[]> {
      await readRate();
      const same = (result: HandoverResult) => rcptTo.map(() => result);
      const waitMs = await pace(rcptTo.length);
      if (waitMs !== undefined)
        return same({ kind: 'deferred', smtpReply: '451 4.7.1 The rate that SES grants is used up', afterMs: waitMs });
      try {
        const { MessageId } = await client.send(
          new SendEmailCommand({
            // Given, it is the envelope: what To and Cc say is not looked at.
            Destination: { ToAddresses: rcptTo.map(({ email }) => email) },
            Content: { Raw: { Data: forSes(bytes) } },
            EmailTags: [
              { Name: 'account', Value: account },
              { Name: 'submission', Value: submission },
            ],
            ...(configurationSet === undefined ? {} : { ConfigurationSetName: configurationSet }),
          }),
          { abortSignal: AbortSignal.timeout(relayMsMax) },
        );
        return same({ kind: 'relayed', smtpReply: `250 2.0.0 Ok ${MessageId ?? ''}`.trim(), ...(MessageId ? { relayId: MessageId } : {}) });
      } catch (error) {
        return same(resultOf(error));
      }
    },
    async unsuppress(address: string) {
      // SES sends nothing to any spelling, but removes only the one that is on its list: it is looked for.
      let NextToken: string | undefined;
      for (let page = 0; page < listPagesMax; page++) {
        const found = await client.send(
          new ListSuppressedDestinationsCommand({ PageSize: 1000, ...(NextToken === undefined ? {} : { NextToken }) }),
        );
        const spelt = found.SuppressedDestinationSummaries?.find(
          ({ EmailAddress }) => EmailAddress?.toLowerCase() === address.toLowerCase(),
        );
        if (spelt?.EmailAddress !== undefined) {
          await client.send(new DeleteSuppressedDestinationCommand({ EmailAddress: spelt.EmailAddress }));
          return true;
        }
        NextToken = found.NextToken;
        if (NextToken === undefined) return false;
      }
      return false;
    },
    [Symbol.dispose]: () => client.destroy(),
  };
}

/** Users choose no configuration set and no identity: X-SES fields are ours to send, and we send none. */
export function forSes(message: Buffer): Buffer {
  const seen = new Set<string>();
  return withoutFields(message, ({ name }) => {
    if (name.startsWith('x-ses-')) return true;
    if (!singleNames.has(name)) return false;
    if (seen.has(name)) return true;
    seen.add(name);
    return false;
  });
}

const minuteMs = 60_000;

/** What is the message's fault is final; what is the account's or the network's waits. */
function resultOf(error: unknown): HandoverResult {
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) };
  const said = `${name}: ${message}`;
  switch (name) {
    case 'MessageRejected':
      return { kind: 'failed', smtpReply: `554 5.6.0 ${said}` };
    case 'BadRequestException':
      return { kind: 'failed', smtpReply: `554 5.6.0 ${said}` };
    case 'MailFromDomainNotVerifiedException':
    case 'NotFoundException':
    case 'LimitExceededException':
      return { kind: 'deferred', smtpReply: `451 4.3.5 ${said}`, afterMs: 15 * minuteMs };
    case 'AccountSuspendedException':
    case 'SendingPausedException':
      return { kind: 'deferred', smtpReply: `451 4.7.1 ${said}`, afterMs: 30 * minuteMs };
    case 'TooManyRequestsException':
    case 'ThrottlingException':
      return { kind: 'deferred', smtpReply: `451 4.7.1 ${said}`, ...(/daily/i.test(message) ? { afterMs: 60 * minuteMs } : {}) };
    default:
      return { kind: 'deferred', smtpReply: `451 4.4.1 ${said}` };
  }
}
