/**
 * What a bucket's own rules would do to our objects. Expiry would remove mail behind our back, an archive tier would make it unreadable:
 * both are refused at start. Rules on what is not ours are none of our business.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import { clusterPrefix, defaultInboundPrefix, failedPrefix } from './object-keys.ts';

/** A rule as S3's GetBucketLifecycleConfiguration has it, the parts that matter here. */
export interface LifecycleRule {
  readonly ID?: string;
  readonly Status?: string;
  /** The old form, before Filter. */
  readonly Prefix?: string;
  readonly Filter?: {
    readonly Prefix?: string;
    readonly Tag?: object;
    readonly And?: { readonly Prefix?: string; readonly Tags?: readonly object[] };
  };
  readonly Expiration?: { readonly Days?: number; readonly Date?: Date; readonly ExpiredObjectDeleteMarker?: boolean };
  readonly Transitions?: readonly { readonly StorageClass?: string }[];
  readonly NoncurrentVersionExpiration?: object;
}

export interface BucketSettings {
  /** What stands before all our names. */
  readonly prefix: string;
  /** Undefined: these credentials may not read them, or the store has none. */
  readonly lifecycle: readonly LifecycleRule[] | undefined;
  /** `Enabled`, `Suspended` or `Off`; undefined as above. */
  readonly versioning: string | undefined;
}

export interface BucketVerdict {
  /** Sentences; with one or more we must not run on this bucket. */
  readonly refusals: readonly string[];
  /** Sentences the administrator should read. */
  readonly warnings: readonly string[];
}

/** Reading an object in one of these takes a restore of minutes to days. */
const archiveTiers = new Set(['GLACIER', 'DEEP_ARCHIVE']);

/** Throws `refused` when the bucket's rules would harm mail; returns the warnings otherwise. */
export function assertBucketSettings(settings: BucketSettings, inboundPrefix = defaultInboundPrefix): readonly string[] {
  const { refusals, warnings } = judgeBucket(settings, inboundPrefix);
  if (refusals.length > 0) throw new StorageError('refused', refusals.join(' '));
  return warnings;
}

/** What of a bucket's settings forbids to use it, and what its owner should know. */
export function judgeBucket(settings: BucketSettings, inboundPrefix = defaultInboundPrefix): BucketVerdict {
  const refusals: string[] = [];
  const warnings: string[] = [];
  if (settings.lifecycle === undefined) {
    warnings.push(
      'The lifecycle rules of the bucket cannot be read (s3:GetLifecycleConfiguration): make sure that none expires or archives mail.',
    );
  }
  for (const rule of settings.lifecycle ?? []) {
    const { isKept, isQueue } = reach(rule, settings.prefix, inboundPrefix);
    if (!isKept && !isQueue) continue;
    const name = `The lifecycle rule ${JSON.stringify(rule.ID ?? '(unnamed)')}`;
    const tier = rule.Transitions?.find(({ StorageClass = '' }) => archiveTiers.has(StorageClass))?.StorageClass;
    if (tier !== undefined)
      refusals.push(`${name} moves mail to ${tier}, where it cannot be read: remove the rule, or limit it to other names.`);
    if (rule.Expiration?.Days === undefined && rule.Expiration?.Date === undefined) continue;
    if (isKept) refusals.push(`${name} would delete stored mail: remove the rule, or limit it to other names.`);
    else warnings.push(`${name} deletes from ${inboundPrefix} or ${failedPrefix}: mail that waits there longer is lost.`);
  }
  const keepsVersions = settings.versioning === 'Enabled' && !settings.lifecycle?.some(isVersionExpiry);
  if (keepsVersions) {
    warnings.push(
      'The bucket keeps all versions: removed mail stays, and is paid for, until a lifecycle rule expires noncurrent versions.',
    );
  }
  return { refusals, warnings };
}

function isVersionExpiry(rule: LifecycleRule): boolean {
  return rule.Status === 'Enabled' && rule.NoncurrentVersionExpiration !== undefined;
}

/** Whether a rule acts on what we keep (accounts, directory, cluster), and whether on the queues (inbound, failed). */
function reach(rule: LifecycleRule, storePrefix: string, inboundPrefix: string): { isKept: boolean; isQueue: boolean } {
  const { Filter: filter } = rule;
  // Our objects have no tags, so a rule that asks for one passes them by.
  const asksForTag = filter?.Tag !== undefined || (filter?.And?.Tags?.length ?? 0) > 0;
  const rulePrefix = filter?.And?.Prefix ?? filter?.Prefix ?? rule.Prefix ?? '';
  if (rule.Status !== 'Enabled' || asksForTag) return { isKept: false, isQueue: false };
  const isWhole = storePrefix.startsWith(rulePrefix);
  if (!isWhole && !rulePrefix.startsWith(storePrefix)) return { isKept: false, isQueue: false };
  const within = isWhole ? '' : rulePrefix.slice(storePrefix.length);
  const meets = (prefix: string) => prefix.startsWith(within) || within.startsWith(prefix);
  // Accounts are under two hex digits; inbound mail may have been given a place among them.
  const meetsAccounts = /^([0-9a-f]{0,2}$|[0-9a-f]{2}\/)/.test(within) && !within.startsWith(inboundPrefix);
  return { isKept: meetsAccounts || meets(clusterPrefix), isQueue: meets(inboundPrefix) || meets(failedPrefix) };
}
