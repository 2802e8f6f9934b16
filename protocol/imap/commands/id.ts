/** id = "ID" SP id-params-list; id-params-list = "(" *(string SP nstring) ")" / nil (RFC 2971 §4). */
import { idKeyBytesMax, idPairsMax, idValueBytesMax } from '../limits.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';

export interface IdArguments {
  /** Keys in lower case. */
  readonly pairs: readonly (readonly [key: string, value: string | null])[];
}

export function decodeId(scanner: Scanner): IdArguments {
  scanner.space();
  if (!scanner.isNext('(')) {
    if (scanner.keyword() !== 'NIL') scanner.fail('a list or NIL');
    scanner.expectEnd();
    return { pairs: [] };
  }
  const pairs = scanner.list(() => {
    const key = scanner.string();
    scanner.space();
    const value = scanner.nstring();
    if (key.length > idKeyBytesMax || (value?.length ?? 0) > idValueBytesMax) scanner.fail('shorter keys and values');
    return [scanner.decode(key).toLowerCase(), value === null ? null : scanner.decode(value)] as const;
  });
  if (pairs.length > idPairsMax) scanner.fail(`at most ${idPairsMax} pairs`);
  scanner.expectEnd();
  return { pairs };
}

export function encodeId({ pairs }: IdArguments): Buffer {
  const writer = new CommandWriter().raw('ID ');
  if (pairs.length === 0) return writer.raw('NIL').toBuffer();
  writer.list(pairs, ([key, value]) => {
    writer.string(key).sp();
    if (value === null) writer.raw('NIL');
    else writer.string(value);
  });
  return writer.toBuffer();
}
