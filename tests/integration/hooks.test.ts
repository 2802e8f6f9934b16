/** Functions written to WorkMail's contract, run by a Lambda-compatible server, change what is delivered. They know of Satchel by one variable. */
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetRawMessageContentCommand, PutRawMessageContentCommand, WorkMailMessageFlowClient } from '@aws-sdk/client-workmailmessageflow';
import { createTransport } from 'nodemailer';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { flowToken } from '../../indexer/hooks/message-flow.ts';
import { parseClauses } from '../../indexer/rules/rule-text.ts';
import type { Uid } from '../../protocol/mail/ids.ts';
import { LambdaServer, type TestFunction } from '../support/lambda-server.ts';
import { makeServerFolder, password, type RunningServer, type ServerFolder } from '../support/running-server.ts';
import { type StrictS3, startStrictS3 } from '../support/s3/strict-s3.ts';

const role = { accessKeyId: 'AKIAROLE', secretAccessKey: 'role-secret' };
const hook = { driver: 'lambda', region: 'eu-west-1', ...role, timeoutMs: 2_000, attempts: 2 };
const env = { ...process.env };
const any = '127.0.0.1:0';
let lambda: LambdaServer;
let s3: StrictS3;
let folder: ServerFolder;
let server: RunningServer;

beforeEach(async () => {
  lambda = await LambdaServer.open();
  s3 = await startStrictS3({ bucket: 'changed-mail', region: 'eu-west-1', credentials: role });
  // What Lambda gives a function of its role, and where the test's S3 is.
  Object.assign(process.env, {
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: role.accessKeyId,
    AWS_SECRET_ACCESS_KEY: role.secretAccessKey,
    AWS_ENDPOINT_URL_S3: s3.endpoint,
  });
  folder = makeServerFolder({
    hooks: [
      { ...hook, name: 'block', functionArn: 'block', endpoint: lambda.url },
      { ...hook, name: 'open', functionArn: 'broken', endpoint: lambda.url, timeoutMs: 200, fallback: 'deliver' },
      { ...hook, name: 'closed', functionArn: 'broken', endpoint: lambda.url, timeoutMs: 200, fallback: 'junk' },
      { ...hook, name: 'told', functionArn: 'told', endpoint: lambda.url, mode: 'async' },
    ],
    messageFlow: { buckets: ['changed-mail'] },
    listen: { http: any, https: any, imap: any, imaps: any, lmtp: any, submission: null, submissions: any, managesieve: null },
  });
  server = await folder.start();
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
  await s3[Symbol.asyncDispose]();
  await lambda[Symbol.asyncDispose]();
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  Object.assign(process.env, env);
});

const flowUrl = () => `http://127.0.0.1:${server.addressOf('http').port}/message-flow`;

async function addRule(...clauses: string[]) {
  await server.app.services.directory.addRule({ name: clauses.join(' '), direction: 'inbound', ...parseClauses(clauses) });
}

/** Sets the one variable: an endpoint whose address holds a token that the server has issued. */
async function setEndpoint() {
  const key = await server.app.services.directory.addFlowKey('functions');
  process.env.AWS_ENDPOINT_URL_WORKMAILMESSAGEFLOW = `${flowUrl()}/key/${flowToken(key.accessKeyId, key.secretAccessKey)}`;
  return key;
}

function message(from: string, body = 'Hello\r\n', subject = 'Offer') {
  return Buffer.from(`From: <${from}>\r\nTo: me@localhost\r\nSubject: ${subject}\r\nContent-Type: text/plain\r\n\r\n${body}`);
}

/** Hands a message in as the pipeline's sources do; what the account holds afterwards, by mailbox. */
async function receive(raw: Buffer, name = 'm1') {
  await folder.drop(`me@localhost/${name}`, raw);
  await expect.poll(async () => (await keysLeft()).length, { timeout: 8_000, interval: 20 }).toBe(0);
  return contentsOf('me@localhost');
}

async function contentsOf(address: string) {
  const { directory } = server.app.services;
  const account = await server.app.accounts.open(directory.accountByAddress(address)!.id);
  const held = account.read((reader) =>
    reader
      .mailboxes()
      .flatMap((box) =>
        [...reader.uids(box.id)].map((uid) => ({ mailbox: box.name, blob: reader.blob(reader.membership(box.id, uid as Uid)!.email)! })),
      ),
  );
  return Promise.all(held.map(async ({ mailbox, blob }) => ({ mailbox, text: (await account.blobBytes(blob)).toString() })));
}

async function keysLeft() {
  const keys: string[] = [];
  for await (const { key } of server.app.store.of('test').list('inbound/')) keys.push(key);
  return keys;
}

/** Blocks a sender: needs nothing but the event. */
const blockSender: TestFunction = (event) => {
  const { envelope } = event as unknown as { envelope: { mailFrom: { address: string } } };
  const isBlocked = envelope.mailFrom.address.endsWith('@spam.example') || event.subject === 'Blocked';
  return { actions: [{ allRecipients: true, action: { type: isBlocked ? 'DROP' : 'DEFAULT' } }] };
};

/** Looks for a word in the message, and puts it into Junk. */
const moveToJunk: TestFunction = async ({ messageId }) => {
  const client = new WorkMailMessageFlowClient({});
  const { messageContent } = await client.send(new GetRawMessageContentCommand({ messageId }));
  const text = await messageContent!.transformToString();
  return { actions: [{ allRecipients: true, action: { type: text.includes('lottery') ? 'MOVE_TO_JUNK' : 'DEFAULT' } }] };
};

/** Adds a banner: by way of an object in S3, as WorkMail wants it. */
const addBanner: TestFunction = async ({ messageId }) => {
  const client = new WorkMailMessageFlowClient({});
  const { messageContent } = await client.send(new GetRawMessageContentCommand({ messageId }));
  const text = await messageContent!.transformToString();
  const Body = text.replace('\r\n\r\n', '\r\n\r\nFrom outside!\r\n');
  await new S3Client({ forcePathStyle: true }).send(new PutObjectCommand({ Bucket: 'changed-mail', Key: messageId, Body }));
  const content = { s3Reference: { bucket: 'changed-mail', key: messageId } };
  await client.send(new PutRawMessageContentCommand({ messageId, content }));
  return { actions: [{ allRecipients: true, action: { type: 'DEFAULT' } }] };
};

describe('a function of WorkMail', () => {
  test('that blocks a sender keeps the message from being delivered, and lets others pass', async () => {
    lambda.functions.set('block', blockSender);
    await addRule('hook=block');
    expect(await receive(message('a@good.example', 'x\r\n', 'Blocked'), 'blocked')).toEqual([]);
    expect(await receive(message('b@good.example'), 'good')).toMatchObject([{ mailbox: 'INBOX' }]);
    expect(lambda.invocations.map(({ type }) => type)).toEqual(['RequestResponse', 'RequestResponse']);
  });

  test('that reads the message can move it to Junk', async () => {
    await setEndpoint();
    lambda.functions.set('block', moveToJunk);
    await addRule('hook=block');
    expect(await receive(message('a@good.example', 'You won the lottery\r\n'))).toMatchObject([{ mailbox: 'Junk' }]);
  });

  test('that adds a banner changes what is delivered', async () => {
    await setEndpoint();
    lambda.functions.set('block', addBanner);
    await addRule('hook=block');
    const [delivered] = await receive(message('a@good.example'));
    expect(delivered).toMatchObject({ mailbox: 'INBOX', text: message('a@good.example', 'From outside!\r\nHello\r\n').toString() });
  });

  test('may sign with a key that the server has issued, and is refused with any other', async () => {
    const key = await server.app.services.directory.addFlowKey('functions');
    process.env.AWS_ENDPOINT_URL_WORKMAILMESSAGEFLOW = flowUrl();
    const answers: string[] = [];
    lambda.functions.set('block', async ({ messageId }) => {
      const wrong = { ...key, secretAccessKey: 'wrong' };
      for (const credentials of [{ ...key }, wrong, undefined]) {
        const client = new WorkMailMessageFlowClient({ maxAttempts: 1, ...(credentials && { credentials }) });
        const content = { s3Reference: { bucket: 'other-bucket', key: 'x' } };
        const calls = [new GetRawMessageContentCommand({ messageId }), new PutRawMessageContentCommand({ messageId, content })] as const;
        const read = await client.send(calls[0]).then(
          () => 'read',
          (error: Error) => error.name,
        );
        const put = await client.send(calls[1]).then(
          () => 'put',
          (error: Error) => error.name,
        );
        answers.push(`${read} ${put}`);
      }
      return { actions: [] };
    });
    await addRule('hook=block');
    await receive(message('a@good.example'));
    expect(answers).toEqual([
      'read InvalidContentLocation',
      'InvalidSignatureException InvalidSignatureException',
      'UnrecognizedClientException UnrecognizedClientException',
    ]);
  });

  test('that nobody waits for is told, and finds the message there but frozen', async () => {
    await setEndpoint();
    lambda.functions.set('told', async ({ messageId }) => {
      const client = new WorkMailMessageFlowClient({ maxAttempts: 1 });
      const { messageContent } = await client.send(new GetRawMessageContentCommand({ messageId }));
      await new S3Client({ forcePathStyle: true }).send(new PutObjectCommand({ Bucket: 'changed-mail', Key: 'x', Body: 'a: b\r\n\r\n' }));
      const content = { s3Reference: { bucket: 'changed-mail', key: 'x' } };
      const refusal = await client.send(new PutRawMessageContentCommand({ messageId, content })).catch((error: Error) => error.name);
      return [await messageContent!.transformToString(), refusal];
    });
    await addRule('hook=told');
    const [delivered] = await receive(message('a@good.example'));
    const [result] = await Promise.all(lambda.behind);
    expect(result).toEqual([delivered!.text, 'MessageFrozen']);
    expect(lambda.invocations).toMatchObject([{ type: 'Event' }]);
  });

  test('can read and replace the message by its signed address alone', async () => {
    lambda.functions.set('block', async (event) => {
      const url = new URL(String(event.rawMessageUrl));
      url.port = String(server.addressOf('http').port);
      const text = await (await fetch(url)).text();
      const changed = await fetch(url, { method: 'PUT', body: `X-Seen: yes\r\n${text}` });
      url.searchParams.set('signature', '0'.repeat(64));
      const refused = await fetch(url);
      return { actions: [], statuses: [changed.status, refused.status] };
    });
    await addRule('hook=block');
    const [delivered] = await receive(message('a@good.example'));
    expect(delivered!.text).toBe(`X-Seen: yes\r\n${message('a@good.example')}`);
  });
});

describe("as AWS's samples are written, a function", () => {
  /** Restricted mailboxes: only the organisation may write to these; the answer names the recipients. */
  const restricted: TestFunction = (event) => {
    const { envelope } = event as unknown as { envelope: { mailFrom: { address: string }; recipients: { address: string }[] } };
    const recipients = envelope.recipients.map(({ address }) => address);
    const isOurs = envelope.mailFrom.address.endsWith('@good.example');
    return { actions: isOurs ? [] : [{ action: { type: 'MOVE_TO_JUNK' }, recipients: [...recipients, 'nobody@elsewhere.example'] }] };
  };

  /** Tags the subject, writes lines as Python does, and says `default` of all recipients. */
  const tagSubject: TestFunction = async ({ messageId, subject }) => {
    const client = new WorkMailMessageFlowClient({});
    const { messageContent } = await client.send(new GetRawMessageContentCommand({ messageId }));
    const text = (await messageContent!.transformToString()).replace(/^Subject: .*$/m, `Subject: [Hello World!] ${subject}`);
    const Body = text.replaceAll('\r\n', '\n');
    await new S3Client({ forcePathStyle: true }).send(new PutObjectCommand({ Bucket: 'changed-mail', Key: messageId, Body }));
    const content = { s3Reference: { bucket: 'changed-mail', key: messageId } };
    await client.send(new PutRawMessageContentCommand({ messageId, content }));
    return { actions: [{ action: { type: 'DEFAULT' }, default: true }] };
  };

  test('restricts a mailbox', async () => {
    lambda.functions.set('block', restricted);
    await addRule('hook=block');
    expect(await receive(message('a@good.example'))).toMatchObject([{ mailbox: 'Junk' }]);
  });

  test('tags the subject with lines as Python writes them', async () => {
    await setEndpoint();
    lambda.functions.set('block', tagSubject);
    await addRule('hook=block');
    const [delivered] = await receive(message('a@good.example'));
    expect(delivered).toEqual({ mailbox: 'INBOX', text: message('a@good.example', 'Hello\r\n', '[Hello World!] Offer').toString() });
  });

  test('tells what is wrong by the names of the contract', async () => {
    await setEndpoint();
    lambda.functions.set('block', async ({ messageId }) => {
      const client = new WorkMailMessageFlowClient({ maxAttempts: 1 });
      const put = (id: string, s3Reference: { bucket: string; key: string; objectVersion?: string }) =>
        client.send(new PutRawMessageContentCommand({ messageId: id, content: { s3Reference } })).then(
          () => 'done',
          (error: Error) => error.name,
        );
      const unknown = '00000000-0000-0000-0000-000000000000';
      await new S3Client({ forcePathStyle: true }).send(new PutObjectCommand({ Bucket: 'changed-mail', Key: 'bad', Body: 'no message' }));
      return {
        actions: [],
        names: [
          await client.send(new GetRawMessageContentCommand({ messageId: unknown })).catch((error: Error) => error.name),
          await put(unknown, { bucket: 'changed-mail', key: 'nothing' }),
          await put(messageId, { bucket: 'changed-mail', key: 'nothing' }),
          await put(messageId, { bucket: 'changed-mail', key: 'nothing', objectVersion: 'v1' }),
          await put(messageId, { bucket: 'not-listed', key: 'bad' }),
          await put(messageId, { bucket: 'changed-mail', key: 'bad' }),
        ],
      };
    });
    await addRule('hook=block');
    const answered: unknown[] = [];
    const run = lambda.functions.get('block')!;
    lambda.functions.set('block', async (event) => {
      const answer = await run(event);
      answered.push((answer as { names: unknown }).names);
      return answer;
    });
    expect(await receive(message('a@good.example'))).toMatchObject([{ mailbox: 'INBOX' }]);
    expect(answered).toEqual([
      [
        'ResourceNotFoundException',
        'ResourceNotFoundException',
        'InvalidContentLocation',
        'InvalidContentLocation',
        'InvalidContentLocation',
        'MessageRejected',
      ],
    ]);
  });

  test('changes what a user sends, and is told that it goes out', async () => {
    await setEndpoint();
    lambda.functions.set('block', tagSubject);
    const { directory } = server.app.services;
    await directory.addRule({ name: 'out', direction: 'outbound', ...parseClauses(['hook=block']) });
    const transport = createTransport({
      host: '127.0.0.1',
      port: server.addressOf('submissions').port,
      secure: true,
      auth: { user: 'me@localhost', pass: password },
      tls: { rejectUnauthorized: false },
    });
    await transport.sendMail({ from: 'me@localhost', to: 'me@localhost', subject: 'Minutes', text: 'Hello' });
    transport.close();
    await expect.poll(async () => (await contentsOf('me@localhost')).length, { timeout: 8_000, interval: 20 }).toBe(1);
    const [delivered] = await contentsOf('me@localhost');
    expect(delivered!.text).toMatch(/^Subject: \[Hello World!\] Minutes\r$/m);
    expect(delivered!.text).not.toMatch(/[^\r]\n/);
    expect(lambda.invocations).toMatchObject([
      { event: { flowDirection: 'OUTBOUND', envelope: { mailFrom: { address: 'me@localhost' } } } },
    ]);
  });
});

test('functions that hang, throw, give no JSON or lie follow the fallback of their hook, after its attempts', async () => {
  const broken: Readonly<Record<string, TestFunction>> = {
    hangs: () => new Promise(() => {}),
    throws: () => Promise.reject(new Error('out of order')),
    babbles: () => Buffer.from('<html>'),
    lies: () => ({ actions: [{ action: { type: 'REWARD' }, allRecipients: true }] }),
  };
  lambda.functions.set('broken', (event) => broken[String(event.subject).split(' ')[0]!]!(event));
  await addRule('header:subject=open', 'hook=open');
  await addRule('header:subject=closed', 'hook=closed');
  const subjects = Object.keys(broken).flatMap((what) => [`${what} open`, `${what} closed`]);
  for (const subject of subjects.slice(1)) await folder.drop(`me@localhost/${subject}`, message('a@good.example', 'x\r\n', subject));
  const delivered = await receive(message('a@good.example', 'x\r\n', subjects[0]), subjects[0]);
  const places = delivered.map(({ mailbox, text }) => `${/Subject: (.*)\r/.exec(text)![1]} ${mailbox}`);
  expect(places.sort()).toEqual(subjects.map((subject) => `${subject} ${subject.endsWith('open') ? 'INBOX' : 'Junk'}`).sort());
  const ids = Map.groupBy(lambda.invocations, ({ event }) => event.invocationId);
  expect([...ids.values()].map(({ length }) => length)).toEqual(Array(8).fill(2));
});
