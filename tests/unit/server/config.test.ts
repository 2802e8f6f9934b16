import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig, parseListen, withoutSecrets } from '../../../server/config.ts';
import { configJsonSchema } from '../../../server/config-schema.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'satchel-config-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

function load(text?: string, env: Record<string, string> = {}) {
  if (text !== undefined) writeFileSync(join(cwd, 'satchel.json'), text);
  return loadConfig({ cwd, env });
}

describe('a configuration', () => {
  it('that is not there means the embedded store, loopback listeners and a first account', () => {
    const { config, file, warnings } = load();
    expect({ file, warnings }).toEqual({ file: undefined, warnings: [] });
    expect(config).toMatchObject({
      dataDir: join(cwd, 'satchel-data'),
      store: { driver: 'file', path: join(cwd, 'satchel-data/bucket') },
      listen: {
        http: '127.0.0.1:8080',
        https: '127.0.0.1:8443',
        imap: '127.0.0.1:1143',
        imaps: '127.0.0.1:1993',
        submission: '127.0.0.1:1587',
        submissions: '127.0.0.1:1465',
        lmtp: '127.0.0.1:1024',
        managesieve: '127.0.0.1:4190',
      },
      publicUrl: 'http://127.0.0.1:8080',
      defaultDomain: 'localhost',
      firstAccount: 'me@localhost',
      inbound: { prefix: 'inbound/', sweepSeconds: 5, sqs: [], http: { path: '/inbound', topicArns: [] } },
      relay: { driver: 'none' },
      limits: { messageBytesMax: 41943040 },
    });
    expect(config.verdicts.map(({ action }) => action)).toEqual(['quarantine', 'junk']);
  });

  it('may have comments and trailing commas, and paths relative to its file', () => {
    const { config, file } = load('{ // where\n "dataDir": "data", /* and */ "tls": { "cert": "c.pem", "key": "/k.pem" }, }');
    expect(file).toBe(join(cwd, 'satchel.json'));
    expect(config.dataDir).toBe(join(cwd, 'data'));
    expect(config.tls).toEqual({ cert: join(cwd, 'c.pem'), key: '/k.pem' });
    expect(config.firstAccount).toBeNull();
  });

  it('on S3 sweeps every five minutes', () => {
    expect(load('{ "store": { "driver": "s3", "bucket": "mail" } }').config.inbound.sweepSeconds).toBe(300);
  });

  it('switches a listener off with null', () => {
    expect(load('{ "listen": { "lmtp": null } }').config.listen).toMatchObject({ lmtp: null, imap: '127.0.0.1:1143' });
  });
});

describe('a wrong configuration is refused with a sentence', () => {
  const rows: readonly [claim: string, text: string, sentence: RegExp][] = [
    ['a mistyped key', '{ "listen": { "iamps": null } }', /no key listen\.iamps\. Did you mean listen\.imaps\?/],
    ['a key in the wrong place', '{ "imaps": null }', /no key imaps\. Did you mean listen\.imaps\?/],
    ['a key that is like nothing', '{ "colour": 1 }', /no key colour\. Remove it\./],
    [
      'a mistyped key in a list',
      '{ "verdicts": [{ "headr": "X", "equals": "Y", "action": "junk" }] }',
      /no key verdicts\[0\]\.headr\. Did you mean verdicts\[0\]\.header\?/,
    ],
    ['a key of another driver', '{ "store": { "driver": "file", "bucket": "x" } }', /no key store\.bucket/],
    ['an unknown driver', '{ "store": { "driver": "ftp" } }', /store\.driver must be "file" or "s3", and is "ftp"\./],
    ['a missing key', '{ "store": { "driver": "s3" } }', /lacks store\.bucket/],
    ['half a certificate', '{ "tls": { "cert": "c.pem" } }', /lacks tls\.key/],
    ['half of the credentials', '{ "store": { "driver": "s3", "bucket": "mail", "accessKeyId": "a" } }', /go together/],
    ['an address without a port', '{ "listen": { "imap": "localhost" } }', /^listen\.imap must be of another form/],
    ['a port that is none', '{ "listen": { "imap": "localhost:70000" } }', /listen\.imap must be 0 to 65535/],
    ['a wrong type', '{ "limits": { "messageBytesMax": "40 MB" } }', /^limits\.messageBytesMax must be an integer .*, and is "40 MB"\.$/],
    [
      'a listener without an address',
      '{ "listen": { "imap": "143" } }',
      /^listen\.imap must be of another form \(.*: an address and port such as 127\.0\.0\.1:1143, or null to switch it off\), and is "143"\.$/,
    ],
    ['a listener that is a number', '{ "listen": { "imap": 143 } }', /^listen\.imap must be a string .*, and is 143\.$/],
    ['a number out of bounds', '{ "limits": { "messageBytesMax": 1 } }', /^limits\.messageBytesMax must be >= 65536/],
    [
      'an unknown action',
      '{ "verdicts": [{ "header": "X", "equals": "Y", "action": "burn" }] }',
      /verdicts\[0\]\.action must be "inbox" or "junk" or "drop" or "quarantine"/,
    ],
    ['a rule that compares nothing', '{ "verdicts": [{ "header": "X", "action": "junk" }] }', /verdicts\[0\] compares nothing/],
    ['what is not an object', '[]', /must hold one object/],
    ['a group that is not an object', '{ "listen": 25 }', /^listen must be an object/],
    ['what is not JSON', '{\n "dataDir": x }', /is not JSON: .* in line 2/],
  ];
  it.each(rows)('%s', (_, text, sentence) => {
    expect(() => load(text)).toThrow(sentence);
  });

  it('a file that was named and is not there', () => {
    expect(() => loadConfig({ cwd, env: {}, file: 'other.json' })).toThrow(/other\.json cannot be read \(ENOENT\)/);
    expect(() => loadConfig({ cwd, env: { SATCHEL_CONFIG: 'other.json' } })).toThrow(/ENOENT/);
  });
});

describe('the environment', () => {
  it('stands over the file, key by key', () => {
    const { config } = load('{ "listen": { "imap": "127.0.0.1:1", "imaps": "127.0.0.1:2" } }', {
      SATCHEL_LISTEN_IMAP: '0.0.0.0:143',
      SATCHEL_DATA_DIR: 'elsewhere',
      SATCHEL_INBOUND_SWEEP_SECONDS: '0.5',
      SATCHEL_LISTEN_LMTP: 'null',
      SATCHEL_LISTEN_MANAGESIEVE: '',
      SATCHEL_LIMITS_MESSAGE_BYTES_MAX: '100000',
      SATCHEL_TRUSTED_PROXIES: '["10.0.0.0/8"]',
      SATCHEL_INBOUND_HTTP_TOPIC_ARNS: '["arn:aws:sns:us-east-1:111122223333:mail"]',
      SATCHEL_ADMIN_TOKEN: '',
    });
    expect(config.listen).toMatchObject({ imap: '0.0.0.0:143', imaps: '127.0.0.1:2', lmtp: null, managesieve: null });
    expect(config).toMatchObject({
      dataDir: join(cwd, 'elsewhere'),
      trustedProxies: ['10.0.0.0/8'],
      limits: { messageBytesMax: 100000 },
      admin: {},
      inbound: { sweepSeconds: 0.5, http: { topicArns: ['arn:aws:sns:us-east-1:111122223333:mail'] } },
    });
  });

  it('alone makes a whole configuration', () => {
    const { config } = load(undefined, {
      SATCHEL_STORE_DRIVER: 's3',
      SATCHEL_STORE_BUCKET: 'mail',
      SATCHEL_STORE_ENDPOINT: 'http://127.0.0.1:9000',
      SATCHEL_STORE_FORCE_PATH_STYLE: 'true',
      SATCHEL_STORE_REGION: '',
    });
    expect(config.store).toEqual({ driver: 's3', bucket: 'mail', prefix: '', endpoint: 'http://127.0.0.1:9000', forcePathStyle: true });
  });

  it('gives groups and lists as JSON', () => {
    const { config } = load(undefined, { SATCHEL_STORE: '{ "driver": "s3", "bucket": "one" }', SATCHEL_STORE_BUCKET: 'two' });
    expect(config.store).toMatchObject({ driver: 's3', bucket: 'two' });
    expect(() => load(undefined, { SATCHEL_VERDICTS: 'junk' })).toThrow(/SATCHEL_VERDICTS must be JSON \(array\)/);
  });

  it('with a variable of another is warned about and no more', () => {
    const { warnings } = load(undefined, {
      SATCHEL_LISTEN_IAMPS: 'x',
      SATCHEL_SERVICE_HOST: '10.0.0.1',
      SATCHEL_TEST_CORPUS: 'x',
      OTHER: 'y',
    });
    expect(warnings).toEqual([
      'The environment variable SATCHEL_LISTEN_IAMPS is no key of the configuration; did you mean SATCHEL_LISTEN_IMAPS?',
      expect.stringContaining('SATCHEL_SERVICE_HOST'),
    ]);
  });
});

describe('what is shown', () => {
  it('holds no secret', () => {
    const { config } = load(undefined, {
      SATCHEL_STORE: '{ "driver": "s3", "bucket": "mail", "accessKeyId": "AKIA", "secretAccessKey": "s3cret" }',
      SATCHEL_ADMIN_TOKEN: 's3cret-s3cret-s3cret',
      SATCHEL_INBOUND_HTTP_TOKEN: 's3cret-too',
    });
    expect(JSON.stringify(withoutSecrets(config))).not.toContain('s3cret');
    expect(JSON.stringify(withoutSecrets(config))).toContain('AKIA');
  });

  it('as satchel.schema.json is current (npm run schema)', () => {
    const written = readFileSync(new URL('../../../satchel.schema.json', import.meta.url), 'utf8');
    expect(written).toBe(`${JSON.stringify(configJsonSchema(), undefined, 2)}\n`);
  });

  it('as schema requires nothing that has a default', () => {
    const schema = configJsonSchema() as { required?: string[]; properties: { store: { anyOf: { required: string[] }[] } } };
    expect(schema.required).toBeUndefined();
    expect(schema.properties.store.anyOf.map(({ required }) => required)).toEqual([['driver'], ['driver', 'bucket']]);
  });
});

it('a listen address comes apart into host and port, with and without brackets', () => {
  expect(parseListen('[::1]:993')).toEqual({ host: '::1', port: 993 });
  expect(parseListen('mail.example.com:143')).toEqual({ host: 'mail.example.com', port: 143 });
});
