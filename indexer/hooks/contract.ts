/** WorkMail's contract with a Lambda function of an email flow rule: the event that it gets, and the answer that a synchronous one gives. */
import { hash } from 'node:crypto';
import { fieldValue, lastField, scanHeader } from '../../protocol/mime/header.ts';
import { asText } from '../../protocol/mime/header-forms.ts';
import { addressesOf } from '../rules/conditions.ts';
import type { HookAnswer, HookCall } from '../rules/transport.ts';
import { bounceCharactersMax, recipientsBytesMax, responseActionsMax, subjectCharactersMax } from './limits.ts';

export interface HookEvent {
  readonly summaryVersion: '2019-07-28';
  readonly envelope: {
    readonly mailFrom: { readonly address: string };
    readonly recipients: readonly { readonly address: string }[];
  };
  /** Only where the Sender field differs from the From field. */
  readonly sender?: { readonly address: string };
  readonly subject: string;
  /** For GetRawMessageContent and PutRawMessageContent. */
  readonly messageId: string;
  /** The same at every attempt. */
  readonly invocationId: string;
  readonly flowDirection: 'INBOUND' | 'OUTBOUND';
  /** The list of recipients was cut. */
  readonly truncated: boolean;
  /** Ours: GET reads the raw message, PUT replaces it, without keys, for some minutes. */
  readonly rawMessageUrl?: string;
}

/** The same message asked about by the same hook gets the same ids, at every attempt and on every node. */
export function idsOf(hook: string, { key, bytes, recipients }: HookCall): { readonly messageId: string; readonly invocationId: string } {
  const digest = hash('sha256', JSON.stringify([hook, key, recipients, hash('sha256', bytes)]));
  const [, a, b, c, d, e] = /^(.{8})(.{4}).(.{3}).(.{3})(.{12})/.exec(digest)!;
  return { messageId: `${a}-${b}-4${c}-8${d}-${e}`, invocationId: digest.slice(24, 64) };
}

/** The event that a function is called with, by WorkMail's contract. */
export function eventOf(hook: string, call: HookCall, rawMessageUrl: string | undefined): HookEvent {
  const { bytes, envelopeFrom = '', direction } = call;
  const { fields } = scanHeader(bytes);
  const value = (name: string) => {
    const field = lastField(fields, name);
    return field && fieldValue(bytes, field);
  };
  const [sender] = addressesOf(value('sender') ?? '');
  const [from] = addressesOf(value('from') ?? '');
  const recipients: { address: string }[] = [];
  let octets = 0;
  for (const address of call.recipients) {
    octets += JSON.stringify({ address }).length + 1;
    if (octets > recipientsBytesMax) break;
    recipients.push({ address });
  }
  return {
    summaryVersion: '2019-07-28',
    envelope: { mailFrom: { address: envelopeFrom }, recipients },
    ...(sender !== undefined && sender.toLowerCase() !== from?.toLowerCase() ? { sender: { address: sender } } : {}),
    subject: asText(value('subject') ?? '').slice(0, subjectCharactersMax),
    ...idsOf(hook, call),
    flowDirection: direction === 'inbound' ? 'INBOUND' : 'OUTBOUND',
    truncated: recipients.length < call.recipients.length,
    ...(rawMessageUrl === undefined ? {} : { rawMessageUrl }),
  };
}

/** What a hook gave is not an answer: its attempt has failed. */
export class HookError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'HookError';
  }
}

const meanings = {
  BOUNCE: 'bounce',
  DROP: 'drop',
  DEFAULT: undefined,
  BYPASS_SPAM_CHECK: 'neverJunk',
  MOVE_TO_JUNK: 'junk',
} as const;
type ActionType = keyof typeof meanings;
const outboundTypes: readonly string[] = ['BOUNCE', 'DROP', 'DEFAULT'];

/** Each recipient gets the first action that names it. Throws HookError for whatever the contract does not allow. */
export function decodeAnswer(value: unknown, { recipients, direction }: HookCall): Omit<HookAnswer, 'bytes'> {
  const { actions } = asObject(value, 'The answer');
  if (!Array.isArray(actions)) throw new HookError('The answer has no list `actions`.');
  if (actions.length > responseActionsMax) throw new HookError(`The answer has more than ${responseActionsMax} actions.`);
  const decided = new Map<string, HookAnswer['actions'] extends ReadonlyMap<string, infer A> ? A : never>();
  const named = new Set<string>();
  const bounceMessages = new Map<string, string>();
  for (const entry of actions) {
    // Functions of WorkMail's first years say `default` for all recipients.
    const { action, recipients: chosen, allRecipients, default: isForAll } = asObject(entry, 'An entry of `actions`');
    const { type, parameters } = asObject(action, '`action`');
    if (typeof type !== 'string' || !Object.hasOwn(meanings, type)) throw new HookError(`There is no action ${JSON.stringify(type)}.`);
    if (direction === 'outbound' && !outboundTypes.includes(type)) throw new HookError(`${type} is for mail on its way in.`);
    const meaning = meanings[type as ActionType];
    for (const address of recipientsOf(chosen, allRecipients === true || isForAll === true, recipients)) {
      if (named.has(address)) continue;
      named.add(address);
      if (meaning !== undefined) decided.set(address, meaning);
      const message = meaning === 'bounce' ? messageOf(parameters) : undefined;
      if (message !== undefined) bounceMessages.set(address, message);
    }
  }
  return { actions: decided, bounceMessages };
}

/** Of those that were asked about; whoever else is named is none of its business. */
function recipientsOf(chosen: unknown, all: boolean, asked: readonly string[]): readonly string[] {
  if (all) return asked;
  if (!Array.isArray(chosen) || !chosen.every((address) => typeof address === 'string')) {
    throw new HookError('An action names neither `recipients` nor `allRecipients`.');
  }
  const wanted = new Set(chosen.map((address) => address.toLowerCase()));
  return asked.filter((address) => wanted.has(address.toLowerCase()));
}

function messageOf(parameters: unknown): string | undefined {
  if (typeof parameters !== 'object' || parameters === null || !('bounceMessage' in parameters)) return undefined;
  const { bounceMessage } = parameters;
  return typeof bounceMessage === 'string' ? bounceMessage.replace(/[\x00-\x1f\x7f]+/g, ' ').slice(0, bounceCharactersMax) : undefined;
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new HookError(`${what} is not an object.`);
  return value as Record<string, unknown>;
}
