/** The results of `fetch`, in the order of `items`, with up to `width` of them underway ahead of the one in use. Stops at the first failure. */
export async function* prefetch<T, R>(items: Iterable<T>, width: number, fetch: (item: T) => Promise<R>): AsyncGenerator<R> {
  const iterator = items[Symbol.iterator]();
  const underway: Promise<R>[] = [];
  const start = (): boolean => {
    const next = iterator.next();
    if (next.done === true) return false;
    const fetched = fetch(next.value);
    // Reported when its turn comes; when an earlier one fails, it never does.
    fetched.catch(() => {});
    underway.push(fetched);
    return true;
  };
  while (underway.length < width && start());
  for (let first = underway.shift(); first !== undefined; first = underway.shift()) {
    const result = await first;
    start();
    yield result;
  }
}
