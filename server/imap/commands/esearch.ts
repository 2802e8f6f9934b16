/** ESEARCH (RFC 7377): a search in several mailboxes, one after the other, each with a response of its own that says whose UIDs they are. */
import { decodeEsearch, type EsearchArguments } from '../../../protocol/imap/commands/esearch.ts';
import { isOfSelected, isPersonal, matchesFilter } from '../../../protocol/imap/mailbox-filter.ts';
import { ProtocolError } from '../../../protocol/mail/errors.ts';
import { defineCommand, type Invocation, loggedIn } from '../command.ts';
import { allNames, rightsOn } from '../locate.ts';
import { MailboxView } from '../mailbox-view.ts';
import { mustBeUtf8, refuseCharset, saving, writeAnswer } from '../search/answer.ts';
import { mentionsModSeq, runSearch } from '../search/search.ts';
import { mustUseUids, usesNumbers } from '../uid-only.ts';

export const esearch = defineCommand<EsearchArguments>({
  names: ['ESEARCH'],
  states: loggedIn,
  capability: ['MULTISEARCH'],
  // It answers with UIDs only.
  sequences: 'free',
  decode: (scanner, context) => {
    const args = decodeEsearch(scanner, context);
    mustBeUtf8(args, context);
    return args;
  },
  async run(invocation, args) {
    const { session } = invocation;
    const { sources, key } = args;
    const isOnlySelected = sources.every(isOfSelected);
    // RFC 7377 §2: without a selected mailbox there is nothing that SELECTED could mean.
    if (sources.some(isOfSelected) && session.selectedView === undefined)
      throw new ProtocolError('expected a selected mailbox for SELECTED');
    // RFC 7377 §2.1, §2.2: what belongs to the selected mailbox is for searches of it alone.
    if (!isOnlySelected && args.return?.includes('SAVE')) throw new ProtocolError('expected SAVE with SELECTED only');
    mustUseUids(session, key);
    if (usesNumbers(key)) throw new ProtocolError('expected no message numbers: the answer has UIDs of several mailboxes');
    if (!args.isCharsetKnown) return refuseCharset(args);
    if (mentionsModSeq(key)) session.isCondstore = true;
    const names = allNames(session);
    for (const { mailbox, name, account = session.account } of names instanceof Promise ? await names : names) {
      if (mailbox === undefined) continue;
      const isSelected = session.isSelected(account, mailbox.id);
      const isOwn = account === session.account;
      const isMeant = sources.some(
        (source) =>
          (isSelected && isOfSelected(source)) || ((isOwn || !isPersonal(source)) && matchesFilter(source, name, mailbox.subscribed)),
      );
      // RFC 7377 §2.2: what may not be read is left out.
      if (!isMeant || !rightsOn(account, mailbox.id).has('r')) continue;
      if (isSelected) await searchIn(invocation, session.view, name, args);
      else {
        if (account.read((reader) => reader.mailbox(mailbox.id)) === undefined) continue;
        const { services } = session;
        using view = new MailboxView({ account, mailbox: mailbox.id, isReadOnly: true, recents: services.recents, onChange: () => {} });
        await searchIn(invocation, view, name, args);
      }
      if (session.connection.isClosed) return undefined;
    }
    return undefined;
  },
});

async function searchIn(invocation: Invocation, view: MailboxView, name: string, args: EsearchArguments): Promise<void> {
  const found = await saving(view, args, async () => ({ result: await runSearch(invocation.session, view, args.key) }));
  // RFC 7377 §2: nothing is said of a mailbox without matches.
  if (found.result.uids.length === 0) return;
  writeAnswer({ ...invocation, isUid: true }, found, args, {
    name: 'SEARCH',
    withModSeq: mentionsModSeq(args.key),
    source: { view, name },
  });
}
