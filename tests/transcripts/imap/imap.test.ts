/** Every transcript of this folder, against this server, or against the one that IMAP_TRANSCRIPT_TARGET names (host:port user:password). */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { password, startImapApp, user } from '../../support/imap/app.ts';
import { otherServer, parseTranscript, runTranscript } from '../../support/imap/transcript.ts';

const folder = import.meta.dirname;
const target = process.env['IMAP_TRANSCRIPT_TARGET'];

describe('IMAP transcripts', () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.imap'))) {
    const transcript = parseTranscript(readFileSync(join(folder, file), 'utf8'));
    const name = file.slice(0, -'.imap'.length);
    if (target !== undefined) {
      it.skipIf(transcript.ours !== undefined)(transcript.ours === undefined ? name : `${name} (ours only: ${transcript.ours})`, () =>
        runTranscript(transcript, otherServer(target)),
      );
      continue;
    }
    it(name, async () => {
      await using app = await startImapApp(transcript.server);
      await runTranscript(transcript, { user, password, open: () => app.connect() });
    });
  }
});
