/** ShareNotification/get, /changes and /set (RFC 9670 §3.2 to §3.4): only the server makes them, a client dismisses them. */
import { SetFailure } from '../../../../protocol/jmap/errors.ts';
import { changesArguments, getArguments, setArguments } from '../../../../protocol/jmap/schema/common.ts';
import { shareNotificationType } from '../../../../protocol/mail/share-notification.ts';
import { defineMethod, principalsCapability } from '../../method.ts';
import { shareNotifications } from '../../share-notifications.ts';
import { changesOfObjects, getObjects } from '../../standard/objects.ts';
import { notFoundError, standardSet } from '../../standard/set.ts';

export const shareNotificationGet = defineMethod({
  name: 'ShareNotification/get',
  capability: principalsCapability,
  access: 'read',
  arguments: getArguments({}),
  run: (context, args) => getObjects(context, args, shareNotifications),
});

export const shareNotificationChanges = defineMethod({
  name: 'ShareNotification/changes',
  capability: principalsCapability,
  access: 'read',
  arguments: changesArguments,
  run: (context, args) => changesOfObjects(context, args, shareNotifications),
});

const isServers = (): SetFailure =>
  new SetFailure({ type: 'forbidden', description: 'The server makes share notifications; they can only be destroyed.' });

export const shareNotificationSet = defineMethod({
  name: 'ShareNotification/set',
  capability: principalsCapability,
  access: 'write',
  arguments: setArguments({}),
  async run(context, args) {
    const { response } = await standardSet(context, args, {
      type: shareNotificationType,
      create: () => Promise.reject(isServers()),
      async update(_, id) {
        const isThere = context.account.read((reader) => reader.object(shareNotificationType, id)) !== undefined;
        throw isThere ? isServers() : new SetFailure(notFoundError);
      },
      async destroy(steps, id) {
        await steps.transact((tx) => {
          if (tx.object(shareNotificationType, id) === undefined) throw new SetFailure(notFoundError);
          tx.removeObject(shareNotificationType, id);
          return { value: undefined, isChanged: true };
        });
      },
    });
    return response;
  },
});
