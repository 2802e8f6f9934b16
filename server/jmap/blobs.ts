/**
 * Blobs as JMAP names them: raw messages, parts of messages, uploads (RFC 8620 §6). Uploads are objects of type `upload` in the account's log, so that
 * every node knows them and the bytes are not taken for garbage; they go after a day.
 */
import { parseBlobId, uploadBlobId } from '../../protocol/jmap/blob-id.ts';
import { StorageError } from '../../protocol/mail/errors.ts';
import { decodePart } from '../../protocol/mime/part-content.ts';
import { findPart } from '../../protocol/mime/sections.ts';
import { type Part, parseStructure } from '../../protocol/mime/structure.ts';
import type { Account, AccountReader, AccountTransactor, Upload } from '../../storage/account/api.ts';
import type { BlobRef } from '../../storage/log/record.ts';
import { submission } from '../../storage/outbox/outbox.ts';
import { scripts } from '../../storage/sieve/scripts.ts';
import { cacheOf } from './account-cache.ts';
import { uploadFreshMs, uploadKeptMs, uploadsBytesMax, uploadsMax, uploadsUnlookedBytesMax, uploadsUnlookedMax } from './limits.ts';

const uploadType = 'upload';
const minuteMs = 60_000;
const hourMs = 60 * 60 * 1000;

/** What is kept of an upload. */
interface UploadRecord {
  readonly ref: BlobRef;
  /** The store's date of the upload. */
  readonly date: number;
  readonly type: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly expires: number;
}

export interface FoundBlob {
  readonly bytes: Buffer;
  readonly type: string;
}

/** Stores bytes that a client has sent, and resolves to their blobId once the log says so. */
export async function storeUpload(account: Account, bytes: Buffer, type: string): Promise<string> {
  const upload = await account.upload(bytes);
  const { sha256 } = upload.ref;
  const room = cacheOf(account).uploadRoom;
  room.count += 1;
  room.bytes += bytes.length;
  await account.transact(
    (tx) => {
      const isDue = room.count >= uploadsUnlookedMax || room.bytes >= uploadsUnlookedBytesMax || tx.at - room.lookedAt >= minuteMs;
      if (isDue) {
        makeRoom(tx, bytes.length);
        Object.assign(room, { count: 0, bytes: 0, lookedAt: tx.at });
      }
      const record: UploadRecord = { ref: upload.ref, date: upload.date, type, at: tx.at, expires: tx.at + uploadKeptMs };
      tx.putObject(uploadType, sha256, record);
    },
    { uploads: [upload] },
  );
  return uploadBlobId(sha256);
}

/** Removes uploads whose time is over, and the oldest where there are too many. */
function makeRoom(tx: AccountTransactor, bytes: number): void {
  const uploads = Array.from(tx.objects<UploadRecord>(uploadType), ({ id, value }) => ({ id, ...value })).sort((a, b) => a.at - b.at);
  let count = uploads.length + 1;
  let total = bytes + uploads.reduce((sum, { ref }) => sum + ref.length, 0);
  for (const { id, ref, at, expires } of uploads) {
    const isTooMuch = (count > uploadsMax || total > uploadsBytesMax) && at + hourMs <= tx.at;
    if (expires > tx.at && !isTooMuch) continue;
    tx.removeObject(uploadType, id);
    count -= 1;
    total -= ref.length;
  }
}

/** The whole blob that an id names, to be named by a commit: without reading it where it is an upload from a while ago. undefined: no such blob. */
function findUpload(reader: AccountReader, blobId: string): { readonly upload: Upload; readonly type: string } | undefined {
  const address = parseBlobId(blobId);
  if (address?.base.kind !== 'upload' || address.steps.length > 0) return undefined;
  const record = reader.object<UploadRecord>(uploadType, address.base.sha256);
  return record === undefined ? undefined : { upload: { ref: record.ref, date: record.date }, type: record.type };
}

/** Bytes as an upload that a commit may name now: the one that they came by, or a new one where that is too old. */
export async function freshUpload(account: Account, blobId: string, bytes: Buffer, now: number): Promise<Upload> {
  const known = account.read((reader) => findUpload(reader, blobId))?.upload;
  if (known !== undefined && now - known.date < uploadFreshMs) return known;
  return account.upload(bytes);
}

/** The bytes that an id names; undefined where it names nothing in this account. */
export async function readBlob(account: Account, blobId: string): Promise<FoundBlob | undefined> {
  const address = parseBlobId(blobId);
  if (address === undefined) return undefined;
  const { base, steps } = address;
  const start = account.read((reader) => {
    if (base.kind === 'email') {
      // An email that JMAP does not see has no blob either.
      const isSeen = reader.email(base.email)?.memberships.some(({ deleted }) => !deleted) === true;
      const ref = isSeen ? reader.blob(base.email) : undefined;
      return ref === undefined
        ? undefined
        : { ref, type: 'message/rfc822', root: steps.length > 0 ? reader.facts(base.email)?.root : undefined };
    }
    if (base.kind === 'notification') {
      const record = submission(reader, base.submission);
      const ref = (base.of === 'delivery' ? record?.dsnBlobs : record?.mdnBlobs)?.[base.index];
      return ref === undefined ? undefined : { ref, type: 'message/rfc822', root: undefined };
    }
    const record = reader.object<UploadRecord>(uploadType, base.sha256);
    if (record !== undefined) return { ref: record.ref, type: record.type, root: undefined };
    // A script keeps the id that it was uploaded under.
    const script = scripts(reader).find(({ blob }) => blob.sha256 === base.sha256);
    return script === undefined ? undefined : { ref: script.blob, type: 'application/sieve', root: undefined };
  });
  if (start === undefined) return undefined;
  const bytes = await bytesOf(account, start.ref);
  if (bytes === undefined) return undefined;
  let found: FoundBlob = { bytes, type: start.type };
  let root: Part | undefined = start.root;
  for (const step of steps) {
    const part = findPart(root ?? parseStructure(found.bytes).root, step);
    if (part === undefined || part.children !== undefined) return undefined;
    const decoded = decodePart(found.bytes, part);
    found = { bytes: Buffer.from(decoded.buffer, decoded.byteOffset, decoded.byteLength), type: `${part.type}/${part.subtype}` };
    root = undefined;
  }
  return found;
}

/** What is gone from the store is not found, so that it takes no list down with it; `verify` tells the administrator of it. */
async function bytesOf(account: Account, ref: BlobRef): Promise<Buffer | undefined> {
  try {
    return await account.blobBytes(ref);
  } catch (error) {
    if (error instanceof StorageError && error.code === 'missing') return undefined;
    throw error;
  }
}
