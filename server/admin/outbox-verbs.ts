/** Verbs on mail out: `outbox` (what waits, and why), who may send (`outbox reputation`, `outbox release`). */
import { setImmediate } from 'node:timers/promises';
import Type from 'typebox';
import { MailError } from '../../protocol/mail/errors.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Account, AccountReader } from '../../storage/account/api.ts';
import { canonicalDomain, parseAddress } from '../../storage/directory/address.ts';
import { domainHistories, ofDomain, ratesOf, releaseSending, type SendingHistory, sendingHistory } from '../../storage/outbox/history.ts';
import { cancel, retryNow, serviceOutboxId, submission, unfinishedSubmissions } from '../../storage/outbox/outbox.ts';
import { type SubmissionRecord, submissionType } from '../../storage/outbox/record.ts';
import { failedSlice } from './limits.ts';
import type { AdminServices } from './services.ts';
import { defineVerb, formatTable, parameters, type Verb } from './verb.ts';

/** `outbox list` says that there are more. */
const listedMax = 1_000;

const AccountName = Type.String({
  minLength: 1,
  maxLength: 320,
  description: "the account's address, or `outbox` for mail that no account owns",
});
const Id = Type.String({ minLength: 1, maxLength: 255, description: 'its id, as `outbox list` shows it' });

async function accountNamed({ directory, mail }: AdminServices, name: string): Promise<Account> {
  await directory.refresh();
  const id = name === serviceOutboxId ? serviceOutboxId : directory.accountByAddress(name)?.id;
  if (id === undefined) throw new MailError('notFound', `There is no account ${name}.`);
  return mail.accounts.open(id);
}

/** Every account, and the one of mail that nobody owns. */
async function* everyAccount({ directory, mail }: AdminServices): AsyncGenerator<readonly [address: string, account: Account]> {
  await directory.refresh();
  for (const { id, address } of directory.listAccounts()) yield [address, await mail.accounts.open(id as AccountId)];
  yield [serviceOutboxId, await mail.accounts.open(serviceOutboxId)];
}

function describe(account: string, id: string, record: SubmissionRecord) {
  const { origin, envelope, messageId, createdAt, sendAt, undoStatus, recipients } = record;
  const waiting = recipients.filter(isWaiting);
  return {
    account,
    id,
    state: undoStatus,
    origin,
    from: envelope.mailFrom.email,
    messageId,
    createdAt: new Date(createdAt).toISOString(),
    nextAt: waiting.length === 0 ? null : new Date(Math.max(sendAt, Math.min(...waiting.map(({ nextAt }) => nextAt)))).toISOString(),
    recipients: recipients.map(({ state, attempts, smtpReply, relayId }, index) => ({
      address: envelope.rcptTo[index]!.email,
      state,
      attempts,
      smtpReply,
      ...(relayId === undefined ? {} : { relayId }),
    })),
  };
}

type Described = ReturnType<typeof describe>;

/** Those that were given up for a recipient and are still kept: beside those that are finished, some are still on their way to others. */
async function* failedSubmissions(account: Account): AsyncGenerator<readonly [id: string, record: SubmissionRecord]> {
  const all = (reader: AccountReader) => [...reader.listed(submissionType, 'unfinished'), ...reader.listed(submissionType, 'finished')];
  const ids = account.read(all);
  for (let at = 0; at < ids.length; at += failedSlice) {
    const records = account.read((reader) => ids.slice(at, at + failedSlice).map((id) => [id, submission(reader, id)] as const));
    for (const [id, record] of records) {
      if (record !== undefined && record.undoStatus !== 'canceled' && record.recipients.some(isFailed)) yield [id, record];
    }
    await setImmediate();
  }
}

const isWaiting = ({ state }: { readonly state: string }) => state === 'queued' || state === 'claimed';
const isFailed = ({ state }: { readonly state: string }) => state === 'failed';
const newestFirst = (a: Described, b: Described) => (a.createdAt === b.createdAt ? 0 : a.createdAt < b.createdAt ? 1 : -1);

export const outboxVerbs: readonly Verb[] = [
  defineVerb({
    name: 'outbox list',
    summary: 'List mail on its way out: what waits, and what was said to it last; or what failed.',
    method: 'GET',
    path: '/outbox',
    parameters: parameters({
      account: Type.Optional(AccountName),
      failed: Type.Optional(Type.Boolean({ description: 'what failed for good within thirty days, the newest first' })),
    }),
    positional: ['account'],
    run: async (services, { account: name, failed = false }) => {
      const found: Described[] = [];
      let hasMore = false;
      const cut = () => {
        if (failed) found.sort(newestFirst);
        hasMore ||= found.length > listedMax;
        found.splice(listedMax);
      };
      const accounts = name === undefined ? everyAccount(services) : [[name, await accountNamed(services, name)] as const];
      for await (const [address, account] of accounts) {
        if (failed) {
          for await (const [id, record] of failedSubmissions(account)) {
            found.push(describe(address, id, record));
            if (found.length >= 2 * listedMax) cut();
          }
        } else {
          account.read((reader) => {
            for (const { id, value } of unfinishedSubmissions(reader)) found.push(describe(address, id, value));
          });
        }
        cut();
        if (hasMore && !failed) break;
      }
      return { submissions: found, hasMore, ...(failed ? { failed } : {}) };
    },
    print: ({ submissions: found, hasMore, failed = false }) => {
      if (found.length === 0) return '';
      const head = ['ACCOUNT', 'ID', ...(failed ? ['CREATED', 'ORIGIN'] : ['NEXT']), 'RECIPIENT', 'ATTEMPTS', 'LAST REPLY'];
      const rows = found.flatMap(({ account, id, createdAt, origin, nextAt, recipients }) => {
        const times = failed ? [createdAt, origin] : [nextAt ?? '-'];
        const shown = recipients.filter(failed ? isFailed : isWaiting);
        return shown.map(({ address, attempts, smtpReply }) => [account, id, ...times, address, attempts, smtpReply]);
      });
      return `${formatTable(head, rows)}${hasMore ? '\nand more' : ''}`;
    },
  }),
  defineVerb({
    name: 'outbox show',
    summary: 'Show a message on its way out, or that has left within thirty days, recipient by recipient.',
    method: 'GET',
    path: '/outbox/:account/:id',
    parameters: parameters({ account: AccountName, id: Id }),
    positional: ['account', 'id'],
    run: async (services, { account: name, id }) => {
      const record = (await accountNamed(services, name)).read((reader) => submission(reader, id));
      if (record === undefined) throw new MailError('notFound', `${name} has no submission ${id}.`);
      return describe(name, id, record);
    },
    print: ({ from, messageId, createdAt, state, origin, recipients }) =>
      [
        `${state}, from ${from || '<>'} (${origin}), ${createdAt}, <${messageId}>`,
        ...recipients.map(({ address, state: where, attempts, smtpReply }) => `  ${address}: ${where} after ${attempts}, ${smtpReply}`),
      ].join('\n'),
  }),
  defineVerb({
    name: 'outbox cancel',
    summary: 'Take a message back that has not begun to leave.',
    method: 'DELETE',
    path: '/outbox/:account/:id',
    parameters: parameters({ account: AccountName, id: Id }),
    positional: ['account', 'id'],
    run: async (services, { account: name, id }) => {
      const account = await accountNamed(services, name);
      const isCanceled = await account.transact((tx) => {
        if (submission(tx, id) === undefined) throw new MailError('notFound', `${name} has no submission ${id}.`);
        return cancel(tx, id);
      });
      if (!isCanceled) throw new MailError('forbidden', `${id} has begun to leave: it cannot be taken back.`);
      return { account: name, id };
    },
    print: ({ id }) => `Took ${id} back.`,
  }),
  defineVerb({
    name: 'outbox reputation',
    summary: 'What came back of the mail that accounts and domains sent in seven days, and who is warned, slowed or stopped.',
    method: 'GET',
    path: '/outbox-reputation',
    parameters: parameters({}),
    positional: [],
    run: async (services) => {
      const now = services.mail.clock.now();
      const accounts: ({ readonly address: string } & Standing)[] = [];
      for await (const [address, account] of everyAccount(services)) {
        const standing = standingOf(account.read(sendingHistory), now);
        if (standing !== undefined) accounts.push({ address, ...standing });
      }
      const service = await services.mail.accounts.open(serviceOutboxId);
      const histories = service.read((reader) => [...domainHistories(reader)]);
      const domains = histories.flatMap(({ domain, history }) => {
        const standing = standingOf(history, now);
        return standing === undefined ? [] : [{ domain, ...standing }];
      });
      return { accounts, domains };
    },
    print: ({ accounts, domains }) => {
      const rows = [...accounts, ...domains.map(({ domain: address, ...standing }) => ({ address, ...standing }))];
      if (rows.length === 0) return '';
      const cells = rows.map(({ address, step, relayed, bounced, complained, rejected }) => [
        address,
        step,
        relayed,
        bounced,
        complained,
        rejected,
      ]);
      return formatTable(['ACCOUNT OR DOMAIN', 'STEP', 'SENT', 'BOUNCED', 'COMPLAINED', 'REJECTED'], cells);
    },
  }),
  defineVerb({
    name: 'outbox release',
    summary: 'Let an account or a domain send again that was slowed or stopped. What came back until now counts no more.',
    method: 'POST',
    path: '/outbox-release/:account',
    parameters: parameters({
      account: Type.String({ minLength: 1, maxLength: 320, description: "the account's address, a domain, or `outbox`" }),
    }),
    positional: ['account'],
    run: async (services, { account: name }) => {
      const isDomain = !name.includes('@') && name !== serviceOutboxId;
      await (isDomain ? releaseDomain(services, name) : releaseAccount(services, name));
      return { account: name };
    },
    print: ({ account }) => `${account} may send again.`,
  }),
];

interface Standing {
  readonly step: string;
  readonly reason: string;
  readonly relayed: number;
  readonly bounced: number;
  readonly complained: number;
  readonly rejected: number;
}

/** Undefined where nothing was sent and nobody is restrained. */
function standingOf(history: SendingHistory, now: number): Standing | undefined {
  const { relayed, bounced, complained, rejected } = ratesOf(history, now);
  if (relayed + bounced + complained + rejected === 0 && history.containment === null) return undefined;
  const { step = '-', reason = '' } = history.containment ?? {};
  return { step, reason, relayed, bounced, complained, rejected };
}

async function releaseAccount(services: AdminServices, name: string): Promise<void> {
  const account = await accountNamed(services, name);
  const isReleased = await account.transact((tx) => {
    if (!releaseSending(tx)) return false;
    retryNow(tx);
    return true;
  });
  if (!isReleased) throw notRestrained(name);
}

/** What waits for it in the outboxes of its accounts is tried now. */
async function releaseDomain(services: AdminServices, name: string): Promise<void> {
  const domain = canonicalDomain(name);
  const service = await services.mail.accounts.open(serviceOutboxId);
  if (domain === undefined || !(await service.transact((tx) => releaseSending(tx, ofDomain(domain))))) throw notRestrained(name);
  for await (const [, account] of everyAccount(services)) {
    const isOfDomain = ({ envelope }: SubmissionRecord) => parseAddress(envelope.mailFrom.email)?.domain === domain;
    const waits = account.read((reader) => [...unfinishedSubmissions(reader)].some(({ value }) => isOfDomain(value)));
    if (waits) await account.transact((tx) => retryNow(tx, isOfDomain));
  }
}

const notRestrained = (name: string) => new MailError('notFound', `${name} is neither warned nor slowed nor stopped.`);
