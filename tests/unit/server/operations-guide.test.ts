/** docs/operations.md names what an administrator can call and measure. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { verbs } from '../../../server/admin/verbs.ts';

const root = new URL('../../../', import.meta.url).pathname;
const guide = readFileSync(join(root, 'docs/operations.md'), 'utf8');
const rows = guide.split('\n').filter((line) => line.startsWith('|'));

it.each(verbs.filter(({ isInternal }) => !isInternal).map(({ name, method, path }) => [name, method, path]))(
  'has the call of %s',
  (_, method, path) => {
    const call = new RegExp(`\\b${method}\\b[^|]*(?:/admin/v1|…)${path.replace(/:[a-z]+/gi, '[A-Z]+')}(?![/A-Za-z-])`);
    expect(rows.filter((row) => call.test(row))).not.toEqual([]);
  },
);

it('has every metric', () => {
  const sources = readdirSync(join(root, 'server'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const names = new Set(sources.flatMap((file) => readFileSync(join(root, 'server', file), 'utf8').match(/satchel_[a-z_]+/g) ?? []));
  expect(names.size).toBeGreaterThan(10);
  expect([...names].filter((name) => !guide.includes(`\`${name}`))).toEqual([]);
});
