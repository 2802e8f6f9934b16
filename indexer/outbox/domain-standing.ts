/**
 * What the domains of this server have sent and what came of it, in the log of the account `outbox`: beside each account's own history, since receivers judge
 * domains. What comes back is counted when it does, once by its key; what leaves is gathered and written down now and then, so that it costs no commit a
 * message: a crash forgets some minutes of it, and rates are then a little higher than they should be.
 */
import type { Accounts } from '../../storage/account/api.ts';
import { parseAddress } from '../../storage/directory/address.ts';
import { type Containment, countSending, type DayCounts, ofDomain } from '../../storage/outbox/history.ts';
import { serviceOutboxId } from '../../storage/outbox/outbox.ts';

export interface DomainStandingPorts {
  readonly accounts: Accounts;
  readonly directory: { isLocalDomain(address: string): boolean };
}

export class DomainStanding {
  readonly #ports: DomainStandingPorts;
  /** Copies that left and are not written down yet, by domain: one entry for each domain of this server at most. */
  readonly #relayed = new Map<string, number>();

  constructor(ports: DomainStandingPorts) {
    this.#ports = ports;
  }

  /** Copies from a sender have left. */
  noteRelayed(sender: string, copies: number): void {
    const domain = this.#domainOf(sender);
    if (domain !== undefined) this.#relayed.set(domain, (this.#relayed.get(domain) ?? 0) + copies);
  }

  /** Writes down what was noted. */
  async flush(): Promise<void> {
    const noted = [...this.#relayed];
    if (noted.length === 0) return;
    const service = await this.#ports.accounts.open(serviceOutboxId);
    this.#relayed.clear();
    try {
      await service.transact((tx) => {
        for (const [domain, relayed] of noted) countSending(tx, { relayed }, ofDomain(domain));
      });
    } catch (error) {
      for (const [domain, relayed] of noted) this.#relayed.set(domain, (this.#relayed.get(domain) ?? 0) + relayed);
      throw error;
    }
  }

  /** Something came back, of which `key` is the name. Resolves the step that this leads to, where it is a worse one than before. */
  async count(key: string, sender: string, counts: Partial<DayCounts>): Promise<(Containment & { readonly domain: string }) | undefined> {
    const domain = this.#domainOf(sender);
    if (domain === undefined) return undefined;
    const service = await this.#ports.accounts.open(serviceOutboxId);
    const containment = await service.transact((tx) => {
      if (tx.ingested(key) !== undefined) return undefined;
      tx.rememberIngest(key, null);
      return countSending(tx, counts, ofDomain(domain));
    });
    return containment && { ...containment, domain };
  }

  /** Undefined for senders elsewhere, whose mail was passed on, and for the null path. */
  #domainOf(sender: string): string | undefined {
    return sender !== '' && this.#ports.directory.isLocalDomain(sender) ? parseAddress(sender)?.domain : undefined;
  }
}
