/** Pages that new mail fills, in memory only for who reads them. */
import { expect, test } from 'vitest';
import { EmailPage } from '../../../storage/index/email-page.ts';
import { emailPageKey } from '../../../storage/index/keyspace.ts';
import { unreadPagesMax } from '../../../storage/index/limits.ts';
import { MemoryKv } from '../../../storage/index/memory-kv.ts';
import { tables } from '../../../storage/index/tables.ts';
import { AppliedState, Layer, View } from '../../../storage/index/view.ts';

/** A state, and how many pages were taken from the map since the last question. */
function openState() {
  const kv = new MemoryKv();
  let gets = 0;
  const { get } = kv;
  kv.get = (key) => {
    gets += 1;
    return get.call(kv, key);
  };
  const state = new AppliedState(kv);
  const write = (page: number, size: number) => {
    const layer = new Layer();
    const view = new View(state, [layer]);
    const edited = view.edit(tables.emailPages, emailPageKey(page)) ?? EmailPage.empty();
    edited.size[0] = size;
    view.put(tables.emailPages, emailPageKey(page), edited);
    state.write(layer);
  };
  const read = (page: number) => new View(state).get(tables.emailPages, emailPageKey(page))?.size[0];
  return {
    write,
    read,
    taken(work: () => void) {
      gets = 0;
      work();
      return gets;
    },
  };
}

test('what was written last is in memory, what was written before it is read from the map once, and then stays', () => {
  const { write, read, taken } = openState();
  for (let page = 0; page < 100; page += 1) for (const size of [1, 2, page + 7]) write(page, size);
  const last = Array.from({ length: unreadPagesMax }, (_, at) => 99 - at);
  expect(taken(() => expect(last.map(read)).toEqual(last.map((page) => page + 7)))).toBe(0);
  expect(taken(() => expect(read(3)).toBe(10))).toBe(1);
  for (let page = 100; page < 200; page += 1) write(page, 1);
  write(3, 11);
  expect(taken(() => expect(read(3)).toBe(11))).toBe(0);
  expect(taken(() => expect(read(99)).toBe(106))).toBe(0);
});

test('a page that is filled again and again is taken from the map no more than once', () => {
  const { write, taken } = openState();
  write(1, 1);
  expect(
    taken(() => {
      for (let size = 2; size < 50; size += 1) write(1, size);
    }),
  ).toBe(0);
});
