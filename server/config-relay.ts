/** Configuration of mail out: the relay that takes it to other servers, and what users may send. */
import Type from 'typebox';

const closed = { additionalProperties: false };

const NoRelay = Type.Object(
  { driver: Type.Literal('none', { description: '"none": mail goes to accounts of this server only.' }) },
  { ...closed, title: 'No relay' },
);

const SmtpRelay = Type.Object(
  {
    driver: Type.Literal('smtp'),
    host: Type.String({ minLength: 1, description: "Name of the relay: a smarthost, or SES's SMTP endpoint." }),
    port: Type.Integer({ minimum: 1, maximum: 65_535, default: 587, description: 'Its port.' }),
    tls: Type.Union([Type.Literal('starttls'), Type.Literal('implicit'), Type.Literal('none')], {
      default: 'starttls',
      description: 'starttls: TLS or nothing. implicit: TLS at once (port 465). none: only for a relay on this machine or network.',
    }),
    user: Type.Optional(Type.String({ minLength: 1, description: 'Login at the relay.' })),
    password: Type.Optional(Type.String({ minLength: 1, secret: true, description: 'Goes with user.' })),
    connections: Type.Integer({ minimum: 1, maximum: 100, default: 5, description: 'Connections at once.' }),
  },
  { ...closed, title: 'An SMTP server' },
);

const SesRelay = Type.Object(
  {
    driver: Type.Literal('ses'),
    region: Type.Optional(Type.String({ minLength: 1, description: "Region of SES. Without it the AWS SDK's own settings decide." })),
    endpoint: Type.Optional(Type.String({ pattern: '^https?://', description: 'Address of a service that speaks the API of SES.' })),
    configurationSet: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_-]{1,64}$',
        description: 'Configuration set whose event destination tells of bounces and complaints.',
      }),
    ),
    accessKeyId: Type.Optional(Type.String({ minLength: 1, description: "Credentials. Default: the AWS SDK's chain." })),
    secretAccessKey: Type.Optional(Type.String({ minLength: 1, secret: true, description: 'Goes with accessKeyId.' })),
  },
  { ...closed, title: "Amazon SES, by its API's version 2" },
);

export const RelaySchema = Type.Union([NoRelay, SmtpRelay, SesRelay], {
  default: { driver: 'none' },
  description: "How users' mail leaves for other servers.",
});

export const SubmissionSchema = Type.Object(
  {
    keepSent: Type.Boolean({
      default: false,
      description: 'Put a copy of what is sent by SMTP into Sent. Most mail programs do that themselves: there would be two.',
    }),
    recipientsPerMessage: Type.Integer({ minimum: 1, maximum: 1000, default: 500, description: 'Recipients of one message.' }),
    messagesPerDay: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 2000,
      description: 'Messages that an account may send in a day (UTC).',
    }),
    recipientsPerDay: Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      default: 5000,
      description: 'Recipients of one account in a day (UTC).',
    }),
  },
  { ...closed, description: 'What users may send by SMTP.' },
);
