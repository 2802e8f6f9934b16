/**
 * DATA: RFC 5321 §4.1.1.4; in LMTP it needs a recipient that was accepted (RFC 2033 §4.2). BDAT: RFC 3030 §2.
 *
 *   data     = "DATA" CRLF
 *   bdat-cmd = "BDAT" SP chunk-size [ SP "LAST" ] CRLF
 */
import { SmtpRefusal } from '../reply.ts';
import { both, noArguments, type SmtpCommand } from './command.ts';

export const data: readonly SmtpCommand[] = [
  {
    names: ['DATA'],
    modes: both,
    stage: 'recipients',
    run: (context, args) => {
      if (!noArguments(args)) throw new SmtpRefusal(501, '5.5.4', 'DATA takes no arguments');
      if (context.isInChunks) throw new SmtpRefusal(503, '5.5.1', 'DATA and BDAT cannot be mixed');
      context.receiveData();
      return { code: 354, text: 'end with <CRLF>.<CRLF>' };
    },
  },
  {
    names: ['BDAT'],
    modes: both,
    // The octets must be taken in any state, or they would be read as commands: receiveChunk refuses after it took them.
    stage: 'any',
    capabilities: () => ['CHUNKING'],
    run: (context, args) => {
      const [, digits, last] = /^(\d{1,15})(?: +(LAST))?$/i.exec(args.trim()) ?? [];
      if (digits === undefined) {
        // The peer will send octets that cannot be told from commands.
        context.close();
        throw new SmtpRefusal(501, '5.5.4', 'BDAT takes a size');
      }
      context.receiveChunk(Number(digits), last !== undefined);
      return undefined;
    },
  },
];
