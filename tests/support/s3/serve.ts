/**
 * The strict S3 server by hand: `node tests/support/s3/serve.ts PORT BUCKET [FOLDER]`. With a folder, objects are kept there as files.
 * Credentials are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or `satchel` and `satchel-secret`. S3_EVENT_URL is posted the events.
 */
import { randomBytes } from 'node:crypto';
import { openFileStore } from '../../../storage/objects/file.ts';
import { startStrictS3 } from './strict-s3.ts';

const [port = '9000', bucket = 'satchel', folder] = process.argv.slice(2);
const { AWS_ACCESS_KEY_ID: accessKeyId = 'satchel', AWS_SECRET_ACCESS_KEY: secretAccessKey = 'satchel-secret' } = process.env;
const random = { hex: (count: number) => randomBytes(count).toString('hex') };
const store = folder === undefined ? undefined : await openFileStore({ path: folder, clock: Date, random });
const server = await startStrictS3({
  port: Number(port),
  bucket,
  store,
  credentials: { accessKeyId, secretAccessKey },
  onEvent: process.env['S3_EVENT_URL'],
});
process.stdout.write(
  `${JSON.stringify({ endpoint: server.endpoint, bucket, region: server.region, accessKeyId, store: server.store.name })}\n`,
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void server[Symbol.asyncDispose]().then(() => store?.[Symbol.asyncDispose]());
  });
}
