/** THREAD and UID THREAD (RFC 5256 §3). */
import { decodeThread, type ThreadArguments } from '../../../protocol/imap/commands/thread.ts';
import { sizeOf } from '../../../protocol/mail/ranges.ts';
import { defineCommand, selected } from '../command.ts';
import { refuseAbove } from '../message-limit.ts';
import { mustBeUtf8, refuseCharset } from '../search/answer.ts';
import { mentionsModSeq, runSearch, searchedMessages } from '../search/search.ts';
import { MatchedRows } from '../sort/matched-rows.ts';
import { threadFacts } from '../thread/facts.ts';
import { threadBySubject } from '../thread/ordered-subject.ts';
import { threadByReferences } from '../thread/references.ts';
import { writeThreads } from '../thread/write-threads.ts';
import { mustUseUids } from '../uid-only.ts';

export const thread = defineCommand<ThreadArguments>({
  names: ['THREAD', 'UID THREAD'],
  states: selected,
  capability: ['THREAD=ORDEREDSUBJECT', 'THREAD=REFERENCES'],
  sequences: 'hold',
  takesNumbers: true,
  decode: (scanner, context) => {
    const args = decodeThread(scanner);
    mustBeUtf8(args, context);
    return args;
  },
  async run({ session, isUid }, args) {
    const { view, output } = session;
    mustUseUids(session, args.key);
    // RFC 9738 §3.3.
    const refusal = refuseAbove(session, sizeOf(searchedMessages(view, args.key)));
    if (refusal !== undefined) return refusal;
    if (!args.isCharsetKnown) return refuseCharset(args);
    if (mentionsModSeq(args.key)) session.isCondstore = true;
    const rows = new MatchedRows();
    await runSearch(session, view, args.key, (row) => rows.add(row));
    const facts = await threadFacts(session, rows, args.algorithm);
    const forest = args.algorithm === 'REFERENCES' ? threadByReferences(facts) : threadBySubject(facts);
    writeThreads(output, forest, (index) => (isUid ? rows.uids[index]! : view.sequenceOf(rows.uids[index]!)));
    return undefined;
  },
});
