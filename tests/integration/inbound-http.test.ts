/** Events of new mail, posted to a whole server. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeServerFolder, type RunningServer, type ServerFolder } from '../support/running-server.ts';
import { sesMessage } from '../support/ses-message.ts';

const token = 'a token of the tests';
let folder: ServerFolder;
let server: RunningServer;

beforeAll(async () => {
  folder = makeServerFolder({ inbound: { sweepSeconds: 0.1, http: { token, topicArns: ['arn:aws:sns:eu-west-1:444455556666:mail-in'] } } });
  server = await folder.start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

async function post(body: unknown, headers: Record<string, string> = {}) {
  const { host, port } = server.addressOf('http');
  const response = await fetch(`http://${host}:${port}/inbound`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as { message: string } };
}

const minioEvent = (key: string) => ({
  EventName: 's3:ObjectCreated:Put',
  Records: [
    {
      eventVersion: '2.0',
      eventSource: 'minio:s3',
      eventName: 's3:ObjectCreated:Put',
      s3: { bucket: { name: 'mail' }, object: { key: encodeURIComponent(key) } },
    },
  ],
});

it("MinIO's webhook brings a dropped message in at once, while the sweep leaves it alone", async () => {
  const client = await server.imap();
  await folder.drop('post1', sesMessage({ id: 'post1', to: 'me@localhost' }));
  expect(await post(minioEvent('inbound/post1'), { authorization: `Bearer ${token}`, 'content-type': 'application/json' })).toEqual({
    status: 200,
    body: { message: 'Taken.' },
  });
  expect(await client.status('INBOX', { messages: true })).toMatchObject({ messages: 1 });
  await client.logout();
});

it('a body that is text for its type is read all the same, and refused without the token', async () => {
  expect(await post(minioEvent('inbound/post2'), { 'content-type': 'text/plain; charset=UTF-8' })).toMatchObject({ status: 401 });
  expect(await post({ Type: 'Notification', TopicArn: 'arn:aws:sns:eu-west-1:1:else' })).toMatchObject({ status: 403 });
  const { text } = await fetchMetrics();
  expect(text).toContain('satchel_intake_events_total{kind="refused"} 2');
});

it('a body that is too large is refused with a reason, and counted', async () => {
  const refused = async () => Number(/events_total\{kind="refused"\} (\d+)/.exec((await fetchMetrics()).text)?.[1] ?? 0);
  const before = await refused();
  expect(await post({ text: 'x'.repeat(3 * 1024 * 1024) }, { authorization: `Bearer ${token}` })).toMatchObject({
    status: 413,
    body: { message: 'The event is larger than 2097152 bytes.' },
  });
  expect(await refused()).toBe(before + 1);
});

it('an address whose path cannot be read is refused as all others are', async () => {
  const { host, port } = server.addressOf('http');
  const response = await fetch(`http://${host}:${port}/admin/v1/trace/%ff`);
  expect([response.status, await response.json()]).toEqual([
    400,
    { error: { code: 'invalidArguments', message: 'The path of the address cannot be read.' } },
  ]);
});

async function fetchMetrics() {
  const { host, port } = server.addressOf('http');
  return { text: await (await fetch(`http://${host}:${port}/metrics`)).text() };
}
