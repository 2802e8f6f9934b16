/** The server that is measured: a process of its own, on an empty folder, as its users start it. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { callAdmin } from '../support/admin-call.ts';

export interface BenchServer extends AsyncDisposable {
  readonly ports: { readonly imap: number; readonly imaps: number; readonly lmtp: number; readonly http: number };
  /** Of me@localhost. */
  readonly password: string;
  rssMb(): Promise<number>;
  /** A call of the administrator; rejects when it is refused. */
  post(path: string, body: object): Promise<void>;
}

export async function startBenchServer(path: string): Promise<BenchServer> {
  const any = '127.0.0.1:0';
  const off = { https: null, submission: null, submissions: null, managesieve: null };
  const config = {
    dataDir: 'data',
    firstAccount: 'me@localhost',
    listen: { http: any, imap: any, imaps: any, lmtp: any, ...off },
    inbound: { sweepSeconds: 0.1 },
    log: { level: 'warn' },
  };
  const file = join(path, 'satchel.json');
  writeFileSync(file, JSON.stringify(config));
  const launcher = join(import.meta.dirname, '../../server/launch.js');
  const child = spawn(process.execPath, [launcher, 'serve', '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('Drop a message in')) resolve();
    });
    void ended.then(() => reject(new Error(`the server ended:\n${said}`)));
  });
  const portOf = (title: string) => {
    const line = said.split('\n').find((text) => text.trim().startsWith(`${title} `));
    return Number(/:(\d+)$/.exec(line?.trim() ?? '')![1]);
  };
  const ports = { imap: portOf('IMAP (STARTTLS)'), imaps: portOf('IMAP (TLS)'), lmtp: portOf('LMTP'), http: portOf('JMAP (HTTP)') };
  return {
    ports,
    password: /^Password: +(\S+)/m.exec(said)![1]!,
    async rssMb() {
      const text = await (await fetch(`http://127.0.0.1:${ports.http}/metrics`)).text();
      return Math.round(Number(/^process_resident_memory_bytes (\S+)/m.exec(text)?.[1]) / 2 ** 20);
    },
    post: (call, body) => callAdmin(join(path, 'data', 'admin.sock'), call, body),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
