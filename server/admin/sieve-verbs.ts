/** `satchel sieve`: an account's scripts, on the store that ManageSieve and JMAP have too. */
import { randomBytes } from 'node:crypto';
import Type from 'typebox';
import { MailError } from '../../protocol/mail/errors.ts';
import { compile } from '../../protocol/sieve/compile.ts';
import { scriptBytesMax } from '../../protocol/sieve/limits.ts';
import { SieveError } from '../../protocol/sieve/syntax.ts';
import type { Account } from '../../storage/account/api.ts';
import {
  activateScript,
  lastFailure,
  putScript,
  removeScript,
  requireScriptName,
  type StoredScript,
  scriptByName,
  scripts,
  scriptText,
} from '../../storage/sieve/scripts.ts';
import { openAccount } from './message-verbs.ts';
import { defineVerb, formatTable, parameters, type Verb } from './verb.ts';

const Address = Type.String({ minLength: 3, maxLength: 320, description: 'the account' });
const Name = Type.String({ minLength: 1, maxLength: 512, description: "the script's name" });
/** Bytes of a call: a script as JSON, where each may be escaped. */
const bodyBytesMax = 2 * scriptBytesMax;

function named(account: Account, address: string, name: string): StoredScript {
  const script = account.read((reader) => scriptByName(reader, name));
  if (script !== undefined) return script;
  throw new MailError(
    'notFound',
    `There is no script ${JSON.stringify(name)}. \`satchel sieve list ${address}\` shows those that there are.`,
  );
}

function requireScript(source: string): void {
  try {
    compile(source);
  } catch (error) {
    if (error instanceof SieveError)
      throw new MailError('invalidArguments', `The script is not stored. ${error.message}`, { cause: error });
    throw error;
  }
}

export const sieveVerbs: readonly Verb[] = [
  defineVerb({
    name: 'sieve list',
    summary: "List an account's scripts, and what the last run that failed said.",
    method: 'GET',
    path: '/accounts/:address/scripts',
    parameters: parameters({ address: Address }),
    positional: ['address'],
    run: async (services, { address }) => {
      const account = await openAccount(services, address);
      return account.read((reader) => ({
        scripts: scripts(reader).map(({ name, isActive, blob }) => ({ name, isActive, octets: blob.length })),
        lastFailure: lastFailure(reader) ?? null,
      }));
    },
    print: ({ scripts: listed, lastFailure: failure }) => {
      const rows = listed.map(({ name, isActive, octets }) => [isActive ? 'active' : '', octets, name]);
      const table = rows.length === 0 ? '' : formatTable(['STATE', 'BYTES', 'NAME'], rows);
      if (failure === null) return table;
      const { at, script, reason, messageId } = failure;
      const sentence = `Last failure: ${new Date(at).toISOString()} ${script}: ${reason} The message ${messageId} was kept.`;
      return table === '' ? sentence : `${table}\n${sentence}`;
    },
  }),
  defineVerb({
    name: 'sieve show',
    summary: 'Print a script.',
    method: 'GET',
    path: '/accounts/:address/scripts/:name',
    parameters: parameters({ address: Address, name: Name }),
    positional: ['address', 'name'],
    run: async (services, { address, name }) => {
      const account = await openAccount(services, address);
      const script = named(account, address, name);
      return { name, isActive: script.isActive, script: await scriptText(account, script) };
    },
    print: ({ script }) => script.replace(/\r?\n$/, ''),
  }),
  defineVerb({
    name: 'sieve put',
    summary: 'Store a script; one of the same name is replaced. What is no script is refused, with its line.',
    method: 'PUT',
    path: '/accounts/:address/scripts/:name',
    bodyBytesMax,
    parameters: parameters({
      address: Address,
      name: Name,
      script: Type.String({ maxLength: scriptBytesMax, description: 'the script', isSecret: true }),
    }),
    positional: ['address', 'name'],
    run: async (services, { address, name, script }) => {
      const account = await openAccount(services, address);
      requireScriptName(name);
      requireScript(script);
      const upload = await account.upload(Buffer.from(script));
      const id = `s${randomBytes(8).toString('hex')}`;
      const { isActive } = await account.transact((tx) => putScript(tx, id, name, upload), { uploads: [upload] });
      return { name, isActive };
    },
    print: ({ name, isActive }) => (isActive ? '' : `${name} is stored. It is not active: \`satchel sieve activate ADDRESS ${name}\`.`),
  }),
  defineVerb({
    name: 'sieve activate',
    summary: 'Make a script the active one; without a name, none is.',
    method: 'POST',
    path: '/accounts/:address/active-script',
    parameters: parameters({ address: Address, name: Type.Optional(Name) }),
    positional: ['address', 'name'],
    run: async (services, { address, name }) => {
      const account = await openAccount(services, address);
      const id = name === undefined ? null : named(account, address, name).id;
      await account.transact((tx) => activateScript(tx, id));
      return { address, active: name ?? null };
    },
    print: ({ address, active }) => (active === null ? `No script of ${address} is active now.` : `${active} is active for ${address}.`),
  }),
  defineVerb({
    name: 'sieve remove',
    summary: 'Remove a script that is not active.',
    method: 'DELETE',
    path: '/accounts/:address/scripts/:name',
    parameters: parameters({ address: Address, name: Name }),
    positional: ['address', 'name'],
    run: async (services, { address, name }) => {
      const account = await openAccount(services, address);
      const { id } = named(account, address, name);
      await account.transact((tx) => removeScript(tx, id));
      return { removed: name };
    },
    print: ({ removed }) => `Removed the script ${removed}.`,
  }),
];
