/** A call of the administrator to a server process, by its socket. */
import { request } from 'node:http';

/** Rejects when it is refused. */
export function callAdmin(socketPath: string, call: string, body: object): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const sent = request({ socketPath, path: `/admin/v1${call}`, method: 'POST', headers }, (answer) => {
      answer.resume();
      answer.once('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`${call} was answered ${answer.statusCode}`))));
    });
    sent.once('error', reject);
    sent.end(JSON.stringify(body));
  });
}
