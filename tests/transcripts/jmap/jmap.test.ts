/** Every transcript of this folder and those below it. A file's path is its claim. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { startJmapApp } from '../../support/jmap/app.ts';
import { runTranscript, type Transcript } from '../../support/jmap/transcript.ts';

const folder = import.meta.dirname;

describe('JMAP transcripts', () => {
  for (const file of globSync('**/*.json', { cwd: folder }).sort()) {
    it(file.slice(0, -'.json'.length), async () => {
      await using app = await startJmapApp();
      await runTranscript(JSON.parse(readFileSync(join(folder, file), 'utf8')) as Transcript, app);
    });
  }
});
