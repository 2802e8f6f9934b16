/** `suppression`: addresses that nothing is sent to any more. */
import Type from 'typebox';
import { MailError } from '../../protocol/mail/errors.ts';
import { serviceOutboxId } from '../../storage/outbox/outbox.ts';
import { suppressByHand, suppressions, unsuppress } from '../../storage/outbox/suppression.ts';
import type { AdminServices } from './services.ts';
import { defineVerb, formatTable, parameters, type Verb } from './verb.ts';

/** `suppression list` says that there are more. */
const listedMax = 10_000;

const Address = Type.String({ minLength: 3, maxLength: 320, description: 'a mail address' });

const serviceAccount = ({ mail }: AdminServices) => mail.accounts.open(serviceOutboxId);

export const suppressionVerbs: readonly Verb[] = [
  defineVerb({
    name: 'suppression list',
    summary: 'List addresses that nothing is sent to, and why.',
    method: 'GET',
    path: '/suppression',
    parameters: parameters({}),
    positional: [],
    run: async (services) =>
      (await serviceAccount(services)).read((reader) => {
        const found: { address: string; reason: string; since: string; detail: string }[] = [];
        for (const { address, reason, at, detail } of suppressions(reader)) {
          if (found.length >= listedMax) return { addresses: found, hasMore: true };
          found.push({ address, reason, since: new Date(at).toISOString(), detail });
        }
        return { addresses: found, hasMore: false };
      }),
    print: ({ addresses, hasMore }) => {
      const rows = addresses.map(({ address, reason, since, detail }) => [address, reason, since, detail]);
      return rows.length === 0 ? '' : `${formatTable(['ADDRESS', 'REASON', 'SINCE', 'WHAT WAS SAID'], rows)}${hasMore ? '\nand more' : ''}`;
    },
  }),
  defineVerb({
    name: 'suppression add',
    summary: 'Send nothing to an address any more.',
    method: 'PUT',
    path: '/suppression/:address',
    parameters: parameters({
      address: Address,
      detail: Type.Optional(Type.String({ maxLength: 500, description: 'why, for whoever asks later' })),
    }),
    positional: ['address'],
    run: async (services, { address, detail = 'by an administrator' }) => {
      const isAdded = await (await serviceAccount(services)).transact((tx) => suppressByHand(tx, address, detail));
      if (!isAdded) throw new MailError('alreadyExists', `${address} is on the list already.`);
      return { address };
    },
    print: ({ address }) => `Nothing is sent to ${address} any more.`,
  }),
  defineVerb({
    name: 'suppression remove',
    summary: 'Send to an address again. Where the relay is SES, its own list forgets the address too.',
    method: 'DELETE',
    path: '/suppression/:address',
    parameters: parameters({ address: Address }),
    positional: ['address'],
    run: async (services, { address }) => {
      const isRemoved = await (await serviceAccount(services)).transact((tx) => unsuppress(tx, address));
      const isRemovedAtRelay = (await services.unsuppressAtRelay?.(address)) ?? false;
      if (!isRemoved && !isRemovedAtRelay) throw new MailError('notFound', `${address} is not on the list.`);
      return { address, isRemoved, isRemovedAtRelay };
    },
    print: ({ address, isRemovedAtRelay }) => `${address} is sent to again.${isRemovedAtRelay ? " It was on the relay's list too." : ''}`,
  }),
];
