/**
 * What a client hears of beside its selected mailbox (RFC 5465): of its own account, and, once it has asked by NOTIFY, of those that share something with
 * it. Who begins to share is found by the notification that comes into the client's own account with it; what is given to anyone by a word of this
 * node; and both at each NOTIFY.
 */
import type { NotifyGroup } from '../../protocol/imap/commands/notify.ts';
import { isOfSelected, isPersonal } from '../../protocol/imap/mailbox-filter.ts';
import { anyone } from '../../protocol/mail/acl.ts';
import type { AccountId, ModSeq } from '../../protocol/mail/ids.ts';
import { shareNotificationType } from '../../protocol/mail/share-notification.ts';
import type { Account } from '../../storage/account/api.ts';
import { sharedNames } from './locate.ts';
import { AccountNews } from './news.ts';
import type { Session } from './session.ts';

export class ReachNews implements Disposable {
  readonly #session: Session;
  readonly #onNews: () => void;
  readonly #own: AccountNews;
  readonly #others = new Map<AccountId, AccountNews>();
  readonly #watches: readonly Disposable[];
  #groups: readonly NotifyGroup[] = [];
  #looking: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(session: Session, onNews: () => void) {
    this.#session = session;
    this.#onNews = onNews;
    this.#own = new AccountNews(session, session.account, onNews);
    const own = session.account.watch((effects) => {
      if (this.#reachesOthers && effects.some(({ objects }) => objects.some(({ type }) => type === shareNotificationType)))
        void this.#look(true);
    });
    const shares = session.services.shares.watch(({ before, after }) => {
      if (this.#reachesOthers && before.get(anyone)?.letters !== after.get(anyone)?.letters) void this.#look(true);
    });
    this.#watches = [own, shares];
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const watch of this.#watches) watch[Symbol.dispose]();
    this.#own[Symbol.dispose]();
    for (const news of this.#others.values()) news[Symbol.dispose]();
  }

  set wantsMetadata(wants: boolean) {
    this.#own.wantsMetadata = wants;
  }

  /** RFC 5465 §3.1: replaces what was asked for. Resolves when the others' accounts are open; at once where there are none. */
  set(groups: readonly NotifyGroup[]): Promise<void> | undefined {
    this.#groups = groups;
    this.#own.set(groups);
    for (const news of this.#others.values()) news.set(groups);
    const { services, account } = this.#session;
    return this.#reachesOthers && services.shares.owners(account.id).length > 0 ? this.#look(false) : undefined;
  }

  get #reachesOthers(): boolean {
    return this.#groups.some(({ filter }) => !isOfSelected(filter) && !isPersonal(filter));
  }

  /** One look after the other. `isNews`: what is found by it is told as new. Never rejects. */
  #look(isNews: boolean): Promise<void> {
    this.#looking = this.#looking
      .then(() => this.#findOthers(isNews))
      .catch((error: unknown) => this.#session.logger.error('shared mailboxes cannot be watched', { error }));
    return this.#looking;
  }

  async #findOthers(isNews: boolean): Promise<void> {
    const { services, account: own } = this.#session;
    const shared = await services.shares.openAll(own.id);
    if (this.#isOver) return;
    for (const { owner, account } of shared) {
      if (this.#others.has(owner.id)) continue;
      const list = (reader: Parameters<typeof sharedNames>[2]) => sharedNames(owner.address, account, reader);
      const news = new AccountNews(this.#session, account, this.#onNews, list);
      news.set(this.#groups, isNews);
      this.#others.set(owner.id, news);
    }
    if (isNews) this.#onNews();
  }

  /** RFC 5465 §5: the client need not hear of what it did. */
  noteOwn(account: Account, modSeq: ModSeq): void {
    if (account === this.#session.account) this.#own.noteOwn(modSeq);
    else this.#others.get(account.id)?.noteOwn(modSeq);
  }

  tell(): void {
    this.#own.tell();
    for (const news of this.#others.values()) news.tell();
  }

  tellStatus(): void {
    this.#own.tellStatus();
    for (const news of this.#others.values()) news.tellStatus();
  }
}
