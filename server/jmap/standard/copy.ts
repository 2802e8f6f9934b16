/** What /copy methods share (RFC 8620 §5.4). */
import { MethodError } from '../../../protocol/jmap/errors.ts';
import type { MethodContext } from '../method.ts';

/** The account that is copied from. Throws MethodError 'fromAccountNotFound'; 'invalidArguments' where both are the same. */
export async function otherAccount(context: MethodContext, fromAccountId: string): Promise<MethodContext> {
  if (fromAccountId === context.account.id) throw new MethodError('invalidArguments', 'Copies go from one account to another.');
  const from = await context.on(fromAccountId);
  if (from === undefined) throw new MethodError('fromAccountNotFound', 'There is no such account to copy from.');
  return from;
}
