/** Verbs on the organisation's rules, and on the keys that their functions call the message flow interface with. */
import Type from 'typebox';
import { flowToken } from '../../indexer/hooks/message-flow.ts';
import { formatClauses, parseClauses } from '../../indexer/rules/rule-text.ts';
import { RuleTransport } from '../../indexer/rules/transport.ts';
import { MailError } from '../../protocol/mail/errors.ts';
import { type EmailNumber, formatEmailId } from '../../protocol/mail/ids.ts';
import type { Account } from '../../storage/account/api.ts';
import type { Rule } from '../../storage/directory/rule-records.ts';
import type { AdminServices } from './services.ts';
import { defineVerb, formatTable, parameters, type Verb } from './verb.ts';

/** Messages of an account that a dry run looks at, newest first: each is read from the store. */
const testedMax = 1_000;
const testedDefault = 100;

const Name = Type.String({ minLength: 1, maxLength: 200, description: 'its name' });
const Direction = Type.Optional(
  Type.Union([Type.Literal('inbound'), Type.Literal('outbound')], { type: 'string', description: 'inbound (the default) or outbound' }),
);
const clausesHelp =
  'conditions (sender=PATTERN,… recipient=PATTERN,… header:NAME[=PIECE|==WHOLE] size>BYTES size<BYTES verdict:spam|virus|spf|dkim|dmarc=VALUE,… ' +
  'attachment=.exe,image/*,…; ! in front: the opposite), all of which must hold, and actions (drop, bounce=TEXT, junk, never-junk, move=Path/Name, ' +
  'redirect=ADDRESS, add-recipient=ADDRESS, add-header="Name: value", banner=TEXT, journal=ADDRESS, hook=NAME, stop)';

export const ruleVerbs: readonly Verb[] = [
  defineVerb({
    name: 'rule add',
    summary: 'Add a rule of the organisation, behind the others.',
    method: 'POST',
    path: '/rules',
    parameters: parameters({
      name: Name,
      clauses: Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: clausesHelp }),
      direction: Direction,
    }),
    positional: ['name', 'clauses'],
    run: async ({ directory, mail }, { name, clauses, direction = 'inbound' }) => {
      const parsed = parseClauses(clauses);
      for (const action of parsed.actions) {
        if (action.do === 'hook' && !(mail.hooks ?? []).includes(action.hook)) {
          throw new MailError('notFound', `There is no hook ${action.hook} in the configuration: add it to \`hooks\` first.`);
        }
      }
      return describe(await directory.addRule({ name, direction, ...parsed }));
    },
    print: ({ name }) => `Added the rule ${name}.`,
  }),
  defineVerb({
    name: 'rule list',
    summary: 'List the rules in the order in which they are asked.',
    method: 'GET',
    path: '/rules',
    parameters: parameters({}),
    positional: [],
    run: async ({ directory }) => {
      await directory.refresh();
      return { rules: directory.rules().map(describe) };
    },
    print: ({ rules }) =>
      rules.length === 0
        ? ''
        : formatTable(
            ['#', 'NAME', 'DIRECTION', 'RULE'],
            rules.map(({ name, direction, clauses }, index) => [index + 1, name, direction, clauses.map(quote).join(' ')]),
          ),
  }),
  defineVerb({
    name: 'rule show',
    summary: 'Show a rule.',
    method: 'GET',
    path: '/rules/:name',
    parameters: parameters({ name: Name }),
    positional: ['name'],
    run: async ({ directory }, { name }) => {
      await directory.refresh();
      return describe(requireRule(directory.rules(), name));
    },
    print: ({ id, name, direction, clauses }) => [`${name} (${id}, ${direction})`, ...clauses.map((clause) => `  ${clause}`)].join('\n'),
  }),
  defineVerb({
    name: 'rule remove',
    summary: 'Remove a rule.',
    method: 'DELETE',
    path: '/rules/:name',
    parameters: parameters({ name: Name }),
    positional: ['name'],
    run: async ({ directory }, { name }) => describe(await directory.removeRule(name)),
    print: ({ name }) => `Removed the rule ${name}.`,
  }),
  defineVerb({
    name: 'rule move',
    summary: 'Move a rule to a place in the order; 1 is asked first.',
    method: 'PUT',
    path: '/rules/:name/position',
    parameters: parameters({ name: Name, position: Type.String({ pattern: '^[1-9][0-9]{0,5}$', description: 'its place, from 1' }) }),
    positional: ['name', 'position'],
    run: async ({ directory }, { name, position }) => {
      await directory.moveRule(name, Number(position));
      return { name, position: Number(position) };
    },
    print: ({ name, position }) => `The rule ${name} now stands at ${position}.`,
  }),
  defineVerb({
    name: 'rule test',
    summary: "Show what the inbound rules, or one of them, would do to an account's messages. Nothing is changed, and no hook is asked.",
    method: 'GET',
    path: '/rules-test/:address',
    parameters: parameters({
      address: Type.String({ minLength: 3, maxLength: 320, description: "the account's address" }),
      rule: Type.Optional(Name),
      limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,3}$', description: `newest messages to look at (${testedDefault})` })),
    }),
    positional: ['address'],
    run: async (services, { address, rule, limit }) =>
      testRules(services, address, rule, Math.min(Number(limit ?? testedDefault), testedMax)),
    print: ({ looked, met }) => {
      const rows = met.map(({ id, subject, rules, becomes }) => [id, subject.slice(0, 40), rules.join(', '), becomes.join('; ')]);
      const count = `${met.length} of ${looked} messages`;
      return rows.length === 0 ? count : `${formatTable(['EMAIL', 'SUBJECT', 'RULES', 'WOULD BE'], rows)}\n${count}`;
    },
  }),
  defineVerb({
    name: 'hook-key add',
    summary: 'Make a key for functions that read and replace messages in transit. The secret is told this once.',
    method: 'POST',
    path: '/hook-keys',
    parameters: parameters({ name: Name }),
    positional: ['name'],
    run: async ({ directory, mail }, { name }) => {
      const key = await directory.addFlowKey(name);
      return { ...key, endpoint: `${mail.messageFlowUrl ?? '/message-flow'}/key/${flowToken(key.accessKeyId, key.secretAccessKey)}` };
    },
    print: ({ accessKeyId, secretAccessKey, endpoint }) =>
      [
        `Access key id: ${accessKeyId}`,
        `Secret access key (shown this once): ${secretAccessKey}`,
        'Endpoint for functions that sign with the credentials of their role (shown this once, as secret as the key):',
        `AWS_ENDPOINT_URL_WORKMAILMESSAGEFLOW=${endpoint}`,
      ].join('\n'),
  }),
  defineVerb({
    name: 'hook-key list',
    summary: 'List the keys of functions.',
    method: 'GET',
    path: '/hook-keys',
    parameters: parameters({}),
    positional: [],
    run: async ({ directory }) => {
      await directory.refresh();
      return { keys: directory.listFlowKeys() };
    },
    print: ({ keys }) => keys.map(({ accessKeyId, name }) => `${accessKeyId} ${name}`).join('\n'),
  }),
  defineVerb({
    name: 'hook-key remove',
    summary: 'Remove a key of functions.',
    method: 'DELETE',
    path: '/hook-keys/:accessKeyId',
    parameters: parameters({ accessKeyId: Type.String({ minLength: 1, maxLength: 100, description: 'the access key id' }) }),
    positional: ['accessKeyId'],
    run: async ({ directory }, { accessKeyId }) => {
      await directory.removeFlowKey(accessKeyId);
      return { accessKeyId };
    },
    print: ({ accessKeyId }) => `Removed the key ${accessKeyId}.`,
  }),
];

function describe(rule: Rule) {
  const { id, name, direction, createdAt } = rule;
  return { id, name, direction, clauses: formatClauses(rule), createdAt: new Date(createdAt).toISOString() };
}

function requireRule(rules: readonly Rule[], name: string): Rule {
  const found = rules.find((rule) => rule.name === name) ?? rules.find(({ id }) => id === name);
  if (found === undefined) throw new MailError('notFound', `There is no rule ${name}. \`satchel rule list\` shows those that there are.`);
  return found;
}

const quote = (clause: string) => (/[\s"']/.test(clause) ? JSON.stringify(clause) : clause);

async function testRules({ directory, mail }: AdminServices, address: string, name: string | undefined, limit: number) {
  await directory.refresh();
  const found = directory.accountByAddress(address);
  if (found === undefined) throw new MailError('notFound', `There is no account ${address}.`);
  const account = await mail.accounts.open(found.id);
  const rules = name === undefined ? directory.rules() : [{ ...requireRule(directory.rules(), name), direction: 'inbound' as const }];
  const asked: string[] = [];
  const transport = new RuleTransport({
    rules: () => rules,
    askHook: async (hook, { bytes }) => {
      asked.push(hook);
      return { bytes, actions: new Map() };
    },
  });
  const emails = account.read((reader) => [...reader.emails()]).slice(-limit);
  const met = [];
  for (const email of emails.reverse()) {
    asked.length = 0;
    const tested = await testOne(account, email, found.address, transport);
    if (tested !== undefined) met.push({ ...tested, becomes: [...tested.becomes, ...asked.map((hook) => `hook ${hook} would be asked`)] });
  }
  return { looked: emails.length, met };
}

async function testOne(account: Account, id: EmailNumber, address: string, transport: RuleTransport) {
  const { blob, delivery, subject } = account.read((reader) => ({
    blob: reader.blob(id),
    delivery: reader.delivery(id),
    subject: reader.facts(id)?.subject ?? '',
  }));
  // It went while we looked.
  if (blob === undefined) return undefined;
  const bytes = await account.blobBytes(blob);
  const { envelopeFrom, envelopeTo = address, ...results } = delivery ?? {};
  const recipients = [envelopeTo];
  const outcome = await transport.apply({ direction: 'inbound', bytes, envelopeFrom, recipients, results, key: formatEmailId(id) });
  const own = outcome?.copies[0];
  if (outcome === undefined || own === undefined || own.rules.length === 0) return undefined;
  const others = outcome.copies.slice(1).map((copy) => `sent to ${copy.address}`);
  const journals = outcome.journals.map(({ to }) => `journaled to ${to}`);
  const place = own.mailbox?.join('/') ?? own.placement;
  const fates = {
    deliver: place === undefined ? [] : [`put into ${place}`],
    drop: [others.length > 0 ? 'not delivered' : 'dropped'],
    bounce: [`bounced${own.bounceMessage === undefined ? '' : ` (${own.bounceMessage})`}`],
  };
  const becomes = [...fates[own.fate], ...others, ...journals, ...(own.bytes === bytes ? [] : ['changed'])];
  return { id: formatEmailId(id), subject, rules: own.rules, becomes: becomes.length === 0 ? ['delivered'] : becomes };
}
