/** What the log tells its owner for logs and metrics. None of it needs an answer. */
export type LogEvent =
  /** Somebody else wrote the number first. */
  | { readonly kind: 'lostRace'; readonly seq: number; readonly by: string; readonly rounds: number }
  /** A put's outcome is not known; the same bytes are sent again. */
  | { readonly kind: 'unknownOutcome'; readonly seq: number; readonly attempt: number; readonly error: unknown }
  /** A put was answered when the tail had not been seen for an hour; `verdict` is what a look at the tail showed. */
  | { readonly kind: 'lateAnswer'; readonly seq: number; readonly verdict: string }
  /** An object that is not in the chain: the late write of a writer that slept. It is ignored. */
  | { readonly kind: 'stray'; readonly seq: number }
  /** The state was thrown away and made anew from the bucket. */
  | { readonly kind: 'rebuilt'; readonly reason: string; readonly seq: number }
  /** The commit is true, and the index failed to take it: it is rebuilt before anything else happens. */
  | { readonly kind: 'settleFailed'; readonly seq: number; readonly error: unknown }
  /** Catching up failed; it is tried again. */
  | { readonly kind: 'catchUpFailed'; readonly error: unknown }
  /** A watcher threw. */
  | { readonly kind: 'watcherFailed'; readonly error: unknown };
