/** What stands over the entries of a map and is not in it yet: layers of a commit in the making, rows that wait for their transaction. */

/** Ascending, each key once. An entry of `over` stands over the one below it; null says removed. `read` makes a value of what lies below. */
export function* overlaid<B, V>(
  below: Iterable<{ readonly key: string; readonly value: B }>,
  over: ReadonlyMap<string, V | null>,
  read: (value: B) => V,
): Generator<{ key: string; value: V }> {
  const upper = [...over.keys()].sort((a, b) => (a < b ? -1 : 1));
  let at = 0;
  for (const { key, value } of below) {
    for (; at < upper.length && upper[at]! < key; at += 1) {
      const mine = over.get(upper[at]!);
      if (mine !== null) yield { key: upper[at]!, value: mine! };
    }
    if (upper[at] === key) {
      const mine = over.get(key);
      at += 1;
      if (mine !== null) yield { key, value: mine! };
    } else yield { key, value: read(value) };
  }
  for (; at < upper.length; at += 1) {
    const mine = over.get(upper[at]!);
    if (mine !== null) yield { key: upper[at]!, value: mine! };
  }
}
