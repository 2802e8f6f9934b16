/** The server as a process of its own, to be killed at any moment. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ImapFlow } from 'imapflow';
import type { ServerFolder } from './running-server.ts';

export interface ServerProcess {
  readonly pid: number;
  readonly imapsPort: number;
  /** 0 where nothing listens for it. */
  readonly httpPort: number;
  /** 0 where nothing listens for it. */
  readonly submissionPort: number;
  /** 0 where nothing listens for it. */
  readonly lmtpPort: number;
  /** Printed at the first start only. */
  readonly password: string | undefined;
  connect(password: string): Promise<ImapFlow>;
  /** Ends the process as a power cut would, as far as the process goes. */
  kill(): Promise<void>;
}

/** What server/launch.js sets; the launcher itself would survive the kill. */
const asLaunched = {
  UV_THREADPOOL_SIZE: '16',
  MALLOC_MMAP_THRESHOLD_: String(32 * 1024),
  MALLOC_TRIM_THRESHOLD_: String(1024 * 1024),
};

const v8Threads = `--v8-pool-size=${Math.min(4, Math.max(1, availableParallelism() - 1))}`;

/** Resolves when the server says that it serves. */
export async function startServerProcess(folder: ServerFolder, env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  const main = join(import.meta.dirname, '../../server/main.ts');
  const argv = [
    '--disable-warning=ExperimentalWarning',
    '--max-semi-space-size=16',
    v8Threads,
    main,
    'serve',
    '--config',
    folder.configFile,
  ];
  const child = spawn(process.execPath, argv, { cwd: folder.path, env: { PATH: process.env.PATH, ...asLaunched, ...env } });
  const said = await readUntilServing(child);
  const imapsPort = Number(/IMAP \(TLS\) +127\.0\.0\.1:(\d+)/.exec(said)![1]);
  return {
    pid: child.pid!,
    imapsPort,
    httpPort: Number(/\bHTTP\b.* 127\.0\.0\.1:(\d+)/.exec(said)?.[1] ?? 0),
    submissionPort: Number(/Submission \(STARTTLS\) +127\.0\.0\.1:(\d+)/.exec(said)?.[1] ?? 0),
    lmtpPort: Number(/LMTP +127\.0\.0\.1:(\d+)/.exec(said)?.[1] ?? 0),
    password: /^Password: +(\S+)/m.exec(said)?.[1],
    async connect(pass) {
      const options = { host: '127.0.0.1', port: imapsPort, secure: true, tls: { rejectUnauthorized: false }, logger: false } as const;
      const client = new ImapFlow({ ...options, auth: { user: 'me@localhost', pass } });
      client.on('error', () => undefined);
      await client.connect();
      return client;
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function readUntilServing(child: ChildProcess): Promise<string> {
  let said = '';
  const serving = Promise.withResolvers<void>();
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('"msg":"Serving."') || said.includes('Drop a message in')) serving.resolve();
    });
  }
  child.on('exit', () => serving.reject(new Error(`the server ended early:\n${said}`)));
  await serving.promise;
  return said;
}
