/** Reports to senders: uploaded first, then put into the outbox in the commit that they tell of. So none is lost, and none is sent twice. */
import type { Account, AccountTransactor, Upload } from '../../storage/account/api.ts';
import type { Clock } from '../../storage/clock.ts';
import { enqueue } from '../../storage/outbox/outbox.ts';
import type { SubmissionRecord } from '../../storage/outbox/record.ts';
import type { Random } from '../../storage/random.ts';
import { deliveryReport, type ReportAction, type ReportedRecipient } from './delivery-report.ts';

export interface ReportPorts {
  readonly clock: Clock;
  readonly random: Random;
  /** What we call ourselves. */
  readonly hostName: string;
  /** Domain that reports are from. */
  readonly reportDomain: string;
}

export interface PreparedReport {
  readonly upload: Upload;
  readonly id: string;
  readonly messageId: string;
  readonly to: string;
  readonly action: ReportAction;
}

/** One report for each action: what was delivered and what was not have different subjects. */
export async function prepareReports(
  { clock, random, hostName, reportDomain }: ReportPorts,
  account: Account,
  record: SubmissionRecord,
  recipients: readonly ReportedRecipient[],
): Promise<readonly PreparedReport[]> {
  const to = record.envelope.mailFrom.email;
  // RFC 5321 §4.5.5: the null path is never answered.
  if (to === '') return [];
  const groups = [...Map.groupBy(recipients, ({ action }) => action).entries()];
  return Promise.all(
    groups.map(async ([action, group]) => {
      const token = random.hex(12);
      const facts = { hostName, domain: reportDomain, token, now: clock.now() };
      const upload = await account.upload(deliveryReport(record, group, await account.blobBytes(record.blob), facts));
      return { upload, id: `s${token}`, messageId: `${token}.report@${reportDomain}`, to, action };
    }),
  );
}

export function enqueueReports(tx: AccountTransactor, reports: readonly PreparedReport[]): void {
  for (const { upload, id, messageId, to } of reports) {
    const envelope = { mailFrom: { email: '', parameters: null }, rcptTo: [{ email: to, parameters: null }] };
    enqueue(tx, { id, origin: 'bounce', blob: upload.ref, messageId, envelope });
  }
}
