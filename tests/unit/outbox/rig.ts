/** A dispatcher over real accounts, a bucket in memory and a relay that does as it is told. */
import type { Answer, AnswerJournal } from '../../../indexer/outbox/answers.ts';
import { Dispatcher, type DispatcherPorts } from '../../../indexer/outbox/dispatcher.ts';
import { DomainStanding } from '../../../indexer/outbox/domain-standing.ts';
import { OutboxMarks } from '../../../indexer/outbox/marks.ts';
import type { OutboxEvent } from '../../../indexer/outbox/outbox-events.ts';
import type { HandoverResult, Relay, RelayMessage } from '../../../indexer/outbox/relay.ts';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import type { Account } from '../../../storage/account/api.ts';
import { enqueue, type NewSubmission, submission } from '../../../storage/outbox/outbox.ts';
import type { EnvelopeAddress } from '../../../storage/outbox/record.ts';
import { countingRandom, openProvisioned, openTestBucket, rawMessage, type TestBucket } from '../../support/open-accounts.ts';
import { ada, openRig, TestRecipients } from '../indexer/rig.ts';

export const to = (email: string, parameters: EnvelopeAddress['parameters'] = null): EnvelopeAddress => ({ email, parameters });

export class TestRelay implements Relay {
  recipientsMax = 50;
  readonly sent: RelayMessage[] = [];
  /** What is answered for an address; default: taken. */
  answer: (address: string, attempt: number) => HandoverResult | Promise<HandoverResult> = () => ({
    kind: 'relayed',
    smtpReply: '250 2.0.0 Ok',
  });
  readonly #attempts = new Map<string, number>();

  async send(message: RelayMessage): Promise<readonly HandoverResult[]> {
    this.sent.push(message);
    return Promise.all(
      message.rcptTo.map(({ email }) => {
        const attempt = (this.#attempts.get(email) ?? 0) + 1;
        this.#attempts.set(email, attempt);
        return this.answer(email, attempt);
      }),
    );
  }
}

/** A journal of relays' answers that outlives the dispatcher, as a disk does. */
export class TestAnswers implements AnswerJournal {
  readonly noted = new Set<Answer>();
  note(answer: Answer): void {
    this.noted.add(answer);
  }
  forget(answer: Answer): void {
    this.noted.delete(answer);
  }
  leftBehind(account: AccountId, id: string): readonly Answer[] {
    return [...this.noted].filter((answer) => answer.account === account && answer.submission === id);
  }
}

export async function openOutbox(
  options: { readonly bucket?: TestBucket; readonly node?: string; readonly relay?: TestRelay; readonly answers?: TestAnswers } = {},
) {
  const bucket = options.bucket ?? openTestBucket();
  const relay = options.relay ?? new TestRelay();
  const recipients = new TestRecipients();
  const rig = await openRig({ bucket, recipients });
  const events: OutboxEvent[] = [];
  const isLocalDomain = (address: string) => address.endsWith('@example.com');
  const standing = new DomainStanding({ accounts: rig.node.accounts, directory: { isLocalDomain } });
  const ports: DispatcherPorts = {
    accounts: rig.node.accounts,
    answers: options.answers ?? new TestAnswers(),
    standing,
    marks: new OutboxMarks(bucket.store, bucket.clock),
    clock: bucket.clock,
    random: countingRandom(9),
    node: options.node ?? 'n1',
    reportDomain: 'example.com',
    hostName: 'mx.example.com',
    catchUp: rig.node.accounts.catchUp,
    pipeline: rig.pipeline,
    directory: {
      resolveRecipient: (address) => recipients.resolveRecipient(address),
      isLocalDomain,
    },
    relay,
    observe: (event) => events.push(event),
  };
  const dispatcher = new Dispatcher(ports);
  let ids = 0;
  return {
    ...rig,
    bucket,
    relay,
    events,
    dispatcher,
    standing,
    ports,
    /** Opens an account and gives it to the dispatcher. */
    async open(id: AccountId = ada): Promise<Account> {
      const account = await openProvisioned(rig.node, id);
      dispatcher.attach(account);
      return account;
    },
    async send(account: Account, rcptTo: readonly EnvelopeAddress[], more: Partial<NewSubmission> = {}, raw?: Buffer): Promise<string> {
      const id = more.id ?? `${options.node ?? 's'}${(ids += 1)}`;
      const messageId = `${id}@example.com`;
      const bytes = raw ?? rawMessage({ From: 'ada@example.com', 'Message-ID': `<${messageId}>`, Subject: 'Boats' });
      const upload = await account.upload(bytes);
      const envelope = { mailFrom: to('ada@example.com'), rcptTo };
      await account.transact((tx) => enqueue(tx, { id, origin: 'smtp', blob: upload.ref, messageId, envelope, ...more }), {
        uploads: [upload],
      });
      return id;
    },
    record: (account: Account, id: string) => account.read((reader) => submission(reader, id)),
  };
}
