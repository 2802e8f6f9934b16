/** A thread that parses messages, one at a time: bytes in, facts and text out. parse-pool.ts owns it and ends it when it takes too long. */
import { parentPort } from 'node:worker_threads';
import { parseMessage } from './parse-message.ts';

parentPort?.on('message', (bytes: Uint8Array) => {
  void parseMessage(bytes).then(
    (parsed) => parentPort?.postMessage({ parsed }),
    (error: unknown) => parentPort?.postMessage({ error: String(error) }),
  );
});
