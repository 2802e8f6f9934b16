/** Blobs as RFC 9404 makes and reads them. */
import { type Static, Type } from 'typebox';
import { nullable, strict, UnsignedInt } from './common.ts';

/** §4.1: exactly one of the two kinds of data, or a stretch of a blob. */
export const DataSource = Type.Union([
  strict({ 'data:asText': Type.String() }),
  strict({ 'data:asBase64': Type.String() }),
  strict({ blobId: Type.String(), offset: Type.Optional(nullable(UnsignedInt)), length: Type.Optional(nullable(UnsignedInt)) }),
]);
export type DataSource = Static<typeof DataSource>;

export const BlobSettings = strict({ data: Type.Array(DataSource), type: nullable(Type.String({ maxLength: 255 })) });
export type BlobSettings = Static<typeof BlobSettings>;

/** §4.2: digests that are given, by name and by Node's name of them. */
export const digests: Readonly<Record<string, string>> = { sha: 'sha1', 'sha-256': 'sha256', 'sha-512': 'sha512' };
export const blobProperties: readonly string[] = [
  'id',
  'data',
  'data:asText',
  'data:asBase64',
  'size',
  ...Object.keys(digests).map((name) => `digest:${name}`),
];

/** §4.3: types whose objects hold blobs. */
export const blobHolders = ['Mailbox', 'Thread', 'Email'] as const;
