/** Names that every JavaScript object has by inheritance: where a client may name things they are names like others, and known where there is such a row. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseClauses } from '../../indexer/rules/rule-text.ts';
import { SnsVerifier } from '../../indexer/sources/sns-signature.ts';
import { parseMdn } from '../../protocol/jmap/mdn-message.ts';
import { core, type JmapApp, mail, startJmapApp } from '../support/jmap/app.ts';

const inherited = ['constructor', '__proto__', 'toString', 'hasOwnProperty'];
const sieve = 'urn:ietf:params:jmap:sieve';
const accountId = 'account1';

let app: JmapApp;
beforeAll(async () => {
  app = await startJmapApp();
});
afterAll(() => app[Symbol.asyncDispose]());

/** As JSON has it, where `__proto__` is a name like others. */
const named = (name: string, value: unknown) => JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(value)}}`) as object;

async function answer(name: string, args: object): Promise<Record<string, unknown>> {
  const { methodResponses } = await app.call([[name, { accountId, ...args }, 'c']], { using: [core, mail, sieve] });
  return methodResponses[0]![1];
}

const textEmail = (mailboxId: unknown, more: object) => ({
  ...named('mailboxIds', named(String(mailboxId), true)),
  subject: 'Hello',
  ...more,
});

describe.each(inherited)('%s', (name) => {
  const inbox = async () => ((await answer('Mailbox/query', { filter: { role: 'inbox' } }))['ids'] as string[])[0];

  it.each(['Mailbox/query', 'SieveScript/query', 'Email/query'])('is no collation and no property that %s sorts by', async (method) => {
    const property = method === 'Email/query' ? 'subject' : 'name';
    expect(await answer(method, { sort: [{ property, collation: name }] })).toMatchObject({ type: 'unsupportedSort' });
    expect(await answer(method, { sort: [{ property: name }] })).toMatchObject({ type: 'unsupportedSort' });
    expect(await answer(method, { filter: named(name, 'x') })).toMatchObject({ type: 'unsupportedFilter' });
  });

  it('is no property of an email, and no path of a patch', async () => {
    expect(await answer('Email/get', { ids: [], properties: [name] })).toMatchObject({ type: 'invalidArguments' });
    const mailbox = (await answer('Mailbox/set', { create: { a: { name: `of ${name}` } } }))['created'] as { a: { id: string } };
    const { notUpdated } = await answer('Mailbox/set', { update: { [mailbox.a.id]: named(`${name}/x`, 'y') } });
    expect(notUpdated).toMatchObject({ [mailbox.a.id]: {} });
  });

  it('is a creation id', async () => {
    const created = await answer('Mailbox/set', { create: named(name, { name: `Mailbox ${name}` }) });
    expect(Object.keys(created['created'] as object)).toEqual([name]);
    const refused = await answer('Mailbox/set', { create: named(name, {}) });
    expect(Object.keys(refused['notCreated'] as object)).toEqual([name]);
  });

  it('is no creation id of a mailbox that the call does not create', async () => {
    const { created, notCreated } = await answer('Mailbox/set', { create: { x: { name: 'X', parentId: `#${name}` } } });
    expect([created, Object.keys(notCreated as object)]).toEqual([null, ['x']]);
  });

  it('is a keyword', async () => {
    const lower = name.toLowerCase();
    const create = { a: textEmail(await inbox(), { keywords: named(name, true) }) };
    const { id } = ((await answer('Email/set', { create }))['created'] as { a: { id: string } }).a;
    const keywords = async () =>
      Object.keys(((await answer('Email/get', { ids: [id], properties: ['keywords'] }))['list'] as { keywords: object }[])[0]!.keywords);
    expect(await keywords()).toEqual([lower]);
    await answer('Email/set', { update: { [id]: named(`keywords/${lower}`, null) } });
    expect(await keywords()).toEqual([]);
    await answer('Email/set', { update: { [id]: named(`keywords/${lower}`, true) } });
    expect(await keywords()).toEqual([lower]);
  });

  it('is no partId where bodyValues has none of that name', async () => {
    const create = { a: textEmail(await inbox(), { textBody: [{ partId: name, type: 'text/plain' }], bodyValues: { t: { value: 'x' } } }) };
    expect((await answer('Email/set', { create }))['notCreated']).toMatchObject({ a: { type: 'invalidProperties' } });
  });

  it('is an argument like others, by itself and by a reference', async () => {
    const calls = [
      ['Core/echo', named(name, 1), 'a'],
      ['Core/echo', named(`#${name}`, { resultOf: 'a', name: 'Core/echo', path: `/${name}` }), 'b'],
    ];
    const { methodResponses } = await app.call(calls);
    expect(methodResponses.map(([, args]) => JSON.stringify(args))).toEqual(Array(2).fill(JSON.stringify(named(name, 1))));
  });

  it('is no type and no version of what SNS sends', async () => {
    const verifier = new SnsVerifier(() => Promise.reject(new Error('nothing is fetched')));
    const message = { TopicArn: 'arn:aws:sns:eu-west-1:1:t', Message: '', MessageId: '', Timestamp: '', Signature: '' };
    const withUrl = { ...message, SigningCertURL: 'https://sns.eu-west-1.amazonaws.com/a.pem' };
    expect(await verifier.fault({ ...withUrl, Type: name, SignatureVersion: '1' })).toBe('the message is not complete');
    expect(await verifier.fault({ ...withUrl, Type: 'Notification', SignatureVersion: name })).toBe('the signature has an unknown version');
  });

  it('is no action of a rule', () => {
    expect(() => parseClauses([name])).toThrow('neither a condition nor an action');
  });

  it('is an extension field of a notification', () => {
    const report = [
      'From: a@example.com',
      'MIME-Version: 1.0',
      'Content-Type: multipart/report; report-type=disposition-notification; boundary=b',
      '',
      '--b',
      'Content-Type: text/plain',
      '',
      'Read.',
      '--b',
      'Content-Type: message/disposition-notification',
      '',
      'Final-Recipient: rfc822;a@example.com',
      'Disposition: manual-action/MDN-sent-manually; displayed',
      `${name}: x`,
      '--b--',
      '',
    ].join('\r\n');
    const found = parseMdn(Buffer.from(report)) as { extensionFields: object };
    expect(Object.entries(found.extensionFields)).toEqual([[name, 'x']]);
  });
});
