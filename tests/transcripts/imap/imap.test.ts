/**
 * Every transcript of this folder, against this server, or against the one that IMAP_TRANSCRIPT_TARGET names (host:port user:password, and another
 * user:password for what two of them share). dovecot.md
 * says which of them fail against Dovecot, and why.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../server/clock.ts';
import { makeSelfSigned } from '../../../server/tls/self-signed.ts';
import { MemoryStore } from '../../../storage/objects/memory.ts';
import { otherUser, password, startImapApp, user } from '../../support/imap/app.ts';
import { otherServer, parseTranscript, runTranscript, type ServerOptions } from '../../support/imap/transcript.ts';

const folder = import.meta.dirname;
const target = process.env['IMAP_TRANSCRIPT_TARGET'];
const transcripts = readdirSync(folder)
  .filter((name) => name.endsWith('.imap'))
  .map((file) => ({
    name: file.slice(0, -'.imap'.length),
    transcript: parseTranscript(readFileSync(join(folder, file), 'utf8')),
  }));
const differences = new Map(
  [...readFileSync(join(folder, 'dovecot.md'), 'utf8').matchAll(/^\| ([a-z0-9-]+) \| (.+) \|$/gm)].map(([, name, why]) => [name!, why!]),
);

/** A store whose writes take a while. */
class SlowStore extends MemoryStore {
  readonly #writeMs: number;

  constructor(writeMs: number) {
    super({ clock: systemClock });
    this.#writeMs = writeMs;
  }

  override async putIfAbsent(...args: Parameters<MemoryStore['putIfAbsent']>): ReturnType<MemoryStore['putIfAbsent']> {
    await systemClock.sleep(this.#writeMs);
    return super.putIfAbsent(...args);
  }
}

function optionsOf({ hasTls, writeMs, ...options }: ServerOptions): Parameters<typeof startImapApp>[0] {
  return {
    ...options,
    ...(writeMs === undefined ? {} : { store: new SlowStore(writeMs) }),
    ...(hasTls === true ? { secureContext: () => secureContext } : {}),
  };
}

const selfSigned = makeSelfSigned({ names: ['localhost'], serial: '01020304', now: Date.now() });
const secureContext = createSecureContext({ cert: selfSigned.cert, key: selfSigned.key });

describe('IMAP transcripts', () => {
  it('are what dovecot.md speaks of', () => {
    const shared = transcripts.filter(({ transcript }) => transcript.ours === undefined).map(({ name }) => name);
    expect([...differences.keys()].filter((name) => name !== 'transcript' && !shared.includes(name))).toEqual([]);
  });

  for (const { name, transcript } of transcripts) {
    if (target === undefined) {
      it(name, async () => {
        await using app = await startImapApp(optionsOf(transcript.server));
        await runTranscript(transcript, { user, password, other: { user: otherUser, password }, open: () => app.connect() });
      });
      continue;
    }
    const why = differences.get(name);
    if (transcript.ours !== undefined) it.skip(`${name} (ours only: ${transcript.ours})`, () => {});
    else if (why === undefined) it(name, () => runTranscript(transcript, otherServer(target)));
    else it(`${name} (differs: ${why})`, () => expect(runTranscript(transcript, otherServer(target))).rejects.toThrow(), 20_000);
  }
});
