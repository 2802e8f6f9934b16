// A parser that hangs on some messages, dies of others and answers the rest.
import { parentPort } from 'node:worker_threads';

parentPort.on('message', (bytes) => {
  const text = Buffer.from(bytes).toString('latin1');
  if (text.includes('hang')) for (;;);
  if (text.includes('throw')) throw new Error('it threw');
  if (text.includes('exit')) process.exit(1);
  if (text.includes('memory')) {
    const kept = [];
    for (;;) kept.push(new Array(1_000_000).fill(kept.length));
  }
  parentPort.postMessage({ parsed: { facts: { subject: 'parsed' }, text: 'text', preview: 'text' } });
});
