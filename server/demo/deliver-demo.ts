/** Puts the sample messages where mail comes in, for one account. They take the way of all mail. */

import { inboundKey } from '../../storage/objects/object-keys.ts';
import type { ObjectStore } from '../../storage/objects/object-store.ts';
import { demoMessages } from './demo-messages.ts';

/** Resolves to how many there are. `now` in milliseconds since the epoch. */
export async function deliverDemo(store: ObjectStore, inboundPrefix: string, address: string, now: number): Promise<number> {
  const messages = demoMessages(address, now);
  for (const { name, raw } of messages) await store.put(inboundKey(inboundPrefix, `${address}/${name}`), raw);
  return messages.length;
}
