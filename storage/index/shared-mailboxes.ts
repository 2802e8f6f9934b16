/** Mailboxes that are or were shared, as a mutation finds them: of these, effects say what those with whom they are shared are told from. */
import { mailboxAclId, mailboxAclType } from '../../protocol/mail/acl.ts';
import type { MailboxNumber } from '../../protocol/mail/ids.ts';
import type { EffectBuilder } from './effect-builder.ts';
import { objectKey, objectPrefix } from './keyspace.ts';
import type { View } from './view.ts';

export class SharedMailboxes {
  private readonly view: View;
  private readonly effects: EffectBuilder;
  private readonly known = new Map<number, boolean>();

  constructor(view: View, effects: EffectBuilder) {
    this.view = view;
    this.effects = effects;
  }

  /** An ACL stays, empty if need be, for as long as its mailbox does, and goes in the same mutation. */
  has(mailbox: number): boolean {
    const known = this.known.get(mailbox);
    if (known !== undefined) return known;
    const id = mailboxAclId(mailbox as MailboxNumber);
    const hasAcl = this.view.object(objectPrefix(mailboxAclType), objectKey(mailboxAclType, id)) !== undefined;
    const isShared = hasAcl || this.effects.hasObject(mailboxAclType, id);
    this.known.set(mailbox, isShared);
    return isShared;
  }
}
