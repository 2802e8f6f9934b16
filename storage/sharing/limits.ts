/** Bounds of sharing, with unit and reason. */

/** Accounts (and `anyone`) in the list of one mailbox: it is one object, read for every look at the mailbox. For more, share with anyone. */
export const aclIdentifiersMax = 500;
