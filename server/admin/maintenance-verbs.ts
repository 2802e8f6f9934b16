/** Verbs that look after what is stored: verify and rebuild. */
import Type from 'typebox';
import { MailError } from '../../protocol/mail/errors.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import { directoryAccountId } from '../../storage/objects/object-keys.ts';
import type { AdminServices, Verified } from './services.ts';
import { defineVerb, parameters } from './verb.ts';

const Address = Type.String({ minLength: 3, maxLength: 320, description: 'an address, such as ada@example.com' });

interface VerifiedAccount extends Verified {
  readonly address: string;
  readonly id: string;
}

export const maintenanceVerbs = [
  defineVerb({
    name: 'verify',
    summary: 'Check log, snapshots, messages and index against the bucket: of one account, or of all and the directory.',
    method: 'POST',
    path: '/verify',
    parameters: parameters({
      address: Type.Optional(Address),
      deep: Type.Optional(Type.Boolean({ description: 'also read every message and check its hash' })),
    }),
    positional: ['address'],
    run: async (services, { address, deep = false }) => {
      const accounts: VerifiedAccount[] = [];
      for (const target of await targets(services, address)) {
        accounts.push({ ...target, ...(await services.maintenance.verify(target.id, { isDeep: deep })) });
      }
      return { accounts, isWhole: accounts.every((account) => !account.findings.some(({ severity }) => severity === 'error')) };
    },
    print: ({ accounts }) => accounts.map(formatVerified).join('\n'),
    isFault: ({ isWhole }) => !isWhole,
  }),
  defineVerb({
    name: 'rebuild',
    summary: "Throw an account's local index away and rebuild it from the bucket.",
    method: 'POST',
    path: '/rebuild',
    parameters: parameters({ address: Address }),
    positional: ['address'],
    run: async (services, { address }) => {
      const [target] = await targets(services, address);
      return { ...target!, ...(await services.maintenance.rebuild(target!.id)) };
    },
    print: ({ address, messages, mailboxes, durationMs }) =>
      `Rebuilt the index of ${address}: ${messages} messages in ${mailboxes} mailboxes, in ${(durationMs / 1000).toFixed(1)} s.`,
  }),
];

/** The account of `address`; without one the directory and every account. */
async function targets(
  { directory }: AdminServices,
  address: string | undefined,
): Promise<readonly { readonly address: string; readonly id: AccountId }[]> {
  await directory.refresh();
  if (address === undefined) {
    const accounts = directory.listAccounts().map(({ id, address }) => ({ id, address }));
    return [{ id: directoryAccountId as AccountId, address: 'directory' }, ...accounts];
  }
  if (address === 'directory') return [{ id: directoryAccountId as AccountId, address }];
  const account = directory.accountByAddress(address);
  if (account === undefined) {
    throw new MailError('notFound', `There is no account ${address}. \`satchel account list\` shows those that there are.`);
  }
  return [{ id: account.id, address: account.address }];
}

const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;

function formatVerified({ address, findings, findingsOmitted, summary }: VerifiedAccount): string {
  const { commits, manifests, parts, blobs, tail } = summary;
  const errors = findings.filter(({ severity }) => severity === 'error').length + findingsOmitted;
  const head = `${address}: ${errors === 0 ? 'whole' : `${errors} ${errors === 1 ? 'fault' : 'faults'}`} at commit ${tail} (${counted(commits, 'commit')}, ${counted(manifests, 'snapshot')}, ${counted(parts, 'part')}, ${counted(blobs, 'message')})`;
  const lines = findings.map(
    ({ severity, kind, key, sentence }) => `  ${severity === 'error' ? 'fault' : 'note '} ${kind} ${key}: ${sentence}`,
  );
  return [head, ...lines, ...(findingsOmitted > 0 ? [`  and ${findingsOmitted} more`] : [])].join('\n');
}
