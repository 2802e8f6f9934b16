/** RSET, NOOP, QUIT, VRFY, HELP (RFC 5321 §4.1.1.5 to §4.1.1.10) and STARTTLS (RFC 3207). */
import { reply, SmtpRefusal } from '../reply.ts';
import { both, noArguments, type SmtpCommand } from './command.ts';

export const session: readonly SmtpCommand[] = [
  {
    names: ['RSET'],
    modes: both,
    stage: 'any',
    run: (context, args) => {
      if (!noArguments(args)) throw new SmtpRefusal(501, '5.5.4', 'RSET takes no arguments');
      context.reset();
      return reply(250, '2.0.0', 'ok');
    },
  },
  { names: ['NOOP'], modes: both, stage: 'any', run: () => reply(250, '2.0.0', 'ok') },
  {
    names: ['QUIT'],
    modes: both,
    stage: 'any',
    run: (context) => {
      context.close();
      return reply(221, '2.0.0', 'bye');
    },
  },
  // RFC 5321 §7.3: no addresses are given away.
  { names: ['VRFY'], modes: both, stage: 'any', run: () => reply(252, '2.5.0', 'send some mail and see') },
  { names: ['HELP'], modes: both, stage: 'any', run: () => reply(214, '2.0.0', 'see RFC 5321') },
  {
    names: ['STARTTLS'],
    modes: both,
    stage: 'greeted',
    capabilities: ({ canStartTls }) => (canStartTls ? ['STARTTLS'] : []),
    run: (context, args) => {
      if (!noArguments(args)) throw new SmtpRefusal(501, '5.5.4', 'STARTTLS takes no arguments');
      if (!context.canStartTls) throw new SmtpRefusal(502, '5.5.1', 'TLS is not offered here, or on already');
      context.startTls();
      return undefined;
    },
  },
];
