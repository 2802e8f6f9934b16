/**
 * A run: three nodes, independent processes, on one account for about half a year, most of which nothing happens in.
 *
 * What they survive: requests that fail, are done though they are answered with a failure, or take effect minutes later; processes that stand
 * still for minutes to two months between asking and being heard, with clocks that go on, stand still or are put right later; crashes before and
 * after a request took effect; state that is lost, or that is put back from an old copy; an index that fails to take a commit; wall clocks that
 * differ; a store that tells whole seconds; removals that are done in part; snapshots and scrubs at any time, by any of them, several at once.
 *
 * What is checked is in checks.ts: nothing acknowledged is lost, nothing is doubled, and everything that is left is whole.
 */
import { check } from './checks.ts';
import { indexModel } from './index-model.ts';
import type { Model } from './model.ts';
import { type Operation, type Scene, SimulatedNode, type SimulatedRules } from './node.ts';
import { Bucket, drawTraits, type Traits } from './simulated-store.ts';
import { toyModel } from './toy-model.ts';
import { dayMs, hourMs, minuteMs, World } from './world.ts';

export interface SimulationOptions {
  /** The account's real index; a small machine without it, which is faster. */
  readonly usesIndex?: boolean;
  readonly seed: number;
  readonly rules?: SimulatedRules;
  /** Those that are not to be drawn. */
  readonly traits?: Partial<Traits>;
  readonly trace?: (line: string) => void;
}

export interface SimulationResult {
  readonly seed: number;
  readonly failures: readonly string[];
  readonly lost: number;
  readonly doubled: number;
  readonly acknowledged: number;
  readonly commits: number;
}

const nodeCount = 3;
const daysBusy = 170;

export function simulate(options: SimulationOptions): Promise<SimulationResult> {
  return options.usesIndex === true ? simulateWith(indexModel, options) : simulateWith(toyModel, options);
}

async function simulateWith<Tx>(
  model: Model<Tx>,
  { seed, rules = {}, traits: fixed, trace }: SimulationOptions,
): Promise<SimulationResult> {
  const world = new World(seed, trace);
  const traits: Traits = { ...drawTraits(world), ...fixed };
  const operations: Operation[] = [];
  const scene: Scene<Tx> = { model, world, bucket: new Bucket(world, traits), operations, rules };
  const nodes = Array.from({ length: nodeCount }, (_, index) => new SimulatedNode(scene, `node${index + 1}`));
  scheduleBursts(world, traits.quiet, nodes);
  await world.run(daysBusy * dayMs);
  world.isCalm = true;
  await world.run();
  for (const node of nodes) node.settle().catch((error: unknown) => world.fail(`settling: ${String(error)}`));
  await world.run();
  const { lost, doubled } = await check(scene, nodes);
  const acknowledged = operations.filter(({ status }) => status === 'acknowledged').length;
  return { seed, failures: world.failures, lost, doubled, acknowledged, commits: scene.bucket.commits.length };
}

/** Nodes meet at bursts, some minutes and some days apart, so that they race; between them they sleep. */
function scheduleBursts(world: World, quiet: number, nodes: readonly Pick<SimulatedNode<never>, 'burst'>[]): void {
  const next = () => {
    if (world.isCalm) return;
    const isQuiet = world.chance(quiet);
    for (const node of nodes) node.burst(isQuiet);
    const gap = world.pick([
      () => world.between(1, 10 * minuteMs),
      () => world.between(20 * minuteMs, 3 * hourMs),
      () => world.between(0.5 * dayMs, 5 * dayMs),
      () => world.between(4 * dayMs, 12 * dayMs),
    ]);
    world.schedule(gap(), next);
  };
  world.schedule(0, next);
}
