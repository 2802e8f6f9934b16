import type { BlobRef } from '../../storage/log/record.ts';
import type { Model } from './model.ts';
import { type ToyDisk, ToyMachine, type ToyTx } from './toy-machine.ts';

export const toyModel: Model<ToyTx> = {
  async open({ disk, ...options } = {}) {
    return new ToyMachine({ disk: disk as ToyDisk | undefined, ...options });
  },
  add,
  copy(tx, token, pick) {
    const withBlob = [...tx.items.values()].filter(({ blob }) => blob !== undefined);
    return add(tx, token, withBlob[pick % Math.max(1, withBlob.length)]?.blob);
  },
  touch(tx, token, pick) {
    const id = chosen(tx, pick);
    if (id !== undefined) tx.put('item', id, { ...tx.items.get(id)!, touches: tx.items.get(id)!.touches + 1 });
    return put(tx, token);
  },
  remove(tx, token, pick) {
    const id = chosen(tx, pick);
    if (id !== undefined) tx.remove('item', id);
    return put(tx, token);
  },
  put,
};

function add(tx: ToyTx, token: string, blob?: BlobRef): number {
  const number = tx.nextItem;
  tx.put('item', String(number), blob === undefined ? { touches: 0 } : { blob, touches: 0 });
  tx.put('token', token, number);
  return number;
}

function put(tx: ToyTx, token: string): number {
  tx.put('token', token, 0);
  return 0;
}

function chosen(tx: ToyTx, pick: number): string | undefined {
  const ids = [...tx.items.keys()];
  return ids[pick % Math.max(1, ids.length)];
}
