/**
 * The configuration's one source: types, validation, defaults, satchel.schema.json and the names of environment variables follow from it.
 *
 * `default` fills what is left out. `derived` marks a key whose default depends on other keys (config.ts computes it) and says how.
 * `secret` marks what is never printed.
 */
import Type, { type Static } from 'typebox';
import { HooksSchema, MessageFlowSchema } from './config-hooks.ts';
import { RelaySchema, SubmissionSchema } from './config-relay.ts';

/** What the walkers of config.ts and satchel.schema.json read of a TypeBox schema. */
export interface SchemaNode {
  readonly type?: string;
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly description?: string;
  readonly default?: unknown;
  readonly derived?: string;
  readonly secret?: boolean;
}

const closed = { additionalProperties: false };

/** `host:port`, `[address]:port`; port 0 lets the system choose. */
const listenPattern = '^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9.-]+):[0-9]{1,5}$';

function listener(description: string, address: string) {
  return Type.Union([Type.String({ pattern: listenPattern }), Type.Null()], {
    description: `${description}: an address and port such as ${address}, or null to switch it off.`,
    default: address,
  });
}

function publicPort() {
  return Type.Optional(
    Type.Integer({ minimum: 1, maximum: 65_535, description: 'The port as it is seen from outside. Without it the port of the listener.' }),
  );
}

const FileStore = Type.Object(
  {
    driver: Type.Literal('file'),
    path: Type.String({ minLength: 1, description: 'The folder that is the bucket.', derived: '<dataDir>/bucket' }),
  },
  { ...closed, title: 'A folder on a local disk' },
);

const S3Store = Type.Object(
  {
    driver: Type.Literal('s3'),
    bucket: Type.String({ minLength: 3, description: 'Name of the bucket.' }),
    prefix: Type.String({ pattern: '^$|/$', description: 'Stands before every name in the bucket; empty or ending in "/".', default: '' }),
    region: Type.Optional(Type.String({ minLength: 1, description: "The bucket's region. Without it the AWS SDK's own settings decide." })),
    endpoint: Type.Optional(Type.String({ pattern: '^https?://', description: 'Address of an S3 service other than AWS: MinIO, Ceph, …' })),
    forcePathStyle: Type.Boolean({ description: "Put the bucket's name in the path and not in the host name.", default: false }),
    accessKeyId: Type.Optional(Type.String({ minLength: 1, description: "Credentials. Default: the AWS SDK's chain." })),
    secretAccessKey: Type.Optional(Type.String({ minLength: 1, secret: true, description: 'Goes with accessKeyId.' })),
  },
  { ...closed, title: 'An S3 bucket' },
);

const Verdict = Type.Object(
  {
    header: Type.String({
      minLength: 1,
      description: 'Name of a header field. Only those count that SES, or another service we trust, wrote in front of the message.',
    }),
    equals: Type.Optional(Type.String({ description: 'The whole value that makes the rule match, in any case.' })),
    contains: Type.Optional(Type.String({ minLength: 1, description: 'A piece of the value, in any case.' })),
    above: Type.Optional(Type.Number({ description: 'The first number in the value is larger than this.' })),
    below: Type.Optional(Type.Number({ description: 'The first number in the value is smaller than this.' })),
    recipients: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'Addresses and domains that the rule is for. Default: all.' }),
    ),
    action: Type.Union(
      [Type.Literal('inbox'), Type.Literal('junk'), Type.Literal('drop'), Type.Literal('quarantine'), Type.Literal('reject')],
      {
        description:
          'What happens to the message: inbox, junk, drop, quarantine or reject (an MTA is refused; the sender of what SES has taken is told where he is proven, else quarantine). The first rule that matches decides.',
      },
    ),
  },
  closed,
);

const Sqs = Type.Object(
  {
    queueUrl: Type.String({ pattern: '^https?://', description: 'Address of the queue that tells of new mail.' }),
    region: Type.Optional(Type.String({ minLength: 1, description: "The queue's region. Default: the bucket's." })),
    endpoint: Type.Optional(Type.String({ pattern: '^https?://', description: 'Address of an SQS service other than AWS.' })),
    receipts: Type.Boolean({
      default: true,
      description:
        "Whether SES's receipts come by this queue: then an object that S3 announces is kept for them for an hour. false: only S3's events do.",
    }),
  },
  closed,
);

export const ConfigSchema = Type.Object(
  {
    dataDir: Type.String({
      minLength: 1,
      default: './satchel-data',
      description: 'Index, caches and certificates. All of it can be rebuilt, except a file store inside it.',
    }),
    store: Type.Union([FileStore, S3Store], { default: { driver: 'file' }, description: 'Where the mail is kept.' }),
    listen: Type.Object(
      {
        http: listener('Health, metrics, administration', '127.0.0.1:8080'),
        https: listener('The same by TLS', '127.0.0.1:8443'),
        imap: listener('IMAP with STARTTLS', '127.0.0.1:1143'),
        imaps: listener('IMAP by TLS', '127.0.0.1:1993'),
        submission: listener('Mail from users, with STARTTLS', '127.0.0.1:1587'),
        submissions: listener('Mail from users, by TLS', '127.0.0.1:1465'),
        lmtp: listener('Mail from an MTA on this machine', '127.0.0.1:1024'),
        managesieve: listener('Filter scripts', '127.0.0.1:4190'),
      },
      { ...closed, description: 'Where the server listens.' },
    ),
    publicUrl: Type.String({
      pattern: '^https?://',
      description: 'How browsers and JMAP clients reach this server, such as https://mail.example.com.',
      derived: 'http:// and listen.http, with localhost for 0.0.0.0 and [::]',
    }),
    clients: Type.Object(
      {
        host: Type.String({
          pattern: '^[A-Za-z0-9.:-]+$',
          description: 'The name of this server that mail programs are told: the one in the certificate.',
          derived: 'the host of publicUrl',
        }),
        imap: publicPort(),
        imaps: publicPort(),
        submission: publicPort(),
        submissions: publicPort(),
        managesieve: publicPort(),
      },
      { ...closed, description: 'How mail programs reach this server: what autoconfig, autodiscover, profiles and `domain add` tell.' },
    ),
    openId: Type.Optional(
      Type.Object(
        {
          issuer: Type.String({
            pattern: '^(https://|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])[:/])',
            description: 'The OpenID provider, spelt as its tokens spell it; https, unless it is on this machine.',
          }),
          audience: Type.String({ minLength: 1, description: 'What "aud" of a token must hold: how the provider calls this server.' }),
          clientId: Type.Optional(Type.String({ minLength: 1, description: 'The public client that mail programs are to use there.' })),
          claim: Type.String({ minLength: 1, default: 'email', description: "The token's claim that holds the account's address." }),
        },
        { ...closed, description: "Whose bearer tokens open accounts: OAUTHBEARER, XOAUTH2 and HTTP. Default: nobody's." },
      ),
    ),
    trustedProxies: Type.Array(Type.String(), {
      default: [],
      description: 'Addresses or networks (10.0.0.0/8) whose connections count as protected, and whose X-Forwarded-For is believed.',
    }),
    corsOrigins: Type.Array(Type.String(), { default: [], description: 'Web origins that may call the HTTP interfaces from a browser.' }),
    defaultDomain: Type.String({ minLength: 1, default: 'localhost', description: 'Completes a login name without a domain.' }),
    firstAccount: Type.Union([Type.String({ pattern: '^[^@\\s]+@[^@\\s]+$' }), Type.Null()], {
      description:
        'Account, such as me@example.com, that is made, with a random password printed once, when there is no account and no domain at all.',
      derived: 'me@<defaultDomain> without a configuration file, otherwise null',
    }),
    tls: Type.Optional(
      Type.Object(
        {
          cert: Type.String({ minLength: 1, description: 'File with the certificate and its chain, PEM.' }),
          key: Type.String({ minLength: 1, description: 'File with the private key, PEM.' }),
        },
        { ...closed, description: 'Certificate of all TLS listeners; read again when the files change. Default: self-signed, in dataDir.' },
      ),
    ),
    inbound: Type.Object(
      {
        prefix: Type.String({ pattern: '/$', default: 'inbound/', description: 'Names of raw mail in the bucket begin with this.' }),
        sweepSeconds: Type.Number({
          minimum: 0.1,
          maximum: 86_400,
          description: 'How often the prefix is listed for mail of which no event told.',
          derived: '5 on the file store, 300 on S3',
        }),
        sqs: Type.Array(Sqs, { default: [], description: 'Queues that tell of new mail.' }),
        lmtp: Type.Object(
          {
            authservIds: Type.Array(Type.String({ minLength: 1 }), {
              default: [],
              description:
                "Names of MTAs whose Authentication-Results are believed, above the second Received of a message: the MTA's own results.",
            }),
            authenticate: Type.Boolean({
              default: true,
              description: 'Check SPF, DKIM and DMARC of LMTP mail that no such MTA has checked. Asks DNS.',
            }),
            dnsServers: Type.Array(Type.String({ minLength: 1 }), {
              default: [],
              description: "Name servers that are asked for it, as ADDRESS or ADDRESS:PORT. Default: the system's.",
            }),
          },
          { ...closed, description: 'What is believed of mail that an MTA hands over.' },
        ),
        kms: Type.Object(
          {
            region: Type.Optional(Type.String({ minLength: 1, description: "Where the key is. Default: the bucket's region." })),
            endpoint: Type.Optional(Type.String({ pattern: '^https?://', description: 'Address of a key service other than AWS KMS.' })),
          },
          { ...closed, description: 'Who unwraps the keys of messages that SES encrypted (a receipt rule with a KmsKeyArn).' },
        ),
        http: Type.Object(
          {
            path: Type.String({ pattern: '^/', default: '/inbound', description: 'Where events are posted to.' }),
            topicArns: Type.Array(Type.String(), { default: [], description: 'SNS topics that are believed.' }),
            token: Type.Optional(
              Type.String({ minLength: 8, secret: true, description: 'What other senders of events show as bearer token.' }),
            ),
          },
          { ...closed, description: 'Events of new mail by HTTP.' },
        ),
      },
      { ...closed, description: 'How mail comes in.' },
    ),
    undeliverable: Type.Object(
      {
        action: Type.Union([Type.Literal('hold'), Type.Literal('quarantine'), Type.Literal('bounce'), Type.Literal('deliver')], {
          default: 'hold',
          description:
            'hold: under `satchel failed`. quarantine: under `satchel quarantine`. bounce: the sender is told, where he is proven and the message passed spam and DMARC; else hold. deliver: to deliverTo.',
        }),
        deliverTo: Type.Optional(Type.String({ pattern: '^[^@\\s]+@[^@\\s]+$', description: 'The address that gets it, with deliver.' })),
        bounceHours: Type.Number({ exclusiveMinimum: 0, maximum: 120, default: 24, description: 'Older messages are held, with bounce.' }),
      },
      { ...closed, description: 'What becomes of mail in the bucket for addresses that do not exist.' },
    ),
    verdicts: Type.Array(Verdict, {
      default: [
        { header: 'X-SES-Virus-Verdict', equals: 'FAIL', action: 'quarantine' },
        { header: 'X-SES-Spam-Verdict', equals: 'FAIL', action: 'junk' },
      ],
      description: 'What the verdicts of the receiving service do.',
    }),
    hooks: HooksSchema,
    messageFlow: MessageFlowSchema,
    relay: RelaySchema,
    submission: SubmissionSchema,
    limits: Type.Object(
      {
        messageBytesMax: Type.Integer({
          minimum: 65_536,
          maximum: 157_286_400,
          default: 41_943_040,
          description: 'Largest message, in bytes. SES receives at most 40 MB.',
        }),
        accountBytesMax: Type.Optional(
          Type.Integer({
            minimum: 1_048_576,
            description:
              'What an account may hold, in bytes of messages; a message counts in each mailbox it is in. Without it there is no limit.',
          }),
        ),
        accountMessagesMax: Type.Optional(
          Type.Integer({ minimum: 100, description: 'How many messages an account may hold. Without it there is no limit.' }),
        ),
        imapMessagesMax: Type.Optional(
          Type.Integer({
            minimum: 1000,
            description:
              'How many messages one IMAP command may be about (RFC 9738). Without it there is no limit: programs that do not know of it miss messages.',
          }),
        ),
        imapNonSynchronizingLiterals: Type.Union([Type.Literal('all'), Type.Literal('small')], {
          default: 'all',
          description: 'all: LITERAL+ (RFC 7888), any literal may be sent without waiting. small: LITERAL-, up to 4096 bytes.',
        }),
      },
      closed,
    ),
    push: Type.Object(
      {
        allowPrivateAddresses: Type.Boolean({
          default: false,
          description: 'Send web pushes to http and to addresses inside the network too: for a push service of your own, and for tests.',
        }),
      },
      { ...closed, description: 'Pushes of changes to browsers and devices (RFC 8620, RFC 8030).' },
    ),
    admin: Type.Object(
      {
        token: Type.Optional(
          Type.String({
            minLength: 16,
            secret: true,
            description:
              'Bearer token for /admin/v1 and for /metrics from elsewhere. Without one the admin interface is dataDir/admin.sock only.',
          }),
        ),
      },
      closed,
    ),
    log: Type.Object(
      {
        level: Type.Union([Type.Literal('debug'), Type.Literal('info'), Type.Literal('warn'), Type.Literal('error')], {
          default: 'info',
          description: 'debug, info, warn or error.',
        }),
        format: Type.Union([Type.Literal('auto'), Type.Literal('json'), Type.Literal('text')], {
          default: 'auto',
          description: 'json: one object a line. text: for people. auto: text on a terminal, json elsewhere.',
        }),
      },
      { ...closed, description: 'The log, on standard error.' },
    ),
  },
  { ...closed, title: 'Satchel', description: 'Configuration of a Satchel mail server.' },
);

/** The configuration in effect: every default filled in, paths absolute. */
export type Config = Static<typeof ConfigSchema>;

/** satchel.schema.json: the schema as editors want it, with nothing required that has a default. */
export function configJsonSchema(): object {
  const { $schema, ...rest } = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...(forEditors(ConfigSchema as SchemaNode) as { properties: object }),
  };
  return {
    $schema,
    ...rest,
    properties: { $schema: { type: 'string', description: 'Where editors find this schema.' }, ...rest.properties },
  };
}

function forEditors(node: SchemaNode): object {
  const { properties, required, items, anyOf, derived, secret, description, ...rest } = node;
  void secret;
  const text = derived === undefined ? description : `${description} Default: ${derived}.`;
  const mustBeGiven = required?.filter((key) => !isFilledIn(properties![key]!)) ?? [];
  return {
    ...rest,
    ...(text === undefined ? {} : { description: text }),
    ...(properties === undefined ? {} : { properties: Object.fromEntries(Object.entries(properties).map(([k, v]) => [k, forEditors(v)])) }),
    ...(mustBeGiven.length === 0 ? {} : { required: mustBeGiven }),
    ...(items === undefined ? {} : { items: forEditors(items) }),
    ...(anyOf === undefined ? {} : { anyOf: anyOf.map(forEditors) }),
  };
}

/** Whether a key may be left out, because it or all it holds has a default. */
function isFilledIn(node: SchemaNode): boolean {
  if (node.default !== undefined || node.derived !== undefined) return true;
  return node.properties !== undefined && (node.required ?? []).every((key) => isFilledIn(node.properties![key]!));
}
