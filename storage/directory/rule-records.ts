/**
 * Rules of the organisation, as the directory keeps them (type `rule`, docs/FORMAT.md): what is asked of a message on its way in or out, and what is
 * done with it. Their text form and their meaning are in indexer/rules/.
 */
export type RuleDirection = 'inbound' | 'outbound';

export type VerdictName = 'spam' | 'virus' | 'spf' | 'dkim' | 'dmarc';

/** One question. `not` turns it round. */
export type RuleCondition = { readonly not?: true } & (
  | {
      /** Addresses (`ada@example.com`), domains (`example.com`), subdomains (`*.example.com`) or everybody (`*`). */
      readonly test: 'sender' | 'recipient';
      readonly patterns: readonly string[];
    }
  /** Without `contains` and `equals`: the field is there. In any case. */
  | { readonly test: 'header'; readonly name: string; readonly contains?: string; readonly equals?: string }
  /** Bytes of the raw message. */
  | { readonly test: 'size'; readonly above?: number; readonly below?: number }
  | { readonly test: 'verdict'; readonly verdict: VerdictName; readonly values: readonly string[] }
  /** Endings of file names (`.exe`) or media types (`application/zip`, `image/*`) of any part. */
  | { readonly test: 'attachment'; readonly types: readonly string[] }
);

export type RuleAction =
  | { readonly do: 'drop' }
  | { readonly do: 'bounce'; readonly message: string }
  | { readonly do: 'junk' }
  | { readonly do: 'neverJunk' }
  /** A mailbox by its path of names; it is made where it is missing. */
  | { readonly do: 'move'; readonly mailbox: readonly string[] }
  | { readonly do: 'redirect'; readonly to: string }
  | { readonly do: 'addRecipient'; readonly to: string }
  | { readonly do: 'addHeader'; readonly name: string; readonly value: string }
  | { readonly do: 'banner'; readonly text: string }
  | { readonly do: 'journal'; readonly to: string }
  /** Asks a hook of the configuration. */
  | { readonly do: 'hook'; readonly hook: string }
  /** No later rule is asked. */
  | { readonly do: 'stop' };

export interface RuleRecord {
  readonly name: string;
  readonly direction: RuleDirection;
  /** Rules are asked in this order; equal numbers by id. */
  readonly order: number;
  /** All must hold; none: always. */
  readonly conditions: readonly RuleCondition[];
  /** In order; at least one. */
  readonly actions: readonly RuleAction[];
  readonly createdAt: number;
}

export interface Rule extends RuleRecord {
  readonly id: string;
}
