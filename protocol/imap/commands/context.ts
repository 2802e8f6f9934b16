/** What a decoder must know of the session it reads for. */
export interface DecodeContext {
  /** RFC 9755: names are UTF-8, not modified UTF-7. */
  readonly acceptsUtf8: boolean;
}

export const plainContext: DecodeContext = { acceptsUtf8: false };
