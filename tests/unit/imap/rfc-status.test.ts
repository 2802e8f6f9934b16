/** docs/RFC-STATUS.md says what the server advertises, and names every RFC of IMAP that the sources cite. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { capabilities } from '../../../server/imap/capability.ts';
import { commandRows } from '../../../server/imap/commands/index.ts';

const root = join(import.meta.dirname, '../../..');

interface Row {
  readonly rfc: number;
  readonly capabilities: readonly string[];
  readonly status: 'yes' | 'partial' | 'no';
}

const rows = readFileSync(join(root, 'docs/RFC-STATUS.md'), 'utf8')
  .split('\n')
  .flatMap((line): Row[] => {
    const match = /^\| (\d+) \| [^|]+ \| ([^|]*)\| (yes|no|partial(?=: ))[^|]*\|$/.exec(line);
    if (match === null) return [];
    const names = match[2]!.trim();
    return [{ rfc: Number(match[1]), capabilities: names === '' ? [] : names.split(', '), status: match[3] as Row['status'] }];
  });

/** All that some connection is told, `X=value` of limits as `X=`. */
const advertised = new Set(
  [true, false].flatMap((isLoggedIn) =>
    capabilities(commandRows, {
      messageBytesMax: 1000,
      messagesMax: 1000,
      nonSynchronizingLiterals: isLoggedIn ? 'all' : 'small',
      canStartTls: true,
      isProtected: true,
      canBind: true,
      takesTokens: true,
      isLoggedIn,
      isCompressed: false,
      hasJmap: true,
    }).map((name) => name.replace(/=\d+$/, '=')),
  ),
);

/** Of what is not an extension by itself: STARTTLS is IMAP's own, mechanisms are SASL's. */
const isNoExtension = (name: string) => name === 'STARTTLS' || name.startsWith('AUTH=') || name === 'XLIST';

/** Cited for what IMAP uses: messages, SASL, TLS, passwords, response codes. */
const others = new Set([
  1951, 2045, 2046, 2047, 2231, 3454, 4013, 4422, 4466, 4616, 4954, 5198, 5322, 5530, 5802, 5929, 6186, 6532, 7677, 8265, 8314, 9106, 9266,
]);

describe('docs/RFC-STATUS.md', () => {
  it('has a row of each status', () => {
    expect(new Set(rows.map(({ status }) => status))).toEqual(new Set(['yes', 'partial', 'no']));
  });

  it('says yes or partial of everything that is advertised', () => {
    const kept = new Set(rows.filter(({ status }) => status !== 'no').flatMap((row) => row.capabilities));
    expect([...advertised].filter((name) => !isNoExtension(name) && !kept.has(name))).toEqual([]);
  });

  it('says yes of nothing that is not advertised, and no of nothing that is', () => {
    const missing = rows
      .filter(({ status }) => status === 'yes')
      .flatMap((row) => row.capabilities.filter((name) => !advertised.has(name)));
    const denied = rows.filter(({ status }) => status === 'no').flatMap((row) => row.capabilities.filter((name) => advertised.has(name)));
    expect({ missing, denied }).toEqual({ missing: [], denied: [] });
  });

  it('names every RFC that the sources of IMAP cite', () => {
    const cited = new Set<number>();
    for (const file of globSync(['protocol/imap/**/*.ts', 'server/imap/**/*.ts'], { cwd: root })) {
      for (const [, rfc] of readFileSync(join(root, file), 'utf8').matchAll(/RFC (\d{4,5})/g)) cited.add(Number(rfc));
    }
    const named = new Set(rows.map(({ rfc }) => rfc));
    expect([...cited].filter((rfc) => !named.has(rfc) && !others.has(rfc))).toEqual([]);
  });

  it('says yes of no extension that the sources never cite', () => {
    const sources = globSync(['protocol/imap/**/*.ts', 'server/imap/**/*.ts'], { cwd: root }).map((file) =>
      readFileSync(join(root, file), 'utf8'),
    );
    const silent = rows.filter(({ rfc, status }) => status === 'yes' && !sources.some((source) => source.includes(`RFC ${rfc}`)));
    expect(silent.map(({ rfc }) => rfc)).toEqual([]);
  });
});
