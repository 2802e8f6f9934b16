import { expect, test } from 'vitest';
import { Gate } from '../../../indexer/gate.ts';

const tick = () => new Promise((resolve) => setImmediate(resolve));

test('a gate lets in what fits, in order, and a giant alone', async () => {
  const gate = new Gate({ bytesMax: 100, messagesMax: 3 });
  const entered: string[] = [];
  const open = new Map<string, () => void>();
  const pass = (name: string, bytes: number) =>
    gate.pass(bytes, () => {
      entered.push(name);
      return new Promise<void>((resolve) => open.set(name, resolve));
    });
  const all = [pass('a', 60), pass('b', 50), pass('c', 10), pass('giant', 1000), pass('d', 1)];
  await tick();
  expect(entered).toEqual(['a']);
  open.get('a')!();
  await tick();
  expect(entered).toEqual(['a', 'b', 'c']);
  open.get('b')!();
  await tick();
  expect(entered).toEqual(['a', 'b', 'c']);
  open.get('c')!();
  await tick();
  expect([...entered]).toEqual(['a', 'b', 'c', 'giant']);
  open.get('giant')!();
  await tick();
  open.get('d')!();
  await Promise.all(all);
  expect([entered.at(-1), gate.messages, gate.bytes]).toEqual(['d', 0, 0]);
});

test('a gate opens again after work that failed', async () => {
  const gate = new Gate({ bytesMax: 1, messagesMax: 1 });
  await expect(gate.pass(1, () => Promise.reject(new Error('x')))).rejects.toThrow('x');
  expect(await gate.pass(1, async () => 'in')).toBe('in');
});
