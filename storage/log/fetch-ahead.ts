/** Results of `fetch` in the order of `items`, with up to `ahead` of them on their way. The rest is abandoned when the reader stops. */
export async function* fetchAhead<Item, Result>(
  items: readonly Item[],
  ahead: number,
  fetch: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const underWay: Promise<Result>[] = [];
  for (let next = 0; next < items.length || underWay.length > 0; ) {
    while (next < items.length && underWay.length < ahead) {
      const result = fetch(items[next++]!);
      // A failure is the reader's when its turn comes; until then it must not count as unhandled.
      result.catch(() => {});
      underWay.push(result);
    }
    yield await underWay.shift()!;
  }
}
