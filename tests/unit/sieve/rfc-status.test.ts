/** docs/RFC-STATUS.md names the extensions of Sieve that the rows have, and no others. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { capabilities } from '../../../protocol/sieve/extensions/index.ts';

const text = readFileSync(join(import.meta.dirname, '../../../docs/RFC-STATUS.md'), 'utf8');
const section = text.slice(text.indexOf('## Sieve\n'), text.indexOf('\n## ', text.indexOf('## Sieve\n') + 1));

it('docs/RFC-STATUS.md says yes of every extension of Sieve that is offered, and of no other', () => {
  const kept = section.split('\n').flatMap((line) => {
    const [, named = '', status = ''] = /^\| [^|]+ \|[^|]*\| ([^|]*)\| (yes|partial|no)/.exec(line) ?? [];
    return status === 'yes' || status === 'partial' ? Array.from(named.matchAll(/`([^`]+)`/g), ([, name]) => name!) : [];
  });
  expect(kept.sort()).toEqual([...capabilities].sort());
});
