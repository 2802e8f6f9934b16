import { expect, test } from 'vitest';
import type { ObjectStore } from '../../../storage/objects/object-store.ts';
import { openTestBucket } from '../../support/open-accounts.ts';
import { sesMessage } from './fixtures.ts';
import { ada, ben, keysUnder, lookAt, openRig } from './rig.ts';

test('an account whose commits do not get through holds up nobody else, and gets all of its mail in the end', async () => {
  const bucket = openTestBucket();
  await lookAt(bucket, ada);
  await lookAt(bucket, ben);
  const open = Promise.withResolvers<void>();
  // Nothing of Ada's is written before the gate opens.
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
  const rig = await openRig({ bucket, through });
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
