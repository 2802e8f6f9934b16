/**
 * Quotas (RFC 9208 §4.1):
 *   getquota = "GETQUOTA" SP quota-root-name; getquotaroot = "GETQUOTAROOT" SP mailbox; quota-root-name = astring
 *   setquota = "SETQUOTA" SP quota-root-name SP setquota-list; setquota-list = "(" [setquota-resource *(SP setquota-resource)] ")"
 */
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';

export interface QuotaRoot {
  readonly root: string;
}

export interface SetQuotaArguments extends QuotaRoot {
  readonly limits: readonly { readonly resource: string; readonly limit: number }[];
}

export function decodeGetQuota(scanner: Scanner): QuotaRoot {
  scanner.space();
  const root = scanner.astringText();
  scanner.expectEnd();
  return { root };
}

export function encodeGetQuota({ root }: QuotaRoot): Buffer {
  return new CommandWriter().raw('GETQUOTA ').astring(root).toBuffer();
}

export function decodeSetQuota(scanner: Scanner): SetQuotaArguments {
  scanner.space();
  const root = scanner.astringText();
  scanner.space();
  const limits = scanner.list(() => {
    const resource = scanner.keyword('a resource');
    scanner.space();
    return { resource, limit: scanner.number(Number.MAX_SAFE_INTEGER) };
  });
  scanner.expectEnd();
  return { root, limits };
}

export function encodeSetQuota({ root, limits }: SetQuotaArguments): Buffer {
  const writer = new CommandWriter().raw('SETQUOTA ').astring(root).sp();
  return writer.list(limits, ({ resource, limit }) => writer.raw(`${resource} ${limit}`)).toBuffer();
}
