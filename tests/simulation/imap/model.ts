/**
 * An account as simply as it can be said: what IMAP's commands do to mailboxes, messages and flags. Flags are the message's and shared by its copies;
 * `\Deleted` is the copy's own.
 */

export interface ModelEmail {
  flags: Set<string>;
}

export interface ModelMessage {
  readonly uid: number;
  readonly email: ModelEmail;
  deleted: boolean;
}

export class ModelMailbox {
  uidNext = 1;
  messages: ModelMessage[] = [];

  add(email: ModelEmail, deleted: boolean): void {
    this.messages.push({ uid: this.uidNext, email, deleted });
    this.uidNext += 1;
  }

  of(uids: readonly number[]): ModelMessage[] {
    return this.messages.filter(({ uid }) => uids.includes(uid));
  }

  remove(uids: readonly number[]): void {
    this.messages = this.messages.filter(({ uid }) => !uids.includes(uid));
  }
}

export type StoreSign = '' | '+' | '-';

export class ModelAccount {
  readonly mailboxes = new Map<string, ModelMailbox>();

  constructor(names: readonly string[]) {
    for (const name of names) this.mailboxes.set(name, new ModelMailbox());
  }

  mailbox(name: string): ModelMailbox {
    const mailbox = this.mailboxes.get(name);
    if (mailbox === undefined) throw new Error(`the model has no ${name}`);
    return mailbox;
  }

  append(name: string, flags: readonly string[]): void {
    this.mailbox(name).add({ flags: new Set(flags.filter((flag) => flag !== '\\Deleted')) }, flags.includes('\\Deleted'));
  }

  store(name: string, uids: readonly number[], sign: StoreSign, flags: readonly string[]): void {
    const own = flags.filter((flag) => flag !== '\\Deleted');
    for (const message of this.mailbox(name).of(uids)) {
      const { email } = message;
      if (sign === '') email.flags = new Set(own);
      else for (const flag of own) email.flags[sign === '+' ? 'add' : 'delete'](flag);
      if (sign === '') message.deleted = flags.includes('\\Deleted');
      else if (flags.includes('\\Deleted')) message.deleted = sign === '+';
    }
  }

  copy(from: string, uids: readonly number[], to: string): void {
    const target = this.mailbox(to);
    for (const { email, deleted } of this.mailbox(from).of(uids)) {
      const isThere = target.messages.some((message) => message.email === email);
      target.add(isThere ? { flags: new Set(email.flags) } : email, deleted);
    }
  }

  move(from: string, uids: readonly number[], to: string): void {
    this.copy(from, uids, to);
    this.mailbox(from).remove(uids);
  }

  expunge(name: string, among?: readonly number[]): void {
    const mailbox = this.mailbox(name);
    mailbox.remove(
      mailbox.messages.filter(({ uid, deleted }) => deleted && (among === undefined || among.includes(uid))).map(({ uid }) => uid),
    );
  }
}

/** UIDs and flags, in the order of UIDs: equal for equal mailboxes. */
export function shown(messages: Iterable<readonly [uid: number, flags: readonly string[]]>): string {
  return [...messages]
    .sort(([a], [b]) => a - b)
    .map(
      ([uid, flags]) =>
        `${uid}(${flags
          .filter((flag) => flag !== '\\Recent')
          .sort()
          .join(' ')})`,
    )
    .join(' ');
}

export function shownModel({ messages }: ModelMailbox): string {
  return shown(messages.map(({ uid, email, deleted }) => [uid, [...email.flags, ...(deleted ? ['\\Deleted'] : [])]] as const));
}
