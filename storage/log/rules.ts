/**
 * The rules of the log that look fussy, as switches, so that the simulation can take one out and show what is lost without it. Everything else
 * runs with all of them.
 */
export interface LogRules {
  /** A number whose outcome is unknown is settled before anything else is tried. */
  readonly settleUnknown: boolean;
  /** A number that is taken may be taken by ourselves. */
  readonly checkOwnId: boolean;
  /** A writer has seen the tail within the hour. */
  readonly tailWithinHour: boolean;
  /** The hour is looked at again when the answer is there. */
  readonly lateSuccessCheck: boolean;
  /** The hour is counted by all clocks; without it by the monotonic one. */
  readonly allClocks: boolean;
  /** A commit continues the one that was applied last. */
  readonly checkPrev: boolean;
  /** A late success counts only in the chain; without it a listed number does. */
  readonly proveChain: boolean;
  /** A commit names only what was uploaded within the day. */
  readonly blobWithinDay: boolean;
}

export const logRules: LogRules = {
  settleUnknown: true,
  checkOwnId: true,
  tailWithinHour: true,
  lateSuccessCheck: true,
  allClocks: true,
  checkPrev: true,
  proveChain: true,
  blobWithinDay: true,
};
