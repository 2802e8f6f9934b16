import { expect, test } from 'vitest';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import type { ObjectStore } from '../../../storage/objects/object-store.ts';
import { openTestBucket } from '../../support/open-accounts.ts';
import { sesMessage } from './fixtures.ts';
import { ada, ben, keysUnder, lookAt, openRig } from './rig.ts';

/** Nothing of Ada's is written before the gate opens. */
async function openSlowRig() {
  const bucket = openTestBucket();
  await lookAt(bucket, ada);
  await lookAt(bucket, ben);
  const open = Promise.withResolvers<void>();
  const through = (store: ObjectStore): ObjectStore =>
    new Proxy(store, {
      get(target, name) {
        const member = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        if (name !== 'putIfAbsent') return member.bind(target);
        return async (...args: Parameters<ObjectStore['putIfAbsent']>) => {
          if (args[0].includes(`/${ada}/`)) await open.promise;
          return target.putIfAbsent(...args);
        };
      },
    });
  return { bucket, open, rig: await openRig({ bucket, through }) };
}

test('an account whose commits do not get through holds up nobody else, and gets all of its mail in the end', async () => {
  const { bucket, rig, open } = await openSlowRig();
  const forAda = Array.from({ length: 150 }, (_, i) => `a${i}`);
  for (const name of forAda) await bucket.store.put(`inbound/${name}`, sesMessage(name, 'ada@example.com'));
  for (const name of ['b0', 'b1', 'b2']) await bucket.store.put(`inbound/${name}`, sesMessage(name, 'ben@example.com'));

  const adas = forAda.map((name) => rig.pipeline.ingest({ key: `inbound/${name}` }));
  const bens = await Promise.all(['b0', 'b1', 'b2'].map((name) => rig.pipeline.ingest({ key: `inbound/${name}` })));
  expect(bens.map(({ kind }) => kind)).toEqual(['delivered', 'delivered', 'delivered']);
  expect((await lookAt(bucket, ada)).inbox).toHaveLength(0);
  // What waits for its account holds no place.
  expect(rig.pipeline.load.messages).toBeLessThanOrEqual(48);

  open.resolve();
  await Promise.all(adas);
  expect((await lookAt(bucket, ada)).inbox).toHaveLength(forAda.length);
  expect(await keysUnder(bucket.store, 'inbound/')).toEqual([]);
}, 20_000);

test('nor does it hold up others by LMTP, though more come for it than there are places', async () => {
  const { bucket, rig, open } = await openSlowRig();
  const hand = (name: string, targets: ReadonlyMap<AccountId, string>) =>
    rig.pipeline.deliver({
      bytes: sesMessage(name, 'list@example.com'),
      targets,
      envelopeFrom: 'brahms@music.example',
      evidence: { results: {}, fields: [], isProven: true },
      source: 'lmtp',
      name,
    });
  const adas = Array.from({ length: 150 }, (_, i) => hand(`a${i}`, new Map([[ada, 'ada@example.com']])));
  const both = Array.from({ length: 50 }, (_, i) =>
    hand(
      `c${i}`,
      new Map([
        [ben, 'ben@example.com'],
        [ada, 'ada@example.com'],
      ]),
    ),
  );
  const bens = await Promise.all(['b0', 'b1'].map((name) => hand(name, new Map([[ben, 'ben@example.com']]))));
  expect(bens.map((results) => results.get(ben)?.kind)).toEqual(['delivered', 'delivered']);
  expect((await lookAt(bucket, ada)).inbox).toHaveLength(0);
  open.resolve();
  await Promise.all([...adas, ...both]);
  expect((await lookAt(bucket, ada)).inbox).toHaveLength(200);
  expect((await lookAt(bucket, ben)).inbox).toHaveLength(52);
}, 20_000);
