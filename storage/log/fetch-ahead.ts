/** The results of `fetch`, in the order of `items`, with up to `ahead` of them under way before the one in use. Stops at the first failure. */
export async function* fetchAhead<Item, Result>(
  items: Iterable<Item>,
  ahead: number,
  fetch: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const iterator = items[Symbol.iterator]();
  const underWay: Promise<Result>[] = [];
  const start = (): boolean => {
    const next = iterator.next();
    if (next.done === true) return false;
    const result = fetch(next.value);
    // A failure is the reader's when its turn comes; until then it must not count as unhandled.
    result.catch(() => {});
    underWay.push(result);
    return true;
  };
  while (underWay.length < ahead && start());
  for (let first = underWay.shift(); first !== undefined; first = underWay.shift()) {
    const result = await first;
    start();
    yield result;
  }
}
