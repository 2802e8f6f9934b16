/** docker-compose.yml and the Dockerfile against what the server reads, listens on and takes; and its Satchel run, with our own S3 for MinIO. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../server/clock.ts';
import { compose } from '../../server/compose.ts';
import { loadConfig, parseListen } from '../../server/config.ts';
import { silentLogger } from '../../server/logger.ts';
import { systemRandom } from '../../server/random.ts';
import { startStrictS3 } from '../support/s3/strict-s3.ts';
import { sesMessage } from '../support/ses-message.ts';
import { parseYaml } from '../support/yaml.ts';

interface Service {
  readonly image: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly command?: string | readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

const root = join(import.meta.dirname, '../..');
const read = (name: string) => readFileSync(join(root, name), 'utf8');
/** As compose fills in what the environment does not give. */
const withDefaults = (text: string) => text.replace(/\$\{\w+:-([^}]*)\}/g, '$1');
const { services, volumes } = parseYaml(withDefaults(read('docker-compose.yml'))) as unknown as {
  readonly services: Readonly<Record<'minio' | 'bucket' | 'satchel', Service>>;
  readonly volumes: Readonly<Record<string, null>>;
};
const { minio, bucket, satchel } = services;
const setup = (bucket.command as readonly string[]).join('\n');

function configOf(env: Readonly<Record<string, string>>) {
  return loadConfig({ env, cwd: join(tmpdir(), 'no-such-folder') });
}

const served = ['http', 'https', 'imap', 'imaps', 'submission', 'submissions', 'managesieve'] as const;

it('every variable of Satchel is a key of the configuration, and the configuration is valid', () => {
  const { config, warnings } = configOf(satchel.environment);
  expect(warnings).toEqual([]);
  expect(config.store).toMatchObject({ driver: 's3', bucket: 'mail', forcePathStyle: true });
  expect(config.firstAccount).toBe('me@localhost');
});

it('every published port leads to a listener that the server has, where clients look for it', () => {
  const { config } = configOf(satchel.environment);
  const published = Object.fromEntries(satchel.ports!.map((pair) => pair.split(':').map(Number) as [number, number]));
  expect(published).toEqual({
    143: portOf('imap'),
    993: portOf('imaps'),
    587: portOf('submission'),
    465: portOf('submissions'),
    4190: portOf('managesieve'),
    8080: portOf('http'),
    8443: portOf('https'),
  });
  // What mail programs are told is what is published.
  for (const name of ['imap', 'imaps', 'submission', 'submissions'] as const) expect(published[config.clients[name]!]).toBe(portOf(name));
  for (const name of served) expect(parseListen(config.listen[name]!).host).toBe('0.0.0.0');

  function portOf(name: (typeof served)[number]): number {
    return parseListen(config.listen[name]!).port;
  }
});

it("MinIO's webhook, bucket, prefix and keys are those that Satchel is told of", () => {
  const { config } = configOf(satchel.environment);
  const { port } = parseListen(config.listen.http!);
  expect(minio.environment['MINIO_NOTIFY_WEBHOOK_ENDPOINT_SATCHEL']).toBe(`http://satchel:${port}${config.inbound.http.path}`);
  expect(minio.environment['MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_SATCHEL']).toBe(`Bearer ${config.inbound.http.token}`);
  if (config.store.driver !== 's3') throw new Error('not on S3');
  expect(setup).toContain(`mc mb --ignore-existing store/${config.store.bucket}`);
  expect(setup).toContain(`--prefix ${config.inbound.prefix}`);
  expect([minio.environment['MINIO_ROOT_USER'], bucket.environment['S3_ACCESS_KEY']]).toEqual(Array(2).fill(config.store.accessKeyId));
  expect([minio.environment['MINIO_ROOT_PASSWORD'], bucket.environment['S3_SECRET_KEY']]).toEqual(
    Array(2).fill(config.store.secretAccessKey),
  );
  expect(config.store.endpoint).toBe('http://minio:9000');
});

it('images are pinned by tag, services wait for services, and volumes are there', () => {
  for (const { image } of [minio, bucket]) expect(image).toMatch(/:RELEASE\.\d{4}-\d\d-\d\dT/);
  for (const service of Object.values(services)) {
    for (const name of Object.keys(service.depends_on ?? {})) expect(services).toHaveProperty(name);
    for (const mount of service.volumes ?? []) expect(volumes).toHaveProperty(mount.split(':')[0]!);
  }
});

it('the Dockerfile copies what there is, sets keys of the configuration, and opens what is published', () => {
  const text = read('Dockerfile');
  for (const [, names] of text.matchAll(/^COPY (?!--from)(.+) \S+$/gm))
    for (const name of names!.split(' ')) expect(existsSync(join(root, name)), name).toBe(true);
  const env = Object.fromEntries(Array.from(text.matchAll(/(SATCHEL_\w+)=(\S+)/g), ([, name, value]) => [name!, value!]));
  const { warnings } = configOf(env);
  expect(warnings).toEqual([]);
  expect(Object.keys(env)).toHaveLength(9);
  const exposed = /^EXPOSE (.+)$/m.exec(text)![1]!.split(' ');
  for (const pair of satchel.ports!) expect(exposed).toContain(pair.split(':')[1]);
  expect(text).toMatch(/^USER node$/m);
  expect(text).toMatch(/^HEALTHCHECK /m);
});

it("Satchel with compose's environment takes in what is put into the bucket, told by its webhook", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'satchel-compose-'));
  const { S3_ACCESS_KEY: accessKeyId, S3_SECRET_KEY: secretAccessKey } = bucket.environment as Record<string, string>;
  await using s3 = await startStrictS3({ bucket: 'mail', credentials: { accessKeyId: accessKeyId!, secretAccessKey: secretAccessKey! } });
  const any = '127.0.0.1:0';
  const { config } = configOf({
    ...satchel.environment,
    SATCHEL_STORE_ENDPOINT: s3.endpoint,
    SATCHEL_DATA_DIR: dataDir,
    ...Object.fromEntries(served.map((name) => [`SATCHEL_LISTEN_${name.toUpperCase()}`, any])),
    SATCHEL_LISTEN_LMTP: '',
  });
  try {
    await using app = await compose(
      config,
      { clock: systemClock, random: systemRandom, logger: silentLogger, version: '0.0.0' },
      { mode: 'server' },
    );
    await app.start();
    const first = await app.makeFirstAccount();
    expect(first?.address).toBe('me@localhost');
    await app.store.of('test').put('inbound/by-hand', sesMessage({ id: 'by-hand', to: 'me@localhost' }));
    const at = app.listening.find(({ name }) => name === 'http')!.at;
    const answer = await fetch(`http://${at}/inbound`, {
      method: 'POST',
      headers: { authorization: minio.environment['MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_SATCHEL']!, 'content-type': 'application/json' },
      body: JSON.stringify({
        EventName: 's3:ObjectCreated:Put',
        Key: 'mail/inbound/by-hand',
        Records: [
          {
            eventVersion: '2.0',
            eventSource: 'minio:s3',
            eventName: 's3:ObjectCreated:Put',
            s3: { bucket: { name: 'mail' }, object: { key: 'inbound%2Fby-hand', size: 100 } },
          },
        ],
      }),
    });
    expect(answer.status).toBe(200);
    const [account] = app.services.directory.listAccounts();
    const messages = (await app.accounts.open(account!.id)).read((reader) => [...reader.emails()].length);
    expect(messages).toBe(1);
    expect((await fetch(`http://${at}/readyz`)).status).toBe(200);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});
