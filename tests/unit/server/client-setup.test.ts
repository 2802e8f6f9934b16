/** What mail programs are told: each document parsed as its reader would, and the profile's signature checked. */
import { generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import * as asn1js from 'asn1js';
import Fastify, { type FastifyInstance } from 'fastify';
import * as pkijs from 'pkijs';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { type ClientSetup, dnsRecords } from '../../../server/admin/client-setup.ts';
import { clientSetupOf, hasGivenHost } from '../../../server/client-setup.ts';
import { effectiveConfig } from '../../../server/config.ts';
import { appleProfile, autoconfig, autodiscover, autodiscoverError } from '../../../server/http/setup/documents.ts';
import { addSetupRoutes } from '../../../server/http/setup/setup-routes.ts';
import { signProfile } from '../../../server/http/setup/sign-profile.ts';
import { makeSelfSigned } from '../../../server/tls/self-signed.ts';
import { openTestDirectory } from '../../support/directory.ts';
import { elementsOf, parseXml, plistDict, textsOf } from '../../support/xml.ts';

const now = Date.UTC(2026, 10, 24);
const pair = makeSelfSigned({ names: ['mail.example.com'], now, serial: 'ff00' });
const certificate = { cert: Buffer.from(pair.cert), key: Buffer.from(pair.key) };

const whole: ClientSetup = {
  host: 'mail.example.com',
  isInDns: true,
  services: { imap: 143, imaps: 993, submission: 587, submissions: 465, managesieve: 4190 },
  httpsPort: 443,
};

let setup: ClientSetup;
let isHostGiven: boolean;
let server: FastifyInstance;

beforeEach(async () => {
  setup = whole;
  isHostGiven = true;
  const { directory } = await openTestDirectory();
  await directory.addDomain('example.com');
  await directory.addAccount('ada@example.com');
  server = Fastify();
  await addSetupRoutes(server, {
    directory,
    setup: () => setup,
    get isHostGiven() {
      return isHostGiven;
    },
    certificate: () => certificate,
    clock: { now: () => now },
    publicUrl: 'https://mail.example.com/',
  });
});
afterEach(() => server.close());

const get = (url: string, host = 'mail.example.com') => server.inject({ method: 'GET', url, headers: { host } });

describe('the front page', () => {
  test('tells what is served and where, and lets nothing else onto the page', async () => {
    const { body, headers } = await get('/');
    expect(headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'x-content-type-options': 'nosniff' });
    const style = /<style>(.*)<\/style>/s.exec(body)![1]!;
    expect(headers['content-security-policy']).toContain(`style-src 'sha256-${hash('sha256', style, 'base64')}';`);
    const page = parseXml(body.replace('<!doctype html>', ''));
    expect(elementsOf(page, 'code').map(({ text }) => text)).toEqual([
      ...['mail.example.com', '993', '143', '465', '587', '4190'],
      'https://mail.example.com/.well-known/jmap',
    ]);
    expect(elementsOf(page, 'form')).toHaveLength(1);
  });

  test('offers no profile where nothing can be sent, and escapes what it is told', async () => {
    setup = { ...whole, host: '<b>', services: { imaps: 993 } };
    const { body } = await get('/');
    const page = parseXml(body.replace('<!doctype html>', ''));
    expect(elementsOf(page, 'h1').map(({ text }) => text)).toEqual(['Mail at <b>']);
    expect(elementsOf(page, 'form')).toHaveLength(0);
  });
});

describe('autoconfig', () => {
  test.each([
    ['the well-known path with an address', '/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=ada%40example.com', undefined],
    ['the autoconfig host with an address', '/mail/config-v1.1.xml?emailaddress=ADA@Example.com', 'autoconfig.example.com'],
    ['the autoconfig host alone', '/mail/config-v1.1.xml', 'autoconfig.example.com'],
    ["the domain's own host", '/.well-known/autoconfig/mail/config-v1.1.xml', 'example.com:8443'],
    ['an address without an account, alike', '/mail/config-v1.1.xml?emailaddress=nobody@example.com', undefined],
  ])('answers %s', async (_claim, url, host) => {
    const response = await get(url, host);
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('text/xml; charset=utf-8');
    const config = parseXml(response.body);
    expect(config).toMatchObject({ name: 'clientConfig', attributes: { version: '1.1' } });
    expect(elementsOf(config, 'domain').map(({ text }) => text)).toEqual(['example.com']);
    const common = { hostname: 'mail.example.com', authentication: 'password-cleartext', username: '%EMAILADDRESS%' };
    expect(elementsOf(config, 'incomingServer').map((element) => ({ ...element.attributes, ...textsOf(element) }))).toEqual([
      { type: 'imap', ...common, port: '993', socketType: 'SSL' },
      { type: 'imap', ...common, port: '143', socketType: 'STARTTLS' },
    ]);
    expect(elementsOf(config, 'outgoingServer').map((element) => ({ ...element.attributes, ...textsOf(element) }))).toEqual([
      { type: 'smtp', ...common, port: '465', socketType: 'SSL' },
      { type: 'smtp', ...common, port: '587', socketType: 'STARTTLS' },
    ]);
  });

  test.each([
    '/mail/config-v1.1.xml?emailaddress=ada@elsewhere.example',
    '/mail/config-v1.1.xml?emailaddress=ada',
    '/mail/config-v1.1.xml?emailaddress=a@example.com&emailaddress=b@example.com',
    '/mail/config-v1.1.xml',
  ])('knows nothing of %s', async (url) => {
    expect((await get(url)).statusCode).toBe(404);
  });

  it('names only what is served', async () => {
    setup = { ...whole, services: { imaps: 1993 } };
    const config = parseXml((await get('/mail/config-v1.1.xml', 'autoconfig.example.com')).body);
    expect(elementsOf(config, 'port').map(({ text }) => text)).toEqual(['1993']);
  });
});

describe('autodiscover', () => {
  const question = (address: string, schema = 'http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a') =>
    `<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request><EMailAddress>${address}</EMailAddress><AcceptableResponseSchema>${schema}</AcceptableResponseSchema></Request></Autodiscover>`;
  const post = (payload: string, url = '/autodiscover/autodiscover.xml') =>
    server.inject({ method: 'POST', url, payload, headers: { 'content-type': 'text/xml' } });

  test.each(['/autodiscover/autodiscover.xml', '/Autodiscover/Autodiscover.xml'])('tells Outlook the settings at %s', async (url) => {
    const document = parseXml((await post(question('ada@example.com'), url)).body);
    expect(elementsOf(document, 'Action').map(({ text }) => text)).toEqual(['settings']);
    const common = { Server: 'mail.example.com', LoginName: 'ada@example.com', DomainRequired: 'off', SPA: 'off', AuthRequired: 'on' };
    expect(elementsOf(document, 'Protocol').map(textsOf)).toEqual([
      { Type: 'IMAP', Port: '993', SSL: 'on', Encryption: 'SSL', ...common },
      { Type: 'SMTP', Port: '465', SSL: 'on', Encryption: 'SSL', ...common },
    ]);
  });

  it('says STARTTLS where there is no other', async () => {
    setup = { ...whole, services: { imap: 143, submission: 587 } };
    const protocols = elementsOf(parseXml((await post(question('ada@example.com'))).body), 'Protocol').map(textsOf);
    expect(protocols).toMatchObject([
      { Port: '143', SSL: 'off', Encryption: 'TLS' },
      { Port: '587', SSL: 'off', Encryption: 'TLS' },
    ]);
  });

  test.each([
    ['no address', '<Autodiscover/>', '600'],
    ['nothing', '', '600'],
    ['ActiveSync', question('ada@example.com', 'http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006'), '601'],
    ['an address of elsewhere', question('ada@elsewhere.example'), '602'],
    ['what is no address', question('&lt;b&gt;@example.com &amp;'), '602'],
  ])('answers %s with an error', async (_claim, payload, code) => {
    const response = await post(payload);
    expect(response.statusCode).toBe(200);
    expect(elementsOf(parseXml(response.body), 'ErrorCode').map(({ text }) => text)).toEqual([code]);
  });

  it('refuses what is too long', async () => {
    expect((await post(question('a'.repeat(20_000)))).statusCode).toBe(413);
  });

  it('in JSON leads to the XML', async () => {
    for (const url of [
      '/autodiscover/autodiscover.json/v1.0/ada@example.com?Protocol=AutodiscoverV1',
      '/autodiscover/autodiscover.json?Email=ada%40example.com&Protocol=AutodiscoverV1&RedirectCount=1',
    ]) {
      expect((await get(url)).json()).toEqual({
        Protocol: 'AutodiscoverV1',
        Url: 'https://mail.example.com/autodiscover/autodiscover.xml',
      });
    }
    expect((await get('/autodiscover/autodiscover.json/v1.0/ada@example.com?Protocol=EWS')).statusCode).toBe(400);
    expect((await get('/autodiscover/autodiscover.json/v1.0/ada@elsewhere.example?Protocol=AutodiscoverV1')).statusCode).toBe(404);
  });
});

describe('a profile for Apple', () => {
  function openSigned(der: Buffer) {
    const info = pkijs.ContentInfo.fromBER(der);
    const signed = new pkijs.SignedData({ schema: info.content });
    const content = signed.encapContentInfo.eContent!.getValue();
    return { signed, text: Buffer.from(content).toString('utf8') };
  }

  it("is signed with the server's certificate, and sets up both ways", async () => {
    const response = await get('/mail.mobileconfig?email=ada@example.com');
    expect(response.headers['content-type']).toBe('application/x-apple-aspen-config');
    const { signed, text } = openSigned(response.rawPayload);
    await expect(signed.verify({ signer: 0 })).resolves.toBe(true);
    const profile = plistDict(parseXml(text).children[0]!);
    expect(profile).toMatchObject({ PayloadType: 'Configuration', PayloadVersion: 1 });
    expect((profile.PayloadContent as object[])[0]).toMatchObject({
      PayloadType: 'com.apple.mail.managed',
      EmailAccountType: 'EmailTypeIMAP',
      EmailAddress: 'ada@example.com',
      IncomingMailServerHostName: 'mail.example.com',
      IncomingMailServerPortNumber: 993,
      IncomingMailServerUseSSL: true,
      IncomingMailServerUsername: 'ada@example.com',
      OutgoingMailServerHostName: 'mail.example.com',
      OutgoingMailServerPortNumber: 465,
      OutgoingPasswordSameAsIncomingPassword: true,
    });
  });

  it('that was changed on the way does not verify', async () => {
    const der = (await signProfile('<plist/>', certificate, now))!;
    const { signed } = openSigned(der);
    signed.encapContentInfo.eContent = new asn1js.OctetString({ valueHex: Buffer.from('<plist>!') });
    const verified = await signed.verify({ signer: 0 }).catch(() => false);
    expect(verified).toBe(false);
  });

  test.each([['rsa'], ['ec 384']])('is signed by a key of the kind %s too', async (kind) => {
    const key =
      kind === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
    // What is signed is checked against the key; whose certificate stands beside it does not matter here.
    const der = await signProfile('<plist/>', { cert: certificate.cert, key: exported(key.privateKey) }, now);
    expect(openSigned(der!).text).toBe('<plist/>');
  });

  it('is given unsigned where the key cannot sign it', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    expect(await signProfile('<plist/>', { cert: certificate.cert, key: exported(privateKey) }, now)).toBeUndefined();
  });

  it('is the same profile each time, and another for another address', () => {
    expect(appleProfile('ada@example.com', whole)).toBe(appleProfile('ada@example.com', whole));
    const ids = (address: string) => appleProfile(address, whole)!.match(/<string>[0-9A-F-]{36}</g);
    expect(ids('ada@example.com')).not.toEqual(ids('bob@example.com'));
  });

  it('is not there for others, nor where nothing can be sent', async () => {
    expect((await get('/mail.mobileconfig?email=ada@elsewhere.example')).statusCode).toBe(404);
    expect((await get('/mail.mobileconfig')).statusCode).toBe(404);
    setup = { ...whole, services: { imaps: 993 } };
    expect((await get('/mail.mobileconfig?email=ada@example.com')).statusCode).toBe(404);
  });
});

describe('a host that nobody configured', () => {
  beforeEach(() => {
    isHostGiven = false;
  });

  it.each(['/', '/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=ada@example.com'])(
    'is the one that was asked: %s',
    async (url) => {
      const { body } = await get(url, 'NAS.lan:8080');
      expect(body).toContain('>nas.lan<');
      expect(body).not.toContain('mail.example.com<');
    },
  );

  it('is in a profile that is not signed, since anybody may ask for any host', async () => {
    const { body } = await get('/mail.mobileconfig?email=ada@example.com', 'nas.lan');
    const profile = plistDict(parseXml(body).children[0]!);
    expect((profile.PayloadContent as object[])[0]).toMatchObject({ IncomingMailServerHostName: 'nas.lan' });
  });

  it('is not taken from a Host that no host can have', async () => {
    expect((await get('/', 'a<b>')).body).toContain('>mail.example.com<');
  });
});

describe("the form's address of elsewhere", () => {
  it('shows the page again to a browser, and what is wrong', async () => {
    const headers = { host: 'mail.example.com', accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
    const { statusCode, body } = await server.inject({ method: 'GET', url: '/mail.mobileconfig?email=ada@elsewhere.example', headers });
    expect(statusCode).toBe(404);
    const page = parseXml(body.replace('<!doctype html>', ''));
    expect(elementsOf(page, 'p').at(-1)!.text).toBe('This server has no mail of that address. Look whether it is spelt right.');
    expect(elementsOf(page, 'form')).toHaveLength(1);
  });
});

const exported = (key: KeyObject) => Buffer.from(key.export({ type: 'pkcs8', format: 'pem' }));

it('every document stays whole whatever an address holds', () => {
  const nasty = `<a&"'>\u0001@example.com`;
  for (const text of [
    autoconfig(nasty, whole),
    autodiscover(nasty, whole),
    autodiscoverError(600, nasty, nasty),
    appleProfile(nasty, { ...whole, host: 'a&b' })!,
  ]) {
    const document = parseXml(text);
    expect(JSON.stringify(document)).toContain(JSON.stringify(`<a&"'>@example.com`).slice(1, -1));
  }
});

describe('DNS records of a domain', () => {
  it('name what is served, and say of the rest that it is not', () => {
    const records = dnsRecords('example.org', { ...whole, services: { imaps: 993, submissions: 465 } });
    expect(records.map(({ name, type, value }) => `${name} ${type} ${value}`)).toEqual([
      '_imaps._tcp.example.org. SRV 0 1 993 mail.example.com.',
      '_submissions._tcp.example.org. SRV 0 1 465 mail.example.com.',
      '_imap._tcp.example.org. SRV 0 0 0 .',
      '_submission._tcp.example.org. SRV 0 0 0 .',
      '_jmap._tcp.example.org. SRV 0 1 443 mail.example.com.',
      '_autodiscover._tcp.example.org. SRV 0 1 443 mail.example.com.',
      'autoconfig.example.org. CNAME mail.example.com.',
      'autodiscover.example.org. CNAME mail.example.com.',
    ]);
  });

  it('are none where the server has no name', () => {
    expect(dnsRecords('example.org', { ...whole, isInDns: false })).toEqual([]);
  });
});

describe('the set-up', () => {
  const config = (given: object) => effectiveConfig(given, { base: '/tmp', hasFile: true });

  it('follows publicUrl and the listeners, unless the configuration says how it looks from outside', () => {
    const given = { publicUrl: 'https://mail.example.com:8443/', clients: { imaps: 993 }, listen: { imap: null, managesieve: null } };
    expect(clientSetupOf(config(given), undefined)).toEqual({
      host: 'mail.example.com',
      isInDns: true,
      services: { imaps: 993, submission: 1587, submissions: 1465 },
      httpsPort: 8443,
    });
    const listening = [{ name: 'imap', at: '127.0.0.1:49152' } as const];
    expect(clientSetupOf(config({ clients: { host: 'mx.example.net' } }), listening)).toEqual({
      host: 'mx.example.net',
      isInDns: true,
      services: { imap: 49152 },
    });
  });

  test.each([
    [{}, false],
    [{ listen: { http: '0.0.0.0:8080' } }, false],
    [{ publicUrl: 'https://mail.example.com' }, true],
    [{ clients: { host: 'mail.example.com' } }, true],
  ])('knows whether the host was given: %j', (given, isGiven) => {
    expect(hasGivenHost(config(given))).toBe(isGiven);
  });

  it('does not call a server that listens everywhere 0.0.0.0', () => {
    expect(config({ listen: { http: '0.0.0.0:8080' } })).toMatchObject({
      publicUrl: 'http://localhost:8080',
      clients: { host: 'localhost' },
    });
    expect(config({ listen: { http: '[::]:8080' } })).toMatchObject({ publicUrl: 'http://localhost:8080' });
  });

  test.each(['http://127.0.0.1:8080', 'http://localhost:8080', 'http://[::1]:8080'])('has no name in the DNS at %s', (publicUrl) => {
    expect(clientSetupOf(config({ publicUrl }), [])).toMatchObject({ isInDns: false, services: {} });
  });
});
