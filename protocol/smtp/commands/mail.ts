/**
 * MAIL and RCPT: RFC 5321 §4.1.1.2 and §4.1.1.3, with SIZE (RFC 1870), BODY (RFC 6152) and SMTPUTF8 (RFC 6531); in submission also DSN (RFC 3461),
 * FUTURERELEASE (RFC 4865), REQUIRETLS (RFC 8689) and AUTH (RFC 4954 §5).
 *
 *   mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF
 *   rcpt = "RCPT TO:" Forward-path [SP Rcpt-parameters] CRLF
 */
import { recipientsMax } from '../limits.ts';
import { isAsciiOnly, parsePathAndParameters } from '../path.ts';
import { type Reply, reply, SmtpRefusal } from '../reply.ts';
import { both, type SmtpCommand, type SmtpContext } from './command.ts';
import {
  checkRecipientParameter,
  checkSubmissionParameters,
  submissionCapabilities,
  submissionParameters,
} from './submission-parameters.ts';

type ParameterCheck = (value: string | null, context: SmtpContext) => void;

/** A parameter that has no row is refused with 555 (RFC 5321 §4.1.1.11). */
const mailParameters: Readonly<Record<string, ParameterCheck>> = {
  SIZE: (value, { options }) => {
    if (value === null || !/^\d{1,20}$/.test(value)) throw new SmtpRefusal(501, '5.5.4', 'SIZE takes a number');
    if (Number(value) > options.messageBytesMax) throw new SmtpRefusal(552, '5.3.4', `at most ${options.messageBytesMax} octets a message`);
  },
  BODY: (value) => {
    // RFC 3030 §3: BINARYMIME is not offered.
    if (!/^(7BIT|8BITMIME)$/i.test(value ?? '')) throw new SmtpRefusal(501, '5.5.4', 'BODY takes 7BIT or 8BITMIME');
  },
  SMTPUTF8: (value) => {
    if (value !== null) throw new SmtpRefusal(501, '5.5.4', 'SMTPUTF8 takes no value');
  },
};

async function askAboutSender(context: SmtpContext): Promise<Reply> {
  const refusal = await context.options.handler.sender?.(context.transaction!);
  if (refusal === undefined) return senderAccepted;
  context.reset();
  return refusal;
}

const senderAccepted = reply(250, '2.1.0', 'sender ok');
const recipientAccepted = reply(250, '2.1.5', 'recipient ok');

export const mail: readonly SmtpCommand[] = [
  {
    names: ['MAIL'],
    modes: both,
    stage: 'greeted',
    capabilities: (context) => [`SIZE ${context.options.messageBytesMax}`, '8BITMIME', 'SMTPUTF8', ...submissionCapabilities(context)],
    run: (context, args) => {
      // RFC 6409 §4.3.
      if (context.options.submission !== undefined && !context.isAuthenticated) throw new SmtpRefusal(530, '5.7.0', 'log in first');
      if (context.transaction !== undefined) throw new SmtpRefusal(503, '5.5.1', 'a transaction is open; RSET ends it');
      const { address, parameters } = parsePathAndParameters(args, 'FROM:');
      for (const [keyword, value] of parameters) {
        const check = mailParameters[keyword] ?? (context.options.submission && submissionParameters[keyword]);
        if (check === undefined) throw new SmtpRefusal(555, '5.5.4', `the parameter ${keyword} is not known`);
        check(value, context);
      }
      checkSubmissionParameters(parameters);
      const isSmtpUtf8 = parameters.has('SMTPUTF8');
      requireAscii(address, isSmtpUtf8);
      context.begin({ sender: address, parameters, isSmtpUtf8 });
      return context.options.handler.sender === undefined ? senderAccepted : askAboutSender(context);
    },
  },
  {
    names: ['RCPT'],
    modes: both,
    stage: 'mail',
    run: (context, args) => {
      const { address, parameters } = parsePathAndParameters(args, 'TO:');
      for (const [keyword, value] of parameters) {
        if (context.options.submission === undefined || !checkRecipientParameter(keyword, value))
          throw new SmtpRefusal(555, '5.5.4', `the parameter ${keyword} is not known`);
      }
      const transaction = context.transaction!;
      requireAscii(address, transaction.isSmtpUtf8);
      if (context.isInChunks) throw new SmtpRefusal(503, '5.5.1', 'the message has begun');
      // RFC 5321 §4.5.3.1.10: the rest in another transaction. No error of a client that has sent all of them at once: what was accepted goes on.
      const most = Math.min(recipientsMax, context.options.recipientsMax ?? recipientsMax);
      if (transaction.recipients.length >= most) return reply(452, '4.5.3', `at most ${most} recipients a message`);
      const answer = context.options.handler.recipient(address, transaction);
      const settle = (outcome: Awaited<typeof answer>): Reply => {
        if ('refuse' in outcome) return outcome.refuse;
        context.addRecipient(address, parameters, outcome.accept);
        return recipientAccepted;
      };
      return answer instanceof Promise ? answer.then(settle) : settle(answer);
    },
  },
];

/** RFC 6531 §3.5. */
function requireAscii(address: string, isSmtpUtf8: boolean): void {
  if (!isSmtpUtf8 && !isAsciiOnly(address)) throw new SmtpRefusal(553, '5.6.7', 'a non-ASCII address needs SMTPUTF8');
}
