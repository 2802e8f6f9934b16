/** Compiled scripts, once for each version of a text on this node: by the hash of the text, so that equal ones share. */
import { compile, type Script } from '../../protocol/sieve/compile.ts';
import { SieveError } from '../../protocol/sieve/syntax.ts';
import type { Account } from '../../storage/account/api.ts';
import { type ScriptRecord, scriptText } from '../../storage/sieve/scripts.ts';
import { compiledMax } from './limits.ts';

export class CompiledScripts {
  readonly #known = new Map<string, Script | SieveError>();

  /** The script, or why it is none (one that an older version took). Rejects with StorageError when the text cannot be read. */
  async of(account: Account, record: Pick<ScriptRecord, 'blob'>): Promise<Script | SieveError> {
    const { sha256 } = record.blob;
    const known = this.#known.get(sha256);
    if (known !== undefined) {
      // The least lately used goes first.
      this.#known.delete(sha256);
      this.#known.set(sha256, known);
      return known;
    }
    const made = tryCompile(await scriptText(account, record));
    if (this.#known.size >= compiledMax) this.#known.delete(this.#known.keys().next().value!);
    this.#known.set(sha256, made);
    return made;
  }

  get size(): number {
    return this.#known.size;
  }
}

function tryCompile(source: string): Script | SieveError {
  try {
    return compile(source);
  } catch (error) {
    if (error instanceof SieveError) return error;
    throw error;
  }
}
