/** Subscribed names without a mailbox (RFC 3501 §6.3.6): objects of the account's log, by name; the value says nothing more. docs/FORMAT.md. */
export const subscriptionType = 'subscription';
