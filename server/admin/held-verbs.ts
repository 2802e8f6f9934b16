/** Verbs on mail that was held back: `failed` (it could not be delivered, or not to everybody) and `quarantine` (policy holds it). */
import Type from 'typebox';
import type { HeldMessage, HeldRecord } from '../../indexer/held-mail.ts';
import type { IntakeOutcome } from '../../indexer/pipeline.ts';
import { MailError } from '../../protocol/mail/errors.ts';
import type { AdminServices } from './services.ts';
import { defineVerb, formatTable, parameters, type Verb } from './verb.ts';

/** `failed list` says that there are more. */
const listedMax = 1_000;
/** Bytes of a message that `show` shows. */
const beginningBytes = 4_096;

const words = {
  failed: { summary: 'mail that could not be delivered', one: 'failed message' },
  quarantine: { summary: 'mail that policy holds back', one: 'message in quarantine' },
} as const;

export const heldVerbs: readonly Verb[] = (['failed', 'quarantine'] as const).flatMap(verbsOf);

function verbsOf(kind: HeldRecord['kind']): Verb[] {
  const { summary, one } = words[kind];
  const Name = Type.String({ minLength: 1, maxLength: 1024, description: `its name, as \`${kind} list\` shows it` });

  /** What is held without a record that can be read counts as failed. */
  const isOfKind = ({ record }: HeldMessage) => (record?.kind ?? 'failed') === kind;
  const require = async ({ held }: AdminServices, name: string) => {
    const message = await held.get(name);
    if (message !== undefined && isOfKind(message)) return message;
    throw new MailError('notFound', `There is no ${one} ${JSON.stringify(name)}. \`satchel ${kind} list\` shows those that there are.`);
  };

  return [
    defineVerb({
      name: `${kind} list`,
      summary: `List ${summary}.`,
      method: 'GET',
      path: `/${kind}`,
      parameters: parameters({}),
      positional: [],
      run: async ({ held }) => {
        const { messages, next } = await held.list({ limit: listedMax, ...(kind === 'quarantine' ? { kind } : {}) });
        return { messages: messages.filter(isOfKind).map(describe), hasMore: next !== undefined };
      },
      print: ({ messages, hasMore }) => {
        if (messages.length === 0) return '';
        const rows = messages.map(({ heldAt, octets, reason, name }) => [heldAt ?? '-', octets ?? '-', reason ?? '-', name]);
        return `${formatTable(['HELD AT', 'BYTES', 'REASON', 'NAME'], rows)}${hasMore ? '\nand more' : ''}`;
      },
    }),
    defineVerb({
      name: `${kind} show`,
      summary: `Show why a ${one} is held, and how it begins.`,
      method: 'GET',
      path: `/${kind}/:name`,
      parameters: parameters({ name: Name }),
      positional: ['name'],
      run: async (services, { name }) => {
        const { record, bytes } = await require(services, name);
        return { name, record: record ?? null, beginning: bytes.subarray(0, beginningBytes).toString('latin1') };
      },
      print: ({ name, record, beginning }) => [name, ...formatRecord(record), '', beginning.trimEnd()].join('\n'),
    }),
    defineVerb({
      name: `${kind} release`,
      summary: `Deliver a ${one} after all: to those it did not reach, or to the given recipients.`,
      method: 'POST',
      path: `/${kind}/:name/release`,
      parameters: parameters({
        name: Name,
        recipients: Type.Optional(
          Type.Array(Type.String({ minLength: 3, maxLength: 320 }), { minItems: 1, description: 'other recipients' }),
        ),
      }),
      positional: ['name', 'recipients'],
      run: async (services, { name, recipients }) => {
        await require(services, name);
        const outcome = await services.release(name, recipients);
        if (outcome?.kind !== 'delivered') throw refusal(name, outcome);
        return { name, accounts: [...outcome.results.keys()] };
      },
      print: ({ name, accounts }) =>
        // What an event announces is delivered as ever, and not counted here.
        accounts.length === 0
          ? `Delivered ${name}.`
          : `Delivered ${name} to ${accounts.length === 1 ? 'one account' : `${accounts.length} accounts`}.`,
    }),
    defineVerb({
      name: `${kind} remove`,
      summary: `Remove a ${one} for good.`,
      method: 'DELETE',
      path: `/${kind}/:name`,
      parameters: parameters({ name: Name }),
      positional: ['name'],
      run: async (services, { name }) => {
        await require(services, name);
        await services.held.remove(name);
        return { name };
      },
      print: ({ name }) => `Removed ${name}.`,
    }),
  ];
}

function describe({ name, record }: HeldMessage) {
  const { reason, detail, octets, recipients, heldAt } = record ?? {};
  return { name, reason, detail, octets, recipients, heldAt };
}

function formatRecord(record: HeldRecord | null): string[] {
  if (record === null) return ['Why it is held was not written down.'];
  const { detail, reason, octets, receivedAt, heldAt, envelopeFrom, recipients, deliveredTo } = record;
  return [
    `${detail} (${reason})`,
    `${octets} bytes, received ${receivedAt}, held ${heldAt}`,
    ...(envelopeFrom === undefined ? [] : [`from ${envelopeFrom || '<>'}`]),
    ...(recipients.length === 0 ? [] : [`did not reach ${recipients.join(', ')}`]),
    ...(deliveredTo.length === 0 ? [] : [`reached ${deliveredTo.join(', ')}`]),
  ];
}

function refusal(name: string, outcome: IntakeOutcome | undefined): MailError {
  if (outcome?.kind === 'held') {
    return new MailError(
      'forbidden',
      `${name} could not be delivered and is held as ${outcome.name} (${outcome.reason}). \`satchel failed show\` says more.`,
    );
  }
  return new MailError('notFound', `${name} could not be delivered (${outcome?.kind ?? 'it is gone'}).`);
}
