/** The Request object (RFC 8620 §3.3) and what a call in it is. */
import { RequestProblem } from './errors.ts';
import { hasLoneSurrogate, repeatedName } from './i-json.ts';
import { jsonDepthMax } from './limits.ts';

/** A call or its answer (RFC 8620 §3.2). */
export type Invocation = readonly [name: string, args: Readonly<Record<string, unknown>>, callId: string];

export interface JmapRequest {
  readonly using: readonly string[];
  readonly methodCalls: readonly Invocation[];
  readonly createdIds: Readonly<Record<string, string>> | undefined;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Throws RequestProblem 'notJSON' for what is no I-JSON, 'notRequest' for JSON that is not a Request. */
export function parseRequest(bytes: Uint8Array): JmapRequest {
  return readRequest(parseJson(bytes));
}

/** Throws RequestProblem 'notJSON' for what is no I-JSON, 'notRequest' for what nests too deep. */
export function parseJson(bytes: Uint8Array): unknown {
  let value: unknown;
  let text: string;
  try {
    // RFC 7493 §2.1: I-JSON is UTF-8 without errors.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (cause) {
    throw Object.assign(new RequestProblem('notJSON', 'The request is not JSON in UTF-8.'), { cause });
  }
  if (depthOf(value, jsonDepthMax) > jsonDepthMax)
    throw new RequestProblem('notRequest', `The request nests more than ${jsonDepthMax} deep.`);
  const repeated = repeatedName(text);
  if (repeated !== undefined)
    throw new RequestProblem(
      'notJSON',
      `The request is not I-JSON: an object has the name ${JSON.stringify(repeated.slice(0, 50))} twice.`,
    );
  if (hasLoneSurrogate(text)) throw new RequestProblem('notJSON', 'The request is not I-JSON: a string has a surrogate that stands alone.');
  return value;
}

/** Throws RequestProblem 'notRequest'. */
export function readRequest(value: unknown): JmapRequest {
  if (!isRecord(value)) throw notRequest('it is not an object');
  const { using, methodCalls, createdIds } = value;
  if (!Array.isArray(using) || !using.every((capability) => typeof capability === 'string'))
    throw notRequest('"using" is not a list of strings');
  if (!Array.isArray(methodCalls) || !methodCalls.every(isInvocation))
    throw notRequest('"methodCalls" is not a list of [name, arguments, id]');
  const isIds =
    createdIds === undefined ||
    createdIds === null ||
    (isRecord(createdIds) && Object.values(createdIds).every((id) => typeof id === 'string'));
  if (!isIds) throw notRequest('"createdIds" is not an object of ids');
  return { using, methodCalls, createdIds: (createdIds ?? undefined) as Record<string, string> | undefined };
}

function isInvocation(value: unknown): value is Invocation {
  return Array.isArray(value) && value.length === 3 && typeof value[0] === 'string' && isRecord(value[1]) && typeof value[2] === 'string';
}

function notRequest(why: string): RequestProblem {
  return new RequestProblem('notRequest', `This is JSON, but not a Request object: ${why}.`);
}

/** Levels of arrays and objects in it; counting ends past `max`. */
function depthOf(value: unknown, max: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (max < 0) return 1;
  let deepest = 0;
  for (const member of Object.values(value)) deepest = Math.max(deepest, depthOf(member, max - 1));
  return deepest + 1;
}
