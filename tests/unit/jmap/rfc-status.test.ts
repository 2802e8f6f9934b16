/** docs/RFC-STATUS.md names the capabilities and methods of JMAP that the server has, and no others. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { methods } from '../../../server/jmap/methods/index.ts';
import { capabilities } from '../../../server/jmap/session.ts';

const text = readFileSync(join(import.meta.dirname, '../../../docs/RFC-STATUS.md'), 'utf8');
const section = text.slice(text.indexOf('## JMAP\n'), text.indexOf('\n## ', text.indexOf('## JMAP\n') + 1));

const rows = section.split('\n').flatMap((line) => {
  const match = /^\| [^|]+ \| [^|]*\| ([^|]*)\| ([^|]*)\| (yes|partial|no|ours)/.exec(line);
  if (match === null) return [];
  const [, named = '', listed = '', status = ''] = match;
  return [{ capability: named.replaceAll('`', '').trim(), methods: listed.trim() === '' ? [] : listed.trim().split(', '), status }];
});
const kept = rows.filter(({ status }) => status !== 'no');

describe('docs/RFC-STATUS.md on JMAP', () => {
  it('names every capability that is advertised, and says no of none of them', () => {
    const named = kept.map(({ capability }) => capability).filter((capability) => capability !== '');
    expect([...new Set(named)].sort()).toEqual(Object.keys(capabilities).sort());
  });

  it('names every method under the capability that it has', () => {
    const named = kept.flatMap((row) => row.methods.map((name) => `${name} ${row.capability}`));
    expect(named.sort()).toEqual(Array.from(methods.values(), ({ name, capability }) => `${name} ${capability}`).sort());
  });
});
