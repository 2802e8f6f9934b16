/**
 * `npm run bench:spike`: what a spike does to the server, and whether everything arrives. JSON on standard output, progress on standard error; it fails
 * when a message is missing, doubled, or where it does not belong.
 *
 * `--messages 100000` wait for `--accounts 20`; `--kill-at 0.5` kills the server when that part is delivered (`none`: never).
 */
import { parseArgs } from 'node:util';
import { runSpike } from './spike.ts';

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '100000' },
    accounts: { type: 'string', default: '20' },
    'kill-at': { type: 'string', default: '0.5' },
  },
});
const count = (text: string) => {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new Error(`not a count: ${text}`);
  return Number(text);
};

const report = await runSpike({
  messages: count(values.messages),
  accounts: count(values.accounts),
  killAt: values['kill-at'] === 'none' ? undefined : Number(values['kill-at']),
  hasQueue: true,
  note: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
const { missing, doubled, misdelivered, surprises, left, poison } = report;
const isUnheld = Object.values(poison).some(({ dropped, held }) => dropped !== held);
if (missing.length + doubled.length + misdelivered.length + surprises.length + left > 0 || isUnheld) process.exitCode = 1;
