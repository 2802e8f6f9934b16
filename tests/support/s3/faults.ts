/** Faults that the strict server commits on purpose: set up by a test, used up by matching requests. */
import type { Random } from '../../../storage/random.ts';

export type S3Fault =
  /** Answers so, and does nothing. */
  | { readonly kind: 'status'; readonly status: number; readonly code: string }
  /** Does what was asked, then closes the connection without an answer. */
  | { readonly kind: 'dropReply' }
  /** Does what was asked, then answers so. */
  | { readonly kind: 'statusAfter'; readonly status: number; readonly code: string }
  /** Closes the connection and does nothing. */
  | { readonly kind: 'dropRequest' }
  /** Waits before doing anything. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Does what was asked, and waits before it answers. */
  | { readonly kind: 'delayReply'; readonly ms: number }
  /** Says the body's whole length, and closes the connection after so many bytes of it. */
  | { readonly kind: 'truncate'; readonly bytes: number };

export interface FaultMatch {
  /** As in `S3Request.operation`: `PutObject`, `GetObject`, `ListObjectsV2`, … Any, when left out. */
  readonly operation?: string;
  readonly keyPrefix?: string;
  /** Only requests with If-None-Match or If-Match. */
  readonly isConditional?: boolean;
}

export interface FaultCandidate {
  readonly operation: string;
  readonly key: string;
  readonly isConditional: boolean;
}

interface Rule {
  readonly match: FaultMatch;
  readonly fault: S3Fault;
  readonly rate: number;
  times: number;
}

export class S3Faults {
  readonly #random: Pick<Random, 'fraction'>;
  #rules: Rule[] = [];

  constructor(random: Pick<Random, 'fraction'>) {
    this.#random = random;
  }

  /** The next `times` requests that match, or at the given `rate` (0 to 1) of them, meet `fault`. */
  add(fault: S3Fault, match: FaultMatch = {}, limits: { readonly times?: number; readonly rate?: number } = {}): void {
    const times = limits.times ?? (limits.rate === undefined ? 1 : Number.POSITIVE_INFINITY);
    this.#rules.push({ match, fault, rate: limits.rate ?? 1, times });
  }

  clear(): void {
    this.#rules = [];
  }

  take(request: FaultCandidate): S3Fault | undefined {
    for (const rule of this.#rules) {
      const { operation, keyPrefix, isConditional } = rule.match;
      if (operation !== undefined && operation !== request.operation) continue;
      if (keyPrefix !== undefined && !request.key.startsWith(keyPrefix)) continue;
      if (isConditional !== undefined && isConditional !== request.isConditional) continue;
      if (rule.rate < 1 && this.#random.fraction() >= rule.rate) continue;
      if (--rule.times <= 0) this.#rules = this.#rules.filter((other) => other !== rule);
      return rule.fault;
    }
    return undefined;
  }
}
