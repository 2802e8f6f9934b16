/**
 * Objects that SES encrypted before it wrote them (a receipt rule with a KmsKeyArn): the S3 encryption client's envelope, version 2. A data key,
 * wrapped by KMS, stands in the object's metadata; the body is AES-256-GCM's ciphertext with the tag behind it. The material description is
 * the encryption context, so KMS unwraps the key for no other message's metadata.
 */
import { createDecipheriv } from 'node:crypto';
import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms';
import { StorageError } from '../../protocol/mail/errors.ts';

export interface KeyServiceOptions {
  readonly region?: string;
  /** Of a key service other than AWS's. */
  readonly endpoint?: string;
  /** Default: the SDK's chain. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** The data key of a wrapped one. Rejects with StorageError 'unavailable' when the service is away, with another error when it says no. */
export type UnwrapKey = (wrapped: Buffer, context: Readonly<Record<string, string>>) => Promise<Uint8Array>;

/** Why an object cannot be decrypted, for people. */
export class DecryptionError extends Error {}

type Metadata = Readonly<Record<string, string>>;

export const isEncrypted = (metadata: Metadata): boolean => metadata['x-amz-key-v2'] !== undefined;

/** The message inside. Rejects with DecryptionError, or with StorageError when the key service is away. */
export async function decryptObject(metadata: Metadata, body: Buffer, unwrap: UnwrapKey): Promise<Buffer> {
  const wrapped = base64(metadata, 'x-amz-key-v2');
  const iv = base64(metadata, 'x-amz-iv');
  if (metadata['x-amz-cek-alg'] !== 'AES/GCM/NoPadding') throw new DecryptionError(`Its cipher ${metadata['x-amz-cek-alg']} is not known.`);
  if (metadata['x-amz-wrap-alg'] !== 'kms')
    throw new DecryptionError(`Its key is wrapped by ${metadata['x-amz-wrap-alg']}, and not by kms.`);
  if (metadata['x-amz-tag-len'] !== '128' || iv.length !== 12 || body.length < 16) throw new DecryptionError('Its envelope is not whole.');
  const key = await unwrapOrSay(unwrap, wrapped, contextOf(metadata));
  if (key.length !== 32) throw new DecryptionError(`Its data key has ${key.length} bytes, and not 32.`);
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, iv);
    decipher.setAuthTag(body.subarray(-16));
    return Buffer.concat([decipher.update(body.subarray(0, -16)), decipher.final()]);
  } catch (cause) {
    throw new DecryptionError('It is not what was encrypted: its tag does not hold.', { cause });
  }
}

/** KMS, asked when the first encrypted object comes: without one, nothing is opened. */
export function keyService(options: KeyServiceOptions): UnwrapKey {
  let client: KMSClient | undefined;
  return async (wrapped, context) => {
    client ??= new KMSClient(options);
    try {
      const { Plaintext } = await client.send(new DecryptCommand({ CiphertextBlob: wrapped, EncryptionContext: context }));
      if (Plaintext === undefined) throw new DecryptionError('KMS answered without a key.');
      return Plaintext;
    } catch (error) {
      if (isSaidNo(error)) throw error;
      throw new StorageError('unavailable', `KMS could not be asked for a key: ${String(error)}`, { cause: error });
    }
  };
}

/** KMS's own answer, which asking again does not change; throttling and inner failures are none. */
function isSaidNo(error: unknown): boolean {
  if (error instanceof DecryptionError) return true;
  if (!(error instanceof Error) || !('$fault' in error)) return false;
  return error.$fault === 'client' && !/Throttl|Limit|Timeout|KMSInternal|DependencyTimeout/.test(error.name);
}

async function unwrapOrSay(unwrap: UnwrapKey, wrapped: Buffer, context: Readonly<Record<string, string>>): Promise<Uint8Array> {
  try {
    return await unwrap(wrapped, context);
  } catch (error) {
    if (error instanceof StorageError || error instanceof DecryptionError) throw error;
    throw new DecryptionError(`KMS does not give its key: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`, {
      cause: error,
    });
  }
}

function contextOf(metadata: Metadata): Readonly<Record<string, string>> {
  try {
    const context: unknown = JSON.parse(metadata['x-amz-matdesc'] ?? '');
    if (typeof context === 'object' && context !== null && Object.values(context).every((value) => typeof value === 'string')) {
      return context as Record<string, string>;
    }
  } catch {
    // Said below.
  }
  throw new DecryptionError('Its material description cannot be read.');
}

function base64(metadata: Metadata, name: string): Buffer {
  return Buffer.from(metadata[name] ?? '', 'base64');
}
