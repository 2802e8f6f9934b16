/** `satchel outbox list --failed` over more failures than it shows. */
import { expect, test } from 'vitest';
import { outboxVerbs } from '../../../server/admin/outbox-verbs.ts';
import type { AdminServices } from '../../../server/admin/services.ts';
import { type SubmissionRecord, submissionType } from '../../../storage/outbox/record.ts';
import { SharingRig } from '../sharing/rig.ts';

const failed = (createdAt: number): SubmissionRecord => ({
  origin: 'jmap',
  identityId: null,
  email: null,
  thread: null,
  blob: { object: `raw/${'a'.repeat(64)}-00112233`, offset: 0, length: 1, sha256: 'a'.repeat(64) },
  messageId: '',
  envelope: { mailFrom: { email: 'ann@example.com', parameters: null }, rcptTo: [{ email: 'zoe@elsewhere.example', parameters: null }] },
  createdAt,
  sendAt: createdAt,
  undoStatus: 'final',
  recipients: [{ state: 'failed', attempts: 1, nextAt: createdAt, smtpReply: '550 No', delivered: 'no', displayed: 'unknown' }],
  expiresAt: createdAt,
  dsnBlobs: [],
  mdnBlobs: [],
});

test('the newest thousand are listed, those of one moment in the order of their accounts and ids', async () => {
  await using rig = await SharingRig.open();
  const services = { directory: rig.directory, mail: { accounts: rig.node.accounts } } as unknown as AdminServices;
  const put = (account: typeof rig.ann, prefix: string, count: number, timeOf: (number: number) => number) =>
    account.transact((tx) => {
      for (let number = 0; number < count; number++)
        tx.putObject(submissionType, `${prefix}${String(number).padStart(4, '0')}`, failed(timeOf(number)));
    });
  await put(rig.ann, 'old', 2100, (number) => number);
  await put(rig.ann, 'same', 3, () => 5000);
  await put(rig.bob, 'same', 2, () => 5000);
  const list = outboxVerbs.find(({ name }) => name === 'outbox list')!;
  const { submissions, hasMore } = (await list.run(services, { failed: true })) as { submissions: { id: string }[]; hasMore: boolean };
  expect(hasMore).toBe(true);
  expect(submissions.slice(0, 7).map(({ id }) => id)).toEqual([
    'same0000',
    'same0001',
    'same0002',
    'same0000',
    'same0001',
    'old2099',
    'old2098',
  ]);
  expect([submissions.length, submissions.at(-1)!.id]).toEqual([1000, 'old1105']);
});
