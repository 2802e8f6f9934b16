/** The commands of RFC 5804 §2 that work on scripts: one row each. Those that change the connection are the session's. */
import { MailError } from '../../protocol/mail/errors.ts';
import { compile } from '../../protocol/sieve/compile.ts';
import { scriptBytesMax } from '../../protocol/sieve/limits.ts';
import { formatString, type ManageArgument } from '../../protocol/sieve/manage/reader.ts';
import { SieveError } from '../../protocol/sieve/syntax.ts';
import type { Account } from '../../storage/account/api.ts';
import type { Random } from '../../storage/random.ts';
import {
  activateScript,
  putScript,
  removeScript,
  requireRoom,
  requireScriptName,
  scriptByName,
  scripts,
  scriptText,
  updateScript,
} from '../../storage/sieve/scripts.ts';

/** RFC 5804 §1.2. */
export interface Reply {
  readonly status: 'OK' | 'NO' | 'BYE';
  /** In parentheses. */
  readonly code?: string;
  readonly text: string;
  /** The session ends with it. BYE always is. */
  readonly isLast?: true;
  /** Lines before it. */
  readonly lines?: readonly string[];
}

export interface CommandContext {
  readonly account: Account;
  readonly random: Pick<Random, 'hex'>;
}

export interface CommandRow {
  readonly name: string;
  readonly takes: readonly ManageArgument['kind'][];
  readonly run: (context: CommandContext, ...args: string[]) => Promise<Reply>;
}

/** RFC 5804 §2.12: at most one fault is told, in a sentence that begins with its line. */
function check(source: string): Reply | undefined {
  if (Buffer.byteLength(source) > scriptBytesMax) {
    return { status: 'NO', code: 'QUOTA/MAXSIZE', text: `A script has at most ${scriptBytesMax} octets.` };
  }
  try {
    compile(source);
    return undefined;
  } catch (error) {
    if (error instanceof SieveError) return { status: 'NO', text: error.message };
    throw error;
  }
}

const found = (account: Account, name: string) => {
  const script = account.read((reader) => scriptByName(reader, name));
  if (script === undefined) throw new MailError('notFound', 'There is no such script.');
  return script;
};

export const commandRows: readonly CommandRow[] = [
  {
    name: 'HAVESPACE',
    takes: ['string', 'number'],
    async run({ account }, name, size) {
      requireScriptName(name!);
      if (Number(size) > scriptBytesMax)
        return { status: 'NO', code: 'QUOTA/MAXSIZE', text: `A script has at most ${scriptBytesMax} octets.` };
      account.read((reader) => requireRoom(reader, name!));
      return { status: 'OK', text: 'There is room.' };
    },
  },
  {
    name: 'PUTSCRIPT',
    takes: ['string', 'string'],
    async run({ account, random }, name, source) {
      requireScriptName(name!);
      const fault = check(source!);
      if (fault !== undefined) return fault;
      const upload = await account.upload(Buffer.from(source!));
      const id = `s${random.hex(8)}`;
      await account.transact((tx) => putScript(tx, id, name!, upload), { uploads: [upload] });
      return { status: 'OK', text: 'The script is stored.' };
    },
  },
  {
    name: 'CHECKSCRIPT',
    takes: ['string'],
    run: async (_, source) => check(source!) ?? { status: 'OK', text: 'The script is one.' },
  },
  {
    name: 'LISTSCRIPTS',
    takes: [],
    async run({ account }) {
      const lines = account.read(scripts).map(({ name, isActive }) => `${formatString(name)}${isActive ? ' ACTIVE' : ''}`);
      return { status: 'OK', text: 'These are all.', lines };
    },
  },
  {
    name: 'SETACTIVE',
    takes: ['string'],
    async run({ account }, name) {
      const id = name === '' ? null : found(account, name!).id;
      await account.transact((tx) => activateScript(tx, id));
      return { status: 'OK', text: id === null ? 'No script is active.' : 'The script is active.' };
    },
  },
  {
    name: 'GETSCRIPT',
    takes: ['string'],
    async run({ account }, name) {
      const text = await scriptText(account, found(account, name!));
      return { status: 'OK', text: 'This is it.', lines: [`{${Buffer.byteLength(text)}}\r\n${text}`] };
    },
  },
  {
    name: 'DELETESCRIPT',
    takes: ['string'],
    async run({ account }, name) {
      await account.transact((tx) => removeScript(tx, scriptByName(tx, name!)?.id ?? ''));
      return { status: 'OK', text: 'The script is gone.' };
    },
  },
  {
    name: 'RENAMESCRIPT',
    takes: ['string', 'string'],
    async run({ account }, from, to) {
      await account.transact((tx) => updateScript(tx, scriptByName(tx, from!)?.id ?? '', { name: to! }));
      return { status: 'OK', text: 'The script has its new name.' };
    },
  },
];

/** RFC 5804 §1.3: the one place where errors become replies. */
export function refusalOf({ code, message: text }: MailError): Reply {
  switch (code) {
    case 'notFound':
      return { status: 'NO', code: 'NONEXISTENT', text };
    case 'alreadyExists':
      return { status: 'NO', code: 'ALREADYEXISTS', text };
    case 'forbidden':
      return { status: 'NO', code: 'ACTIVE', text };
    case 'overQuota':
      return { status: 'NO', code: 'QUOTA/MAXSCRIPTS', text };
    case 'tooLarge':
      return { status: 'NO', code: 'QUOTA/MAXSIZE', text };
    case 'limit':
      return { status: 'NO', code: 'TRYLATER', text };
    default:
      return { status: 'NO', text };
  }
}
