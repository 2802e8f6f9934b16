/** The part of a result list that a /query asks for (RFC 8620 §5.5). */
import { MethodError } from './errors.ts';
import { queryIdsMax } from './limits.ts';

export interface QueryWindowArguments {
  readonly position?: number;
  readonly anchor?: string | null;
  readonly anchorOffset?: number;
  readonly limit?: number | null;
}

export interface QueryWindow {
  readonly position: number;
  readonly end: number;
  /** Set where the server gives less than was asked for. */
  readonly limit?: number;
}

/** `indexOf` finds an id in the list of `total`, or gives -1. Throws MethodError 'anchorNotFound'. */
export function queryWindow(args: QueryWindowArguments, total: number, indexOf: (id: string) => number): QueryWindow {
  const asked = args.limit ?? undefined;
  const size = Math.min(asked ?? queryIdsMax, queryIdsMax);
  const position = firstOf(args, total, indexOf);
  const end = Math.min(total, position + size);
  const isCut = (asked === undefined || asked > queryIdsMax) && end < total;
  return { position, end: Math.max(end, position), ...(isCut ? { limit: queryIdsMax } : {}) };
}

function firstOf({ position = 0, anchor, anchorOffset = 0 }: QueryWindowArguments, total: number, indexOf: (id: string) => number): number {
  if (anchor !== undefined && anchor !== null) {
    const at = indexOf(anchor);
    if (at < 0) throw new MethodError('anchorNotFound', 'The anchor is not in the results.');
    return Math.max(0, at + anchorOffset);
  }
  return position < 0 ? Math.max(0, total + position) : position;
}
