/**
 * Grants to send as somebody else: records `sendAs` with the id `<account id>/<address>`. The address is an account's, an alias or a group; whoever is given it
 * later is not spoken for: a grant goes with the address, and with the account that has it.
 */
import { MailError } from '../../protocol/mail/errors.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { AccountTransactor } from '../account/api.ts';
import { sendAsMax } from './limits.ts';
import type { SendAsRecord } from './records.ts';

type Tx = AccountTransactor;

export const sendAsId = (account: AccountId, address: string): string => `${account}/${address}`;

export function parseSendAsId(id: string): { readonly account: AccountId; readonly address: string } {
  const slash = id.indexOf('/');
  return { account: id.slice(0, slash) as AccountId, address: id.slice(slash + 1) };
}

export function putGrant(tx: Tx, account: AccountId, address: string): void {
  const id = sendAsId(account, address);
  if (tx.object('sendAs', id) !== undefined) return;
  const others = [...tx.objects('sendAs')].filter((grant) => parseSendAsId(grant.id).account === account);
  if (others.length >= sendAsMax) throw new MailError('limit', `An account may send as ${sendAsMax} others.`);
  tx.putObject('sendAs', id, { createdAt: tx.at } satisfies SendAsRecord);
}

/** False where there is none. */
export function removeGrant(tx: Tx, account: AccountId, address: string): boolean {
  const id = sendAsId(account, address);
  if (tx.object('sendAs', id) === undefined) return false;
  tx.removeObject('sendAs', id);
  return true;
}

/** The address is nobody's any more, or the account is removed. */
export function dropGrants(tx: Tx, gone: { readonly address?: string; readonly account?: AccountId }): void {
  for (const { id } of [...tx.objects('sendAs')]) {
    const { account, address } = parseSendAsId(id);
    if (account === gone.account || address === gone.address) tx.removeObject('sendAs', id);
  }
}
