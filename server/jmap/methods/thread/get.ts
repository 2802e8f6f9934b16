/** Thread/get (RFC 8621 §3.1): emails oldest first. */
import { getArguments } from '../../../../protocol/jmap/schema/common.ts';
import { formatEmailId, formatThreadId, parseThreadId, type ThreadNumber } from '../../../../protocol/mail/ids.ts';
import type { AccountReader, Email } from '../../../../storage/account/api.ts';
import { defineMethod, mailCapability } from '../../method.ts';
import { columnsOfAll } from '../../search/columns.ts';
import { standardGet } from '../../standard/get.ts';
import { stateString } from '../../states.ts';
import { isVisible } from '../../visible.ts';

/** The thread's emails that JMAP sees. */
export function visibleEmails(reader: AccountReader, thread: ThreadNumber): Email[] {
  return reader
    .thread(thread)
    .map((id) => reader.email(id))
    .filter((email) => isVisible(email));
}

interface ThreadRow {
  readonly id: string;
  readonly emails: readonly Email[];
}

const properties: Readonly<Record<string, (row: ThreadRow) => unknown>> = {
  id: ({ id }) => id,
  emailIds: ({ emails }) => emails.toSorted((a, b) => a.receivedAt - b.receivedAt || a.id - b.id).map(({ id }) => formatEmailId(id)),
};

export const threadGet = defineMethod({
  name: 'Thread/get',
  capability: mailCapability,
  access: 'read',
  arguments: getArguments({}),
  run: (context, args) =>
    context.account.read((reader) =>
      standardGet<ThreadRow>(context, args, {
        defaults: Object.keys(properties),
        isProperty: (name) => Object.hasOwn(properties, name),
        state: stateString(context.cache.states(reader), 'Thread'),
        all: () => new Set(Array.from(columnsOfAll(reader).thread, (thread) => formatThreadId(thread as ThreadNumber))),
        rowOf(id) {
          const thread = parseThreadId(id);
          const emails = thread === undefined ? [] : visibleEmails(reader, thread);
          return emails.length === 0 ? undefined : { id, emails };
        },
        valueOf: (row, property) => properties[property]!(row),
      }),
    ),
});
