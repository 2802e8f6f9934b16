/** The key that this server's web pushes are signed by (RFC 8292): one for all nodes and for ever, since browsers tie their subscriptions to it. */
import type { Account } from '../account/api.ts';

/** P-256: the public point and the private scalar, in base64url. */
export interface VapidKey {
  readonly publicKey: string;
  readonly privateKey: string;
}

/** That of the directory's account; of `fresh`, the first that came to be kept. */
export async function keptVapidKey(directory: Account, fresh: () => VapidKey): Promise<VapidKey> {
  const known = directory.read((reader) => reader.object<VapidKey>('setting', 'vapid'));
  if (known !== undefined) return known;
  const { publicKey, privateKey } = fresh();
  return directory.transact((tx) => {
    const first = tx.object<VapidKey>('setting', 'vapid');
    if (first !== undefined) return first;
    tx.putObject('setting', 'vapid', { publicKey, privateKey });
    return { publicKey, privateKey };
  });
}
