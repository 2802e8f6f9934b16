/** Blob/lookup (RFC 9404 §4.3): which emails, threads and mailboxes hold a blob. A blobId of a message or a part says whose it is. */
import { Type } from 'typebox';
import { parseBlobId } from '../../../../protocol/jmap/blob-id.ts';
import { MethodError } from '../../../../protocol/jmap/errors.ts';
import { blobHolders } from '../../../../protocol/jmap/schema/blob.ts';
import { AskedId, onAccount } from '../../../../protocol/jmap/schema/common.ts';
import { formatEmailId, formatThreadId } from '../../../../protocol/mail/ids.ts';
import { readBlob } from '../../blobs.ts';
import { blobCapability, defineMethod, type MethodContext } from '../../method.ts';
import { askedIds } from '../../standard/get.ts';
import { isVisible, mailboxIdsOf } from '../../visible.ts';

type Matches = Readonly<Record<(typeof blobHolders)[number], readonly string[]>>;

export const blobLookup = defineMethod({
  name: 'Blob/lookup',
  capability: blobCapability,
  access: 'read',
  arguments: onAccount({ typeNames: Type.Array(Type.String()), ids: Type.Array(AskedId) }),
  async run(context, { accountId, typeNames, ids }) {
    const unknown = typeNames.find((name) => !(blobHolders as readonly string[]).includes(name));
    if (unknown !== undefined)
      throw new MethodError('unknownDataType', `Blobs are not looked up in ${JSON.stringify(unknown.slice(0, 100))}.`);
    const list: object[] = [];
    const notFound: string[] = [];
    for (const id of askedIds(context, ids, () => [])) {
      const matches = await matchesOf(context, id);
      if (matches === undefined) notFound.push(id);
      else list.push({ id, matchedIds: Object.fromEntries(typeNames.map((name) => [name, matches[name as keyof Matches]])) });
    }
    return { accountId, list, notFound };
  },
});

async function matchesOf({ account }: MethodContext, blobId: string): Promise<Matches | undefined> {
  if ((await readBlob(account, blobId)) === undefined) return undefined;
  const base = parseBlobId(blobId)?.base;
  const email = base?.kind === 'email' ? account.read((reader) => reader.email(base.email)) : undefined;
  if (!isVisible(email)) return { Mailbox: [], Thread: [], Email: [] };
  return { Mailbox: Object.keys(mailboxIdsOf(email)), Thread: [formatThreadId(email.thread)], Email: [formatEmailId(email.id)] };
}
