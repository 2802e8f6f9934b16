/** What a decoder must know of the session it reads for. */
export interface DecodeContext {
  /** RFC 9755: names are UTF-8, not modified UTF-7. */
  readonly acceptsUtf8: boolean;
  /** RFC 9051 is enabled: SEARCH asks for an ESEARCH response. */
  readonly isRev2: boolean;
}

export const plainContext: DecodeContext = { acceptsUtf8: false, isRev2: false };
