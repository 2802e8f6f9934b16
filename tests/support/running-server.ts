/** A whole server on a temporary folder, put together as the process does it; and the command line as a process of its own. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, rename, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ImapFlow } from 'imapflow';
import { systemClock } from '../../server/clock.ts';
import { type App, compose } from '../../server/compose.ts';
import { loadConfig } from '../../server/config.ts';
import { createLogger, type Logger } from '../../server/logger.ts';
import { systemRandom } from '../../server/random.ts';

export interface ServerFolder extends Disposable {
  readonly path: string;
  readonly configFile: string;
  /** Starts a server on the folder, with the account me@localhost; the password is the same in each run. */
  start(): Promise<RunningServer>;
  /** Drops a raw message into the bucket. `name` follows the inbound prefix. */
  drop(name: string, raw: Uint8Array): Promise<void>;
  /** `satchel …` as a process. */
  satchel(args: readonly string[], input?: string): Promise<{ readonly code: number; readonly out: string; readonly err: string }>;
}

export interface RunningServer extends AsyncDisposable {
  readonly app: App;
  /** Lines that the server logged at warn and above. */
  readonly complaints: readonly string[];
  /** `127.0.0.1:49152` of a listener. */
  addressOf(name: string): { readonly host: string; readonly port: number };
  imap(login?: string): Promise<ImapFlow>;
}

export const password = 'correct horse battery';

export function makeServerFolder(config: object = {}): ServerFolder {
  const path = mkdtempSync(join(tmpdir(), 'satchel-test-'));
  const configFile = join(path, 'satchel.json');
  const any = '127.0.0.1:0';
  const listen = { http: any, https: any, imap: any, imaps: any, lmtp: any, submission: null, submissions: null, managesieve: null };
  writeFileSync(
    configFile,
    JSON.stringify({
      dataDir: 'data',
      firstAccount: 'me@localhost',
      listen,
      inbound: { sweepSeconds: 0.1 },
      log: { format: 'json' },
      ...config,
    }),
  );

  async function start(): Promise<RunningServer> {
    const complaints: string[] = [];
    const logger: Logger = createLogger({ level: 'warn', format: 'json', write: (line) => void complaints.push(line) });
    const { config: effective } = loadConfig({ file: configFile, env: {}, cwd: path });
    const app = await compose(effective, { clock: systemClock, random: systemRandom, logger, version: '0.0.0' }, { mode: 'server' });
    try {
      await app.start();
      const first = await app.makeFirstAccount();
      if (first !== undefined) await setPassword(app, first.address);
    } catch (error) {
      await app[Symbol.asyncDispose]();
      throw error;
    }
    return {
      app,
      complaints,
      addressOf: (name) => addressOf(app, name),
      imap: (login = 'me@localhost') => connectImap(addressOf(app, 'imaps'), login),
      [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
    };
  }

  return {
    path,
    configFile,
    start,
    async drop(name, raw) {
      const file = join(path, 'data/bucket/inbound', name);
      await mkdir(dirname(file), { recursive: true });
      // Whole from the first, and as old as a file that nobody writes to any more: the sweep need not wait and see.
      const written = join(path, `dropped-${name.replaceAll('/', '-')}`);
      await writeFile(written, raw);
      const old = new Date(Date.now() - 10_000);
      await utimes(written, old, old);
      await rename(written, file);
    },
    satchel: (args, input = '') =>
      new Promise((resolve) => {
        const main = join(import.meta.dirname, '../../server/main.ts');
        const env = { PATH: process.env.PATH };
        const argv = [
          '--disable-warning=ExperimentalWarning',
          main,
          ...args,
          ...(args.includes('--config') ? [] : ['--config', configFile]),
        ];
        const child = execFile(process.execPath, argv, { cwd: path, env }, (error, out, err) => {
          resolve({ code: error === null ? 0 : Number(error.code), out, err });
        });
        child.stdin!.end(input);
      }),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

function addressOf(app: App, name: string): { readonly host: string; readonly port: number } {
  const at = app.listening.find((listening) => listening.name === name)?.at;
  if (at === undefined) throw new Error(`nothing listens for ${name}`);
  return { host: '127.0.0.1', port: Number(at.slice(at.lastIndexOf(':') + 1)) };
}

async function setPassword(app: App, address: string): Promise<void> {
  const { verbs } = await import('../../server/admin/verbs.ts');
  await verbs.find(({ name }) => name === 'account password')!.run(app.services, { address, password });
}

async function connectImap({ host, port }: { readonly host: string; readonly port: number }, user: string): Promise<ImapFlow> {
  const client = new ImapFlow({
    host,
    port,
    secure: true,
    auth: { user, pass: password },
    tls: { rejectUnauthorized: false },
    logger: false,
  });
  await client.connect();
  return client;
}
