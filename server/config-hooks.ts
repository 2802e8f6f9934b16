/** The configuration of hooks: functions that rules of the organisation ask about a message. */
import Type from 'typebox';

const closed = { additionalProperties: false };

const common = {
  name: Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$', description: 'What rules call it: hook=NAME.' }),
  mode: Type.Union([Type.Literal('sync'), Type.Literal('async')], {
    default: 'sync',
    description: 'sync: the message waits for the answer. async: the hook is only told.',
  }),
  timeoutMs: Type.Integer({
    minimum: 100,
    maximum: 900_000,
    default: 15_000,
    description: 'Milliseconds for one attempt; WorkMail gives 15 seconds.',
  }),
  attempts: Type.Integer({ minimum: 1, maximum: 10, default: 3, description: 'How often it is asked before the fallback holds.' }),
  fallback: Type.Union(
    [Type.Literal('deliver'), Type.Literal('junk'), Type.Literal('drop'), Type.Literal('bounce'), Type.Literal('wait')],
    {
      default: 'wait',
      description: 'When it gives no answer: deliver (fail open), junk, drop, bounce, or wait (fail closed: the message is tried later).',
    },
  ),
};

const LambdaHook = Type.Object(
  {
    driver: Type.Literal('lambda'),
    ...common,
    functionArn: Type.String({ minLength: 1, description: 'ARN or name of the function.' }),
    region: Type.Optional(Type.String({ minLength: 1, description: "Default: the ARN's." })),
    endpoint: Type.Optional(Type.String({ pattern: '^https?://', description: 'Address of a service other than AWS.' })),
    accessKeyId: Type.Optional(Type.String({ minLength: 1, description: "Credentials. Default: the AWS SDK's chain." })),
    secretAccessKey: Type.Optional(Type.String({ minLength: 1, secret: true, description: 'Goes with accessKeyId.' })),
  },
  { ...closed, title: 'An AWS Lambda function' },
);

const HttpsHook = Type.Object(
  {
    driver: Type.Literal('https'),
    ...common,
    url: Type.String({ pattern: '^https?://', description: 'Where the event is posted to.' }),
    secret: Type.Optional(Type.String({ minLength: 16, secret: true, description: 'Signs the event, in Satchel-Signature.' })),
  },
  { ...closed, title: 'An HTTPS address' },
);

export const HooksSchema = Type.Array(Type.Union([LambdaHook, HttpsHook]), {
  default: [],
  description: "Functions that rules of the organisation ask, by WorkMail's contract.",
});

export const MessageFlowSchema = Type.Object(
  {
    buckets: Type.Array(Type.String({ minLength: 3 }), {
      default: [],
      description: 'S3 buckets from which PutRawMessageContent may take a changed message.',
    }),
  },
  { ...closed, description: "Where functions read and replace messages: WorkMail's message flow interface." },
);
