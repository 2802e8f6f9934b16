/** The spike in small: 2,000 messages, a kill in the middle. `npm run bench:spike` is the same with 100,000 and a queue. */
import { expect, it } from 'vitest';
import { runSpike } from './spike.ts';

it('2,000 waiting messages, poison and events in any order among them, come in once although the server is killed', async () => {
  const { expected, delivered, missing, doubled, misdelivered, poison, surprises, left, events } = await runSpike({
    messages: 2_000,
    accounts: 5,
    killAt: 0.5,
    hasQueue: false,
    note: () => {},
  });
  expect({ missing, doubled, misdelivered, surprises, left }).toEqual({
    missing: [],
    doubled: [],
    misdelivered: [],
    surprises: [],
    left: 0,
  });
  expect(delivered).toBe(expected);
  expect(expected).toBe(2_040);
  expect(Object.values(poison).filter(({ dropped, held }) => dropped !== held)).toEqual([]);
  expect(Object.keys(poison)).toHaveLength(6);
  expect(events.posted).toBeGreaterThan(200);
});
