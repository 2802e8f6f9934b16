/**
 * Every transcript of this folder, against this server, or against the one that IMAP_TRANSCRIPT_TARGET names (host:port user:password, and another
 * user:password for what two of them share). dovecot.md
 * says which of them fail against Dovecot, and why.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { otherUser, password, startImapApp, user } from '../../support/imap/app.ts';
import { otherServer, parseTranscript, runTranscript } from '../../support/imap/transcript.ts';

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

describe('IMAP transcripts', () => {
  it('are what dovecot.md speaks of', () => {
    const shared = transcripts.filter(({ transcript }) => transcript.ours === undefined).map(({ name }) => name);
    expect([...differences.keys()].filter((name) => name !== 'transcript' && !shared.includes(name))).toEqual([]);
  });

  for (const { name, transcript } of transcripts) {
    if (target === undefined) {
      it(name, async () => {
        await using app = await startImapApp(transcript.server);
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
