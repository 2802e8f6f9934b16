/**
 * AUTH: RFC 4954 §4. The exchange itself is SASL's; here are its lines of base64.
 *
 *   auth-command = "AUTH" SP sasl-mech [SP initial-response] CRLF
 *   initial-response = base64 / "="
 */
import type { AuthStep } from '../handler.ts';
import { type Reply, reply, SmtpRefusal } from '../reply.ts';
import type { SmtpCommand, SmtpContext } from './command.ts';

const base64Pattern = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export const auth: readonly SmtpCommand[] = [
  {
    names: ['AUTH'],
    modes: ['smtp'],
    stage: 'greeted',
    capabilities: ({ options, isSecure, isAuthenticated }) => {
      const names = options.handler.auth?.mechanisms(isSecure) ?? [];
      return names.length === 0 || isAuthenticated ? [] : [`AUTH ${names.join(' ')}`];
    },
    run: async (context, args) => {
      const { auth: port } = context.options.handler;
      if (port === undefined) throw new SmtpRefusal(502, '5.5.1', 'AUTH is not offered here');
      if (context.isAuthenticated) throw new SmtpRefusal(503, '5.5.1', 'somebody has logged in already');
      if (context.transaction !== undefined) throw new SmtpRefusal(503, '5.5.1', 'not within a transaction');
      const [, mechanism, response] = /^([A-Za-z0-9_-]{1,20})(?: +(\S+))?$/.exec(args.trim()) ?? [];
      if (mechanism === undefined) throw new SmtpRefusal(501, '5.5.4', 'AUTH takes a mechanism');
      const initial = response === undefined ? undefined : response === '=' ? Buffer.alloc(0) : decode(response);
      return answer(context, await port.begin(mechanism.toUpperCase(), initial, context.isSecure));
    },
  },
];

function answer(context: SmtpContext, step: AuthStep): Reply {
  switch (step.kind) {
    case 'done':
      context.authenticated();
      return reply(235, '2.7.0', 'welcome');
    case 'refused':
      throw new SmtpRefusal(step.reply.code, step.reply.status ?? '5.7.8', String(step.reply.text));
    case 'challenge':
      context.converse(async (line) => {
        if (line === '*') throw new SmtpRefusal(501, '5.7.0', 'cancelled');
        return answer(context, await step.answer(decode(line)));
      });
      return { code: 334, text: Buffer.from(step.data).toString('base64') };
  }
}

function decode(text: string): Buffer {
  if (!base64Pattern.test(text)) throw new SmtpRefusal(501, '5.5.2', 'that is not base64');
  return Buffer.from(text, 'base64');
}
