/** Intake over real accounts and a bucket in memory, on which several nodes may stand. */
import type { IntakeEvent } from '../../../indexer/intake-events.ts';
import { ParsePool } from '../../../indexer/parse-pool.ts';
import { Pipeline, type PipelineOptions, type PipelinePorts } from '../../../indexer/pipeline.ts';
import type { RecipientDirectory } from '../../../indexer/routing.ts';
import { defaultVerdictRules } from '../../../indexer/verdict.ts';
import type { AccountId, EmailNumber, Uid } from '../../../protocol/mail/ids.ts';
import type { Account, OnJoin } from '../../../storage/account/api.ts';
import type { LogAccountsOptions } from '../../../storage/account/log-accounts.ts';
import type { Clock } from '../../../storage/clock.ts';
import type { ObjectStore } from '../../../storage/objects/object-store.ts';
import { openProvisioned, openTestBucket, type TestBucket } from '../../support/open-accounts.ts';

export const ada = 'ada1' as AccountId;
export const ben = 'ben1' as AccountId;

/** ada@, ben@ (and ben+…@), team@ = both; `known` may be added to. */
export class TestRecipients implements RecipientDirectory {
  readonly known = new Map<string, readonly AccountId[]>([
    ['ada@example.com', [ada]],
    ['ben@example.com', [ben]],
    ['team@example.com', [ada, ben]],
  ]);
  failure: Error | undefined;

  async resolveRecipient(recipient: string) {
    if (this.failure !== undefined) throw this.failure;
    const address = recipient.toLowerCase();
    const accounts = this.known.get(address.replace(/\+[^@]*@/, '@'));
    if (accounts === undefined) return { kind: 'unknown', reason: address.endsWith('@example.com') ? 'address' : 'domain' } as const;
    return { kind: 'account', accounts, address, detail: null, via: 'account' } as const;
  }
}

export interface RigOptions extends Partial<PipelineOptions> {
  readonly bucket?: TestBucket;
  /** Through which the node sees the bucket: faults, counting. */
  readonly through?: (store: ObjectStore) => ObjectStore;
  readonly recipients?: TestRecipients;
  readonly parsers?: PipelinePorts['parsers'];
  readonly clock?: Clock;
  readonly unwrapKey?: PipelinePorts['unwrapKey'];
  readonly onJoin?: OnJoin;
  readonly undeliverable?: PipelinePorts['undeliverable'];
  readonly quotaLimits?: LogAccountsOptions['quotaLimits'];
}

export type Rig = Awaited<ReturnType<typeof openRig>>;

export async function openRig(options: RigOptions = {}) {
  const bucket = options.bucket ?? openTestBucket();
  const store = options.through?.(bucket.store) ?? bucket.store;
  const recipients = options.recipients ?? new TestRecipients();
  const clock = options.clock ?? bucket.clock;
  const { onJoin, quotaLimits } = options;
  const node = bucket.node({ store, clock, ...(onJoin && { onJoin }), ...(quotaLimits && { quotaLimits }) });
  const events: IntakeEvent[] = [];
  const pipeline = new Pipeline(
    {
      store,
      accounts: node.accounts,
      directory: recipients,
      parsers: options.parsers ?? new ParsePool(),
      clock,
      ...(options.undeliverable && { undeliverable: options.undeliverable }),
      ...(options.unwrapKey && { unwrapKey: options.unwrapKey }),
      observe: (event) => events.push(event),
    },
    { inboundPrefix: 'inbound/', verdicts: defaultVerdictRules, messageBytesMax: 1024 * 1024, ...options },
  );
  return { bucket, store, node, pipeline, recipients, events };
}

/** A node that looks at the bucket afresh: what is true, whatever the node under test believes. */
export async function lookAt(bucket: TestBucket, id: AccountId) {
  const node = bucket.node();
  const account = await openProvisioned(node, id);
  const mailbox = async (role: 'inbox' | 'junk') => {
    const found = account.read((reader) => {
      const box = reader.mailboxByRole(role)!;
      return [...reader.uids(box.id)].map((uid) => reader.membership(box.id, uid as Uid)!.email);
    });
    return Promise.all(found.map((email) => messageOf(account, email)));
  };
  return { inbox: await mailbox('inbox'), junk: await mailbox('junk') };
}

async function messageOf(account: Account, id: EmailNumber) {
  const [email, blob, delivery, facts] = account.read((reader) => [
    reader.email(id)!,
    reader.blob(id)!,
    reader.delivery(id),
    reader.facts(id)!,
  ]);
  return { bytes: await account.blobBytes(blob), keywords: email.keywords, delivery, subject: facts.subject, receivedAt: email.receivedAt };
}

export async function keysUnder(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const info of store.list(prefix)) keys.push(info.key);
  return keys;
}

/** Counts what AWS charges as PUT, COPY, POST or LIST. */
export function countingStore(store: ObjectStore) {
  const counts: Record<string, number> = {};
  const charged = new Set(['put', 'putIfAbsent', 'copy', 'deleteMany', 'listPage', 'list']);
  const counted = new Proxy(store, {
    get(target, name) {
      const member = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        if (charged.has(String(name))) counts[String(name)] = (counts[String(name)] ?? 0) + 1;
        return member.apply(target, args);
      };
    },
  });
  return { counted, counts };
}
