/** Makes the account of a first start: only in a directory where there is nothing at all. */
import { MailError } from '../protocol/mail/errors.ts';
import type { Directory } from '../storage/directory/directory.ts';
import { addAccount } from './admin/directory-verbs.ts';
import type { FirstAccount } from './announcement.ts';

/** Undefined when the directory is in use. Nodes that start at once may both try; one makes it. */
export async function makeFirstAccount(directory: Directory, address: string): Promise<FirstAccount | undefined> {
  await directory.refresh();
  if (directory.listDomains().length > 0) return undefined;
  try {
    await directory.addDomain(address.slice(address.lastIndexOf('@') + 1));
    const { address: canonical, password } = await addAccount({ directory }, address);
    return password === undefined ? undefined : { address: canonical, password };
  } catch (error) {
    if (error instanceof MailError && error.code === 'alreadyExists') return undefined;
    throw error;
  }
}
