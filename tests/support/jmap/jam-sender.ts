/** A user who sends by jmap-jam: writes a draft, submits it in the same request, files it in Sent, and looks what became of it. */
import { password, type RunningServer } from '../running-server.ts';
import { connectJam, type Jam } from './jam.ts';

export interface SentByJam {
  readonly submissionId: string;
  readonly emailId: string;
}

export interface DeliveryStatus {
  readonly smtpReply: string;
  readonly delivered: string;
}

export interface SubmissionSeen {
  readonly undoStatus: string;
  readonly threadId: string;
  readonly deliveryStatus: Readonly<Record<string, DeliveryStatus>>;
  readonly dsnBlobIds: readonly string[];
}

export class JamSender {
  readonly #jam: Jam;
  readonly #accountId: string;
  readonly #address: string;

  private constructor(jam: Jam, accountId: string, address: string) {
    this.#jam = jam;
    this.#accountId = accountId;
    this.#address = address;
  }

  static async connect(server: RunningServer, address = 'me@localhost'): Promise<JamSender> {
    const { host, port } = server.addressOf('http');
    const authorization = `Basic ${Buffer.from(`${address}:${password}`).toString('base64')}`;
    const jam = await connectJam(`http://${host}:${port}/.well-known/jmap`, authorization);
    return new JamSender(jam, await jam.getPrimaryAccount(), address);
  }

  /** `more`: of the EmailSubmission. */
  async send(
    message: { readonly subject: string; readonly to: readonly string[]; readonly from?: string },
    more: object = {},
  ): Promise<SentByJam> {
    const accountId = this.#accountId;
    const [{ list: mailboxes }] = await this.#jam.api['Mailbox']!['get']!({ accountId });
    const [{ list: identities }] = await this.#jam.api['Identity']!['get']!({ accountId });
    const mailbox = (role: string): string => mailboxes.find((each) => each.role === role).id;
    const from = message.from ?? this.#address;
    const identity = identities.find(({ email }) => email === from) ?? identities[0];
    const draft = {
      mailboxIds: { [mailbox('drafts')]: true },
      keywords: { $draft: true, $seen: true },
      from: [{ email: from }],
      to: message.to.map((email) => ({ email })),
      subject: message.subject,
      textBody: [{ partId: 'text', type: 'text/plain' }],
      bodyValues: { text: { value: 'Höre, Israel\n' } },
    };
    const toSent = { [`mailboxIds/${mailbox('drafts')}`]: null, [`mailboxIds/${mailbox('sent')}`]: true, 'keywords/$draft': null };
    const [answers] = await this.#jam.requestMany((t) => ({
      drafted: t['Email']!['set']!({ accountId, create: { draft } }),
      sent: t['EmailSubmission']!['set']!({
        accountId,
        create: { out: { emailId: '#draft', identityId: identity.id, ...more } },
        onSuccessUpdateEmail: { '#out': toSent },
      }),
    }));
    const emailId = answers['drafted']!.created['draft']!.id;
    // jmap-jam keeps the last answer of a call: the Email/set that follows from onSuccessUpdateEmail.
    const [{ ids }] = await this.#jam.api['EmailSubmission']!['query']!({ accountId, filter: { emailIds: [emailId] } });
    if (ids[0] === undefined) throw new Error(`It was not sent: ${JSON.stringify(answers)}`);
    return { submissionId: ids[0], emailId };
  }

  async look(id: string): Promise<SubmissionSeen> {
    const [{ list }] = await this.#jam.api['EmailSubmission']!['get']!({ accountId: this.#accountId, ids: [id] });
    return list[0];
  }

  async submissionIds(): Promise<readonly string[]> {
    await this.#jam.api['Identity']!['get']!({ accountId: this.#accountId });
    const [{ ids }] = await this.#jam.api['EmailSubmission']!['query']!({ accountId: this.#accountId });
    return ids;
  }

  async undo(id: string): Promise<unknown> {
    const update = { [id]: { undoStatus: 'canceled' } };
    const [answer] = await this.#jam.api['EmailSubmission']!['set']!({ accountId: this.#accountId, update });
    return answer;
  }
}
