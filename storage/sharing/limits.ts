/** Bounds of sharing, with unit and reason. */

/** Accounts (and `anyone`) in the list of one mailbox: it is one object, read for every look at the mailbox. For more, share with anyone. */
export const aclIdentifiersMax = 500;
/** Owners' accounts that one look opens at the same time: each may have to be brought back from the store. */
export const openedTogetherMax = 16;
/** Share notifications that an account keeps: as many as somebody might still look through. The oldest go. */
export const shareNotificationsMax = 500;
/** Milliseconds that knowledge of the directory may be old when somebody is said to be unknown: whoever asks for many names asks the store once. */
export const unknownNameAgeMsMax = 1_000;
