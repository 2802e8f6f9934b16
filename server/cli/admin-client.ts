/** Calls the verbs of a running server by its socket. */
import { request } from 'node:http';
import { adminPrefix } from '../admin/routes.ts';
import type { Verb } from '../admin/verb.ts';

/** The server's no, with its sentence. */
export class RefusedError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'RefusedError';
    this.code = code;
  }
}

export type CallOutcome = { readonly answered: true; readonly result: unknown } | { readonly answered: false };

/** Not answered: no server listens there. Rejects with RefusedError for a no, and when the server goes away in the middle. */
export async function callServer(socketPath: string, verb: Verb, parameters: Readonly<Record<string, unknown>>): Promise<CallOutcome> {
  const { path, rest } = fillPath(verb, parameters);
  const inBody = verb.method === 'POST' || verb.method === 'PUT';
  const body = inBody ? JSON.stringify(rest) : undefined;
  const query = inBody ? '' : formatQuery(rest);
  const answer = await send({ socketPath, method: verb.method, path: `${adminPrefix}${path}${query}`, body });
  if (answer === undefined) return { answered: false };
  const value = decodeJson(answer.body) as { error?: { code?: string; message?: string } } | undefined;
  if (answer.status === 200) return { answered: true, result: value };
  const { code = 'internal', message = `The server answered ${answer.status} to \`${verb.name}\`.` } = value?.error ?? {};
  throw new RefusedError(code, message);
}

interface Call {
  readonly socketPath: string;
  readonly method: string;
  readonly path: string;
  readonly body: string | undefined;
}

/** Undefined when nobody listens. There is no time limit: verifying a large account takes its time. */
function send({ socketPath, method, path, body }: Call): Promise<{ readonly status: number; readonly body: string } | undefined> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const call = request({ socketPath, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }));
    });
    call.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED' || error.code === 'EINVAL') resolve(undefined);
      else if (error.code === 'EACCES')
        reject(
          new RefusedError('forbidden', `This user may not open ${socketPath}: run the command as the user of the server, or as root.`),
        );
      else
        reject(new RefusedError('unavailable', `The server at ${socketPath} went away (${error.code ?? error.message}). Look at its log.`));
    });
    call.end(body);
  });
}

function fillPath(verb: Verb, parameters: Readonly<Record<string, unknown>>) {
  const rest = { ...parameters };
  const path = verb.path.replace(/:(\w+)/g, (_, name: string) => {
    delete rest[name];
    return encodeURIComponent(String(parameters[name]));
  });
  return { path, rest };
}

function formatQuery(parameters: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const item of Array.isArray(value) ? value : [value]) if (item !== undefined) query.append(name, String(item));
  }
  return query.size === 0 ? '' : `?${query}`;
}

function decodeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
