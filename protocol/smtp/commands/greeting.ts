/**
 * EHLO, HELO (RFC 5321 §4.1.1.1) and LHLO (RFC 2033 §4.1).
 *
 *   ehlo = "EHLO" SP ( Domain / address-literal ) CRLF
 */
import { type Reply, SmtpRefusal } from '../reply.ts';
import type { SmtpCommand, SmtpContext } from './command.ts';

function clientName(args: string): string {
  const name = args.trim();
  if (!/^[\x21-\x7e]{1,255}$/.test(name)) throw new SmtpRefusal(501, '5.5.4', 'a host name is missing');
  return name;
}

function greetExtended(context: SmtpContext, args: string): Reply {
  context.greet(clientName(args));
  return { code: 250, text: [context.options.hostName, ...context.capabilities] };
}

export const greeting: readonly SmtpCommand[] = [
  // Of the session, not of a row: RFC 2920, RFC 2034.
  { names: ['EHLO'], modes: ['smtp'], stage: 'any', capabilities: () => ['PIPELINING', 'ENHANCEDSTATUSCODES'], run: greetExtended },
  { names: ['LHLO'], modes: ['lmtp'], stage: 'any', capabilities: () => ['PIPELINING', 'ENHANCEDSTATUSCODES'], run: greetExtended },
  {
    names: ['HELO'],
    modes: ['smtp'],
    stage: 'any',
    run: (context, args) => {
      context.greet(clientName(args));
      return { code: 250, text: context.options.hostName };
    },
  },
];
