/** Ways to log in, on a whole server: tokens of an OpenID provider by IMAP and HTTP, SCRAM bound to the TLS connection, app passwords. */
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LineClient } from '../support/line-client.ts';
import { makeProvider, type TestProvider } from '../support/openid-provider.ts';
import { makeServerFolder, password, type RunningServer, type ServerFolder } from '../support/running-server.ts';
import { clientFinalMessage } from '../support/scram-client.ts';
import { connectTlsImap, type TlsImap, tlsExporter } from '../support/tls-imap.ts';

let idp: TestProvider;
let folder: ServerFolder;
let server: RunningServer;

beforeAll(async () => {
  idp = await makeProvider(Date.now);
  await idp.listen();
  const any = '127.0.0.1:0';
  const listen = { http: any, https: null, imap: any, imaps: any, submission: any, submissions: any, lmtp: null, managesieve: null };
  folder = makeServerFolder({ listen, openId: { issuer: idp.issuer, audience: 'satchel' } });
  server = await folder.start();
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  folder?.[Symbol.dispose]();
  await idp?.[Symbol.asyncDispose]();
});

const base64 = (text: string) => Buffer.from(text).toString('base64');
const decode = (line: string) => Buffer.from(line.replace(/^\+ /, ''), 'base64').toString();
const mine = (claims: object = {}) => idp.sign({ email: 'me@localhost', ...claims });
const imap = () => connectTlsImap(server.addressOf('imaps'));

const bearer = (token: string, authzid = '') => base64(`n,${authzid},\x01host=localhost\x01port=993\x01auth=Bearer ${token}\x01\x01`);
const xoauth2 = (user: string, token: string) => base64(`user=${user}\x01auth=Bearer ${token}\x01\x01`);

describe('a token', () => {
  it('opens its account by OAUTHBEARER and XOAUTH2', async () => {
    const { client } = await imap();
    expect(client.greeting).toMatch(/ AUTH=OAUTHBEARER AUTH=XOAUTH2 /);
    expect((await client.command(`AUTHENTICATE OAUTHBEARER ${bearer(await mine())}`)).at(-1)).toMatch(/^x OK .*me@localhost/);
    client.close();
    const { client: other } = await imap();
    other.write('a AUTHENTICATE XOAUTH2\r\n');
    expect(await other.line()).toBe('+ ');
    other.write(`${xoauth2('me@localhost', await mine())}\r\n`);
    expect(await other.line()).toMatch(/^a OK /);
    other.close();
  });

  it('that is refused is told why in JSON, and then fails (RFC 7628 §3.2.2)', async () => {
    const { client } = await imap();
    const discovery = `${idp.issuer}/.well-known/openid-configuration`;
    client.write(`a AUTHENTICATE OAUTHBEARER ${bearer(await mine({ exp: 1 }))}\r\n`);
    expect(JSON.parse(decode(await client.line()))).toEqual({ status: 'invalid_token', 'openid-configuration': discovery });
    client.write('AQ==\r\n');
    expect(await client.line()).toBe('a NO [AUTHENTICATIONFAILED] The token has expired.');
    client.write(`b AUTHENTICATE XOAUTH2 ${xoauth2('me@localhost', 'not.a.token')}\r\n`);
    expect(JSON.parse(decode(await client.line()))).toMatchObject({ status: '401' });
    client.write('\r\n');
    expect(await client.line()).toMatch(/^b NO \[AUTHENTICATIONFAILED\]/);
    client.close();
  });

  it('opens no other account, and none where its address has none', async () => {
    await server.app.services.directory.addAccount('other@localhost');
    const { client } = await imap();
    for (const message of [bearer(await mine(), 'a=other@localhost'), bearer(await mine({ email: 'nobody@localhost' }))]) {
      client.write(`a AUTHENTICATE OAUTHBEARER ${message}\r\n`);
      expect(JSON.parse(decode(await client.line()))).toMatchObject({ status: 'invalid_token' });
      client.write('AQ==\r\n');
      expect(await client.line()).toMatch(/^a NO /);
    }
    client.close();
  });

  it('opens submission, by an initial response or in an answer; a refused one is told why (RFC 4954)', async () => {
    const smtp = LineClient.connect(server.addressOf('submission'));
    await smtp.send('', /^220 /m);
    await smtp.send('EHLO there\r\n', /^250 .*\r\n$/m);
    await smtp.startTls();
    expect(await smtp.send('EHLO there\r\n', /^250 .*\r\n$/m)).toMatch(/^250-AUTH SCRAM-SHA-256 OAUTHBEARER XOAUTH2 PLAIN LOGIN\r$/m);
    const challenge = await smtp.send(`AUTH OAUTHBEARER ${bearer(await mine({ exp: 1 }))}\r\n`, /^334 .*\r\n/m);
    expect(JSON.parse(Buffer.from(challenge.slice(4), 'base64').toString())).toMatchObject({ status: 'invalid_token' });
    expect(await smtp.send('AQ==\r\n', /\r\n$/)).toMatch(/^535 5\.7\.8 /);
    expect(await smtp.send('AUTH XOAUTH2\r\n', /\r\n$/)).toMatch(/^334 ?\r\n/);
    expect(await smtp.send(`${xoauth2('me@localhost', await mine())}\r\n`, /\r\n$/)).toMatch(/^235 /);
    smtp.socket.destroy();
  });

  it('opens JMAP; a refused one is told by the challenges', async () => {
    const { port } = server.addressOf('http');
    const session = (authorization?: string) =>
      fetch(`http://127.0.0.1:${port}/.well-known/jmap`, { headers: authorization === undefined ? {} : { authorization } });
    const right = await session(`Bearer ${await mine()}`);
    expect(right.status).toBe(200);
    expect(await right.json()).toMatchObject({ username: 'me@localhost' });
    const wrong = await session(`Bearer ${await mine({ aud: 'calendar' })}`);
    expect(wrong.status).toBe(401);
    expect(wrong.headers.get('www-authenticate')).toMatch(/Bearer .*error="invalid_token".*Basic /);
    expect((await session()).headers.get('www-authenticate')).toMatch(/Bearer .*Basic /);
  });
});

describe('SCRAM', () => {
  /** The whole exchange; gives the tagged answer. */
  async function scram({ client }: TlsImap, mechanism: string, header: string, binding: Buffer): Promise<string> {
    const bare = 'n=me@localhost,r=abcdef';
    client.write(`a AUTHENTICATE ${mechanism} ${base64(header + bare)}\r\n`);
    const first = await client.line();
    if (!first.startsWith('+ ')) return first;
    const serverFirst = decode(first);
    const nonce = /^r=([^,]+),/.exec(serverFirst)![1]!;
    const bound = Buffer.concat([Buffer.from(header), binding]).toString('base64');
    client.write(`${base64(clientFinalMessage(password, bare, serverFirst, `c=${bound},r=${nonce}`))}\r\n`);
    const last = await client.line();
    if (!last.startsWith('+ ')) return last;
    expect(decode(last)).toMatch(/^v=/);
    client.write('\r\n');
    return client.line();
  }
  const none = Buffer.alloc(0);

  it('-PLUS binds to the TLS 1.3 connection (RFC 9266)', async () => {
    const tls = await imap();
    expect(tls.client.greeting).toMatch(/ AUTH=SCRAM-SHA-256-PLUS AUTH=SCRAM-SHA-256 /);
    expect(await scram(tls, 'SCRAM-SHA-256-PLUS', 'p=tls-exporter,,', tlsExporter(tls.socket))).toMatch(/^a OK /);
    tls.client.close();
  });

  it('-PLUS refuses what was bound to another connection: somebody is in the middle', async () => {
    const [tls, other] = [await imap(), await imap()];
    expect(await scram(tls, 'SCRAM-SHA-256-PLUS', 'p=tls-exporter,,', tlsExporter(other.socket))).toMatch(/^a NO \[AUTHENTICATIONFAILED\]/);
    expect(await scram(tls, 'SCRAM-SHA-256-PLUS', 'p=tls-unique,,', none)).toMatch(/^a (NO|BAD) /);
    tls.client.close();
    other.client.close();
  });

  it('refuses a client that could bind and was told that it cannot (RFC 5802 §6)', async () => {
    const tls = await imap();
    expect(await scram(tls, 'SCRAM-SHA-256', 'y,,', none)).toMatch(/^a (NO|BAD) .*[Cc]hannel binding is offered/);
    expect(await scram(tls, 'SCRAM-SHA-256', 'n,,', none)).toMatch(/^a OK /);
    tls.client.close();
  });

  it('opens submission without binding, also for a client that could bind', async () => {
    const { port } = server.addressOf('submissions');
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
    const smtp = new LineClient(socket);
    await smtp.send('', /^220 /m);
    expect(await smtp.send('EHLO there\r\n', /^250 .*\r\n$/m)).not.toContain('-PLUS');
    const [header, bare] = ['y,,', 'n=me@localhost,r=abcdef'];
    expect(await smtp.send(`AUTH SCRAM-SHA-256-PLUS ${base64(`p=tls-exporter,,${bare}`)}\r\n`, /\r\n$/)).toMatch(/^504 /);
    const first = await smtp.send(`AUTH SCRAM-SHA-256 ${base64(header + bare)}\r\n`, /^334 .*\r\n/m);
    const serverFirst = Buffer.from(first.slice(4), 'base64').toString();
    const nonce = /^r=([^,]+),/.exec(serverFirst)![1]!;
    const final = base64(clientFinalMessage(password, bare, serverFirst, `c=${base64(header)},r=${nonce}`));
    expect(await smtp.send(`${final}\r\n`, /\r\n$/)).toMatch(/^334 /);
    expect(await smtp.send('\r\n', /\r\n$/)).toMatch(/^235 /);
    socket.destroy();
  });

  it('offers no binding on TLS 1.2, and believes the client that was told so', async () => {
    const tls = await connectTlsImap(server.addressOf('imaps'), 'TLSv1.2');
    expect(tls.client.greeting).toMatch(/AUTH=SCRAM-SHA-256 /);
    expect(tls.client.greeting).not.toMatch(/-PLUS/);
    expect(await scram(tls, 'SCRAM-SHA-256-PLUS', 'p=tls-exporter,,', none)).toMatch(/^a NO /);
    expect(await scram(tls, 'SCRAM-SHA-256', 'y,,', none)).toMatch(/^a OK /);
    tls.client.close();
  });
});

describe('an app password', () => {
  it('is made and shown once, opens what it is for, and is taken back', async () => {
    const added = await folder.satchel(['app-password', 'add', 'me@localhost', '--name', 'phone', '--scope', 'imap,submission', '--json']);
    expect(added.code).toBe(0);
    const { id, password: drawn } = JSON.parse(added.out) as { id: string; password: string };
    const listed = await folder.satchel(['app-password', 'list', 'me@localhost']);
    expect(listed.out).toMatch(new RegExp(`${id} +phone +imap, submission `));
    expect(listed.out).not.toContain(drawn);

    const logIn = async () => {
      const { client } = await imap();
      const answer = (await client.command(`LOGIN me@localhost "${drawn}"`)).at(-1);
      client.close();
      return answer;
    };
    expect(await logIn()).toMatch(/^x OK /);
    const { port } = server.addressOf('http');
    const authorization = `Basic ${base64(`me@localhost:${drawn}`)}`;
    expect((await fetch(`http://127.0.0.1:${port}/.well-known/jmap`, { headers: { authorization } })).status).toBe(403);

    expect((await folder.satchel(['app-password', 'remove', 'me@localhost', id])).code).toBe(0);
    expect(await logIn()).toMatch(/^x NO /);
  });

  it('of another service is refused at submission as a login, not as one that lacks TLS (RFC 4954 §6)', async () => {
    const added = await folder.satchel(['app-password', 'add', 'me@localhost', '--scope', 'imap', '--json']);
    const { password: drawn } = JSON.parse(added.out) as { password: string };
    const { port } = server.addressOf('submissions');
    const smtp = new LineClient(connect({ host: '127.0.0.1', port, rejectUnauthorized: false }));
    await smtp.send('', /^220 /m);
    await smtp.send('EHLO there\r\n', /^250 .*\r\n$/m);
    const answer = await smtp.send(`AUTH PLAIN ${base64(`\0me@localhost\0${drawn}`)}\r\n`, /\r\n$/);
    expect(answer).toBe('535 5.7.8 This app password is not for submission.\r\n');
    smtp.socket.destroy();
  });

  it('for a service that is not there is refused', async () => {
    const { code, err } = await folder.satchel(['app-password', 'add', 'me@localhost', '--scope', 'imap,telnet']);
    expect(code).toBe(1);
    expect(err).toMatch(/no service "telnet": name some of imap, jmap, submission, managesieve/);
  });
});
