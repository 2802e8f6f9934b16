/** NOTIFY (RFC 5465): what the client wants to hear of, at any time. The selected mailbox is told by its view, the others by news.ts. */
import { decodeNotify, type NotifyArguments, notifyEvents } from '../../../protocol/imap/commands/notify.ts';
import { isOfSelected } from '../../../protocol/imap/mailbox-filter.ts';
import { defineCommand, loggedIn } from '../command.ts';

export const notify = defineCommand<NotifyArguments>({
  names: ['NOTIFY'],
  states: loggedIn,
  capability: ['NOTIFY'],
  sequences: 'free',
  decode: decodeNotify,
  async run({ session }, request) {
    if (request.groups === undefined) {
      await session.notify([], undefined);
      return undefined;
    }
    if (request.unknown.length > 0)
      return { status: 'NO', code: `BADEVENT (${notifyEvents.join(' ')})`, text: 'Some of these events are not known here.' };
    // RFC 5465 §3.1: what has gathered in the selected mailbox is told first.
    session.tellChanges(true);
    await session.notify(
      request.groups,
      request.groups.find(({ filter }) => isOfSelected(filter)),
    );
    if (request.wantsStatus) session.news?.tellStatus();
    return undefined;
  },
});
