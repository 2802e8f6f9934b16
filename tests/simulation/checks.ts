/** What must be true at the end of a run, whatever went wrong in it. */
import { decodeCommit } from '../../storage/log/commit-codec.ts';
import { Log } from '../../storage/log/log.ts';
import type { Commit } from '../../storage/log/record.ts';
import { accountPrefix } from '../../storage/objects/object-keys.ts';
import { listAccount } from '../../storage/snapshot/account-listing.ts';
import { SnapshotLoader } from '../../storage/snapshot/loader.ts';
import { verifyAccount } from '../../storage/snapshot/verify.ts';
import type { SimulatedMachine } from './model.ts';
import { account, type Operation, type Scene, type SimulatedNode } from './node.ts';
import type { CommitObject } from './simulated-store.ts';

export interface Findings {
  /** Acknowledged, and not in the chain. */
  readonly lost: number;
  /** In the chain twice, or though the answer was no. */
  readonly doubled: number;
}

export async function check<Tx>(scene: Scene<Tx>, nodes: readonly SimulatedNode<Tx>[]): Promise<Findings> {
  const { bucket, operations, world } = scene;
  let observer: SimulatedMachine<Tx>;
  try {
    observer = await observe(scene);
  } catch (error) {
    world.fail(`the account cannot be opened: ${error instanceof Error ? error.message : String(error)}`);
    return { lost: 0, doubled: 0 };
  }
  const chain = chainTo(bucket.commits, observer.position);
  if (chain === undefined) {
    world.fail('the chain does not lead back to commit 1');
    return { lost: 0, doubled: 0 };
  }
  checkNumbers(scene, chain);
  const replayed = await scene.model.open();
  for (const { commit, hash } of chain) replayed.apply(commit, hash);
  if (replayed.contents() !== observer.contents()) world.fail('what the bucket gives is not what the log says');
  for (const node of nodes)
    if (node.machine.contents() !== replayed.contents()) world.fail(`${node.process.name}'s state is not what the log says`);
  await checkBlobs(scene, observer);
  await verify(scene);
  await checkHistory(scene, chain);
  return checkOperations(scene, chain, operations);
}

async function observe<Tx>({ bucket, model, world }: Scene<Tx>): Promise<SimulatedMachine<Tx>> {
  const machine = await model.open();
  const { store } = bucket;
  const clock = { now: () => world.now, monotonic: () => world.now, sleep: async () => {} };
  const snapshots = new SnapshotLoader({ store, accountId: account });
  const log = new Log<Tx, unknown>({ account, store, machine, clock, random: world.random, node: 'observer', snapshots });
  await log.open();
  return machine;
}

interface Link {
  readonly commit: Commit;
  readonly hash: string;
}

/** All commits that were ever written are at hand; the chain is the one that leads back from the end. */
function chainTo(objects: readonly CommitObject[], { seq, hash }: { seq: number; hash: string }): Link[] | undefined {
  const links = new Map<string, Link>();
  for (const { seq: number, body } of objects) {
    const link = decodeCommit(`log/${number}`, body, account, number);
    links.set(`${number} ${link.hash}`, link);
  }
  const chain: Link[] = [];
  for (let number = seq, expected = hash; number > 0; number--) {
    const link = links.get(`${number} ${expected}`);
    if (link === undefined) return undefined;
    chain.push(link);
    expected = link.commit.prev;
  }
  return chain.reverse();
}

function checkNumbers<Tx>({ world }: Scene<Tx>, chain: readonly Link[]): void {
  let modSeq = 0;
  let at = 0;
  for (const { commit } of chain) {
    if (commit.at < at) world.fail(`commit ${commit.seq} is older than the one before it`);
    at = commit.at;
    for (const mutation of commit.mutations) {
      if (mutation.modSeq !== modSeq + 1) world.fail(`commit ${commit.seq} has modSeq ${mutation.modSeq} after ${modSeq}`);
      modSeq = mutation.modSeq;
    }
  }
}

async function checkBlobs<Tx>({ bucket, world }: Scene<Tx>, machine: SimulatedMachine<Tx>): Promise<void> {
  for (const { object } of machine.view().blobs()) {
    if ((await bucket.store.head(`${accountPrefix(account)}${object}`)) === undefined) world.fail(`${object} is named, and gone`);
  }
}

/** Snapshots, parts and the kept log are whole too. */
async function verify<Tx>({ bucket, model, world }: Scene<Tx>): Promise<void> {
  const clock = { now: () => world.now, monotonic: () => world.now, sleep: async () => {} };
  await verifyAccount(
    { store: bucket.store, accountId: account, clock, scratch: () => model.open() },
    ({ severity, kind, key, sentence }) => {
      if (severity === 'error') world.fail(`verify: ${kind} ${key}: ${sentence}`);
    },
  );
}

/** What is kept of the past can be gone back to: at the oldest kept snapshot, and after every commit since, what lived then is there. */
async function checkHistory<Tx>({ bucket, model, world }: Scene<Tx>, chain: readonly Link[]): Promise<void> {
  const { manifests, blobs } = await listAccount(bucket.store, account);
  const oldest = manifests[0]?.seq ?? 0;
  const past = await model.open();
  const missing = new Set<string>();
  for (const { commit, hash } of chain) {
    past.apply(commit, hash);
    if (commit.seq < oldest) continue;
    for (const { object } of past.living()) {
      if (missing.has(object) || blobs.name(object) !== undefined) continue;
      missing.add(object);
      world.fail(`${object} is named by the state at ${commit.seq}, which is kept, and gone`);
    }
  }
}

function checkOperations<Tx>({ world }: Scene<Tx>, chain: readonly Link[], operations: readonly Operation[]): Findings {
  const written = new Map<string, number[]>();
  for (const { commit } of chain) {
    for (const { changes } of commit.mutations) {
      for (const change of changes) {
        if (change.do !== 'object.put' || change.type !== 'token') continue;
        const items = written.get(change.id) ?? [];
        items.push(change.value as number);
        written.set(change.id, items);
      }
    }
  }
  let lost = 0;
  let doubled = 0;
  for (const { token, status, item, process } of operations) {
    const items = written.get(token) ?? [];
    if (items.length > 1) {
      doubled++;
      world.fail(`${token} of ${process.name} (${status}) is in the chain ${items.length} times`);
    } else if (items.length === 1 && (status === 'refused' || status === 'unwritten' || status === 'unchanged')) {
      doubled++;
      world.fail(`${token} of ${process.name} was answered "${status}", and is in the chain`);
    } else if (items.length === 0 && status === 'acknowledged') {
      lost++;
      world.fail(`${token} of ${process.name} was acknowledged, and is not in the chain`);
    } else if (status === 'acknowledged' && (item ?? 0) !== items[0]) {
      world.fail(`${token} of ${process.name} was told item ${item}, and made ${items[0]}`);
    } else if (status === 'pending' && process.isAlive) world.fail(`${token} of ${process.name} was never answered`);
  }
  return { lost, doubled };
}
