/**
 * The Sieve scripts of an account: objects of type `SieveScript` in its log, their text as blobs. ManageSieve, JMAP and the command line change them by
 * these functions, and delivery reads them. That a text is a script is for the caller to see to before it is stored.
 */
import { MailError } from '../../protocol/mail/errors.ts';
import type { Account, AccountReader, AccountTransactor, Upload } from '../account/api.ts';
import type { BlobRef } from '../log/record.ts';

export const scriptType = 'SieveScript';
/** What became of the last run that failed: an object of this type with the id `last`. */
export const failureType = 'SieveFailure';

/** Scripts of an account. Clients keep some; each may have 512 KiB. */
export const scriptsMax = 50;
/** Bytes of a name in UTF-8. RFC 5804 §1.6 wants 128 characters at least, RFC 9661 §2 no more than 512 octets. */
export const scriptNameBytesMax = 512;

export interface ScriptRecord {
  readonly name: string;
  readonly isActive: boolean;
  readonly blob: BlobRef;
}

export interface ScriptFailure {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly script: string;
  /** With the line. */
  readonly reason: string;
  /** Of the message that was kept in the INBOX. */
  readonly messageId: string;
}

export interface StoredScript extends ScriptRecord {
  readonly id: string;
}

export function scripts(reader: AccountReader): StoredScript[] {
  // Asked at each delivery, and most accounts have none.
  if (!reader.mayHaveObjects(scriptType)) return [];
  const found = Array.from(reader.objects<ScriptRecord>(scriptType), ({ id, value }) => ({ id, ...value }));
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

export const scriptByName = (reader: AccountReader, name: string): StoredScript | undefined =>
  scripts(reader).find((script) => script.name === name);

export const activeScript = (reader: AccountReader): StoredScript | undefined => scripts(reader).find(({ isActive }) => isActive);

export const lastFailure = (reader: AccountReader): ScriptFailure | undefined => reader.object<ScriptFailure>(failureType, 'last');

export async function scriptText(account: Account, { blob }: Pick<ScriptRecord, 'blob'>): Promise<string> {
  return (await account.blobBytes(blob)).toString('utf8');
}

/** RFC 5804 §1.6: no controls, no line or paragraph separators; and no slash. */
export function requireScriptName(name: string): void {
  const isRight =
    name !== '' && Buffer.byteLength(name) <= scriptNameBytesMax && !/[\0-\x1f\x7f-\x9f\u2028\u2029/]/.test(name) && name.isWellFormed();
  if (!isRight) throw new MailError('invalidName', 'A script has a name of 1 to 512 octets, without controls and slashes.');
}

/** RFC 5804 §2.5. */
export function requireRoom(reader: AccountReader, name: string): void {
  const all = scripts(reader);
  if (all.length >= scriptsMax && !all.some((script) => script.name === name)) {
    throw new MailError('overQuota', `An account has at most ${scriptsMax} scripts.`);
  }
}

/** A new script, or new text for the one of this name; activity stays. `id` is for a new one. */
export function putScript(tx: AccountTransactor, id: string, name: string, upload: Upload): StoredScript {
  requireScriptName(name);
  requireRoom(tx, name);
  const existing = scriptByName(tx, name);
  const record: ScriptRecord = { name, isActive: existing?.isActive ?? false, blob: upload.ref };
  tx.putObject(scriptType, existing?.id ?? id, record);
  return { id: existing?.id ?? id, ...record };
}

/** Throws MailError 'notFound', or 'alreadyExists' for a name that is taken. */
export function updateScript(tx: AccountTransactor, id: string, change: Partial<Pick<ScriptRecord, 'name' | 'blob'>>): void {
  const record = tx.object<ScriptRecord>(scriptType, id);
  if (record === undefined) throw new MailError('notFound', 'There is no such script.');
  if (change.name !== undefined) {
    requireScriptName(change.name);
    const other = scriptByName(tx, change.name);
    if (other !== undefined && other.id !== id) throw new MailError('alreadyExists', 'There is a script of this name.');
  }
  tx.putObject(scriptType, id, { ...record, ...change });
}

/** Makes one script the active one, or none. Returns what changed. */
export function activateScript(tx: AccountTransactor, id: string | null): { readonly id: string; readonly isActive: boolean }[] {
  if (id !== null && tx.object(scriptType, id) === undefined) throw new MailError('notFound', 'There is no such script.');
  const changed: { id: string; isActive: boolean }[] = [];
  for (const { id: each, ...record } of scripts(tx)) {
    const isActive = each === id;
    if (record.isActive === isActive) continue;
    tx.putObject(scriptType, each, { ...record, isActive });
    changed.push({ id: each, isActive });
  }
  return changed;
}

/** RFC 5804 §2.10, RFC 9661 §2.4: not the active one. */
export function removeScript(tx: AccountTransactor, id: string): void {
  const record = tx.object<ScriptRecord>(scriptType, id);
  if (record === undefined) throw new MailError('notFound', 'There is no such script.');
  if (record.isActive) throw new MailError('forbidden', 'The script is active: deactivate it first.');
  tx.removeObject(scriptType, id);
}
