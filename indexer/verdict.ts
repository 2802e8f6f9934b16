/**
 * Where a message belongs by what scanners said about it: policy as data, first rule that matches.
 *
 * A receipt outranks the header block that SES put on top; below that nothing counts, since the sender wrote it. A block that looks like
 * SES's but is not proven (a message copied in by hand under another name) can only speak against its message: it may send it to Junk or
 * hold it, it may not clear it, and nothing is dropped on its word.
 */

import type { ScanResults } from './ses/header-block.ts';
import type { MailVerdictFields } from './trusted-fields.ts';

/** `reject`: an MTA is refused, and the sender of what SES has taken is told where he is proven; else it is held as by `quarantine`. */
export type VerdictAction = 'inbox' | 'junk' | 'quarantine' | 'drop' | 'reject';

/** One row of the configuration's `verdicts`. All comparisons that are given must hold; at least one is. */
export interface VerdictRule {
  /** Name of a header, in any case. `X-SES-{Spam,Virus,SPF,DKIM,DMARC}-Verdict` and `X-SES-DMARC-Policy` are what SES said, by receipt or block. */
  readonly header: string;
  /** The whole value, in any case. */
  readonly equals?: string;
  /** A piece of the value, in any case. */
  readonly contains?: string;
  /** The first number in the value is larger, or smaller. */
  readonly above?: number;
  readonly below?: number;
  /** Addresses and domains that the rule is for. Default: all. */
  readonly recipients?: readonly string[];
  readonly action: VerdictAction;
}

export const defaultVerdictRules: readonly VerdictRule[] = [
  { header: 'X-SES-Virus-Verdict', equals: 'FAIL', action: 'quarantine' },
  { header: 'X-SES-Spam-Verdict', equals: 'FAIL', action: 'junk' },
];

export interface Verdict {
  readonly action: VerdictAction;
  /** The rule that decided, and the value it saw. */
  readonly because?: { readonly header: string; readonly value: string };
}

/** What `decide` goes by: the most trusted results there are, and the fields that somebody we trust has written. */
export interface Evidence {
  readonly results: ScanResults;
  /** Read only when a rule names another header than those of the results. */
  readonly fields: MailVerdictFields;
  /** False for a block that is not proven. */
  readonly isProven: boolean;
}

/** The first rule that matches says it. Evidence that anybody may have written can make it junk or quarantine, and never drop, reject or let in. */
export function decide(rules: readonly VerdictRule[], evidence: Evidence): Verdict {
  for (const rule of rules) {
    const value = valuesOf(rule.header.toLowerCase(), evidence).find((candidate) => matches(rule, candidate));
    if (value === undefined) continue;
    const because = { header: rule.header, value: value.slice(0, 100) };
    if (evidence.isProven) return { action: rule.action, because };
    if (rule.action !== 'inbox') return { action: rule.action === 'junk' ? 'junk' : 'quarantine', because };
  }
  return { action: 'inbox' };
}

/** For people. */
export function sentenceOf({ because }: Verdict): string {
  return because === undefined ? 'policy' : `${because.header}: ${because.value}`;
}

const resultHeaders: ReadonlyMap<string, keyof ScanResults> = new Map([
  ['x-ses-spam-verdict', 'spam'],
  ['x-ses-virus-verdict', 'virus'],
  ['x-ses-spf-verdict', 'spf'],
  ['x-ses-dkim-verdict', 'dkim'],
  ['x-ses-dmarc-verdict', 'dmarc'],
  ['x-ses-dmarc-policy', 'dmarcPolicy'],
]);

function valuesOf(header: string, evidence: Evidence): readonly string[] {
  const result = resultHeaders.get(header);
  const value = result && evidence.results[result];
  if (result !== undefined) return value === undefined ? [] : [value];
  return evidence.fields.filter((field) => field.name === header).map((field) => field.value);
}

function matches(rule: VerdictRule, value: string): boolean {
  const text = value.trim().toLowerCase();
  if (rule.equals !== undefined && text !== rule.equals.toLowerCase()) return false;
  if (rule.contains !== undefined && !text.includes(rule.contains.toLowerCase())) return false;
  if (rule.above === undefined && rule.below === undefined) return rule.equals !== undefined || rule.contains !== undefined;
  const [digits] = /-?\d+(\.\d+)?/.exec(text) ?? [];
  if (digits === undefined) return false;
  const score = Number(digits);
  return (rule.above === undefined || score > rule.above) && (rule.below === undefined || score < rule.below);
}
