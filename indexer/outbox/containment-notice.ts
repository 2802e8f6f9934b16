/** The notice that somebody is restrained in sending, for the user and the postmaster. Pure. */
import type { Containment } from '../../storage/outbox/history.ts';
import { mailDate } from './delivery-report.ts';

const containmentSentences: Readonly<Record<Containment['step'], string>> = {
  warned: 'What it sends comes back more often than it should. If that goes on, its sending is slowed down, and then stopped.',
  slowed: 'What it sends comes back too often: from now on its messages leave for other servers one by one, with a pause between.',
  stopped: 'What it sends comes back too often: nothing of it goes to other servers any more until an administrator releases it.',
};

/** `who`: the address of an account, or a domain. */
export function containmentNotice(
  who: string,
  to: readonly string[],
  { step, reason }: Containment,
  { token, domain, now }: { readonly token: string; readonly domain: string; readonly now: number },
): Buffer {
  const lines = [
    `From: Mail Delivery System <mailer-daemon@${domain}>`,
    `To: ${to.map((address) => `<${address}>`).join(', ')}`,
    `Date: ${mailDate(now)}`,
    `Message-ID: <${token}.notice@${domain}>`,
    `Subject: Sending of ${who} is ${step}`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    `${who}: ${containmentSentences[step]}`,
    '',
    `What led to it: ${reason}.`,
    'An account that sends what its owner does not know of may be in the hands of somebody else: change its password.',
    '',
  ];
  return Buffer.from(lines.join('\r\n'));
}
