/** Which mailbox a file's place in folders or in an archive stands for. */

/** A mailbox's name has at most so many characters, and mailboxes nest at most so deep: what the server takes. */
export const nameCharactersMax = 255;
export const levelsMax = 32;

/** Folders in which Thunderbird (`Lists.sbd`) and Apple Mail (`Lists.mbox`) keep what belongs to the mailbox of that name. */
const folderEnding = /\.(sbd|mbox|imapmbox|partial)$/i;
/** Levels that Apple Mail puts between a mailbox and its messages. */
const noMailbox = /^(messages|data|attachments|\d|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

/**
 * `folders` lead to the file; those that are no names (`..`) are left out. An mbox is a mailbox of its own name, unless it is Apple Mail's `mbox` in the
 * mailbox's folder. Undefined: none is named.
 */
export function mailboxOfPlace(folders: readonly string[], mbox: string | undefined): readonly string[] | undefined {
  const isInMailMailbox = folders.some((name) => /\.(mbox|imapmbox)$/i.test(name));
  const levels = folders.filter((name) => !(isInMailMailbox && noMailbox.test(name))).map((name) => name.replace(folderEnding, ''));
  if (mbox !== undefined && mbox !== 'mbox') levels.push(mbox.replace(/\.(gz|zst)$/i, '').replace(/\.mbo?x$/i, ''));
  const named = levels
    .map((name) =>
      name
        .replace(/[\x00-\x1f\x7f]/g, '_')
        .trim()
        .slice(0, nameCharactersMax),
    )
    .filter((name) => name !== '' && name !== '.' && name !== '..')
    .slice(0, levelsMax);
  if (named.length === 0) return undefined;
  return /^inbox$/i.test(named[0]!) ? ['INBOX', ...named.slice(1)] : named;
}
