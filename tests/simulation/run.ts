/**
 * The log's simulation from the command line:
 *
 *   node tests/simulation/run.ts --seeds 2000          that many runs, from --from on (1)
 *   node tests/simulation/run.ts --seed 74             one run, with a trace of everything that happens
 * With --index the nodes run the account's real index.
 *
 *   node tests/simulation/run.ts --canaries            each rule taken out in turn, and the seeds that show it
 */
import { parseArgs } from 'node:util';
import { canaries, signs } from './canaries.ts';
import { simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    canaries: { type: 'boolean' },
    index: { type: 'boolean' },
  },
});

if (values.seed !== undefined) await replay(Number(values.seed));
else if (values.canaries === true) await runCanaries();
else await runSeeds(Number(values.from), Number(values.seeds));

async function replay(seed: number): Promise<void> {
  const { failures, acknowledged, commits } = await simulate({ seed, usesIndex: values.index, trace: print });
  print(`seed ${seed}: ${acknowledged} acknowledged in ${commits} commits, ${failures.length} failures`);
  if (failures.length > 0) process.exitCode = 1;
}

async function runSeeds(from: number, count: number): Promise<void> {
  const began = performance.now();
  const total = { lost: 0, doubled: 0, failed: 0, acknowledged: 0, commits: 0 };
  for (let seed = from; seed < from + count; seed++) {
    const { failures, lost, doubled, acknowledged, commits } = await simulate({ seed, usesIndex: values.index });
    total.lost += lost;
    total.doubled += doubled;
    total.acknowledged += acknowledged;
    total.commits += commits;
    if (failures.length === 0) continue;
    total.failed++;
    print(`seed ${seed}: ${failures[0]}${failures.length > 1 ? ` (and ${failures.length - 1} more)` : ''}`);
  }
  const seconds = (performance.now() - began) / 1000;
  print(`${total.acknowledged} acknowledged in ${total.commits} commits, ${(count / seconds).toFixed(1)} seeds a second`);
  print(`${count} seeds, ${total.lost} lost, ${total.doubled} doubled${total.failed > 0 ? `, ${total.failed} failed` : ''}`);
  if (total.failed > 0) process.exitCode = 1;
}

async function runCanaries(): Promise<void> {
  for (const { without, rules, traits, shows, seeds } of canaries) {
    let seed = 1;
    while (seed <= seeds && !signs[shows](await simulate({ seed, rules, traits }))) seed++;
    print(`without "${without}": ${seed > seeds ? `nothing in ${seeds} seeds` : `${shows} at seed ${seed}`}`);
    if (seed > seeds) process.exitCode = 1;
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
