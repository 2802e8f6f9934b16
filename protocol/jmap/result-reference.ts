/** References to results of earlier calls in the same request (RFC 8620 §3.7). */
import { MethodError } from './errors.ts';
import { referencePathTokensMax, referenceValuesMax } from './limits.ts';
import { type Invocation, isRecord } from './request.ts';

/** Arguments with every `#name` replaced by what it refers to in `answers`. Throws MethodError 'invalidResultReference' or 'invalidArguments'. */
export function resolveReferences(args: Readonly<Record<string, unknown>>, answers: readonly Invocation[]): Record<string, unknown> {
  const resolved = Object.entries(args).map(([key, value]): [string, unknown] => {
    if (!key.startsWith('#')) return [key, value];
    const name = key.slice(1);
    if (Object.hasOwn(args, name)) throw new MethodError('invalidArguments', `${name} is given both itself and as a reference.`);
    return [name, resolveReference(value, answers)];
  });
  return Object.fromEntries(resolved);
}

function resolveReference(reference: unknown, answers: readonly Invocation[]): unknown {
  const isReference =
    isRecord(reference) &&
    typeof reference['resultOf'] === 'string' &&
    typeof reference['name'] === 'string' &&
    typeof reference['path'] === 'string';
  if (!isReference) throw new MethodError('invalidResultReference', 'A reference has resultOf, name and path.');
  const { resultOf, name, path } = reference as { resultOf: string; name: string; path: string };
  const answer = answers.find(([, , id]) => id === resultOf);
  if (answer === undefined)
    throw new MethodError('invalidResultReference', `No call before this one has the id ${JSON.stringify(resultOf)}.`);
  if (answer[0] !== name)
    throw new MethodError('invalidResultReference', `The call ${JSON.stringify(resultOf)} was answered by ${answer[0]}.`);
  return evaluatePath(answer[1], path);
}

/** RFC 6901 JSON Pointer, with `*` for every item of an array, whose results are flattened. */
function evaluatePath(value: unknown, path: string): unknown {
  if (path !== '' && !path.startsWith('/')) throw badPath(path);
  const tokens =
    path === ''
      ? []
      : path
          .slice(1)
          .split('/')
          .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (tokens.length > referencePathTokensMax) throw badPath(path);
  return walk(value, tokens, path);
}

function walk(value: unknown, tokens: readonly string[], path: string): unknown {
  const [token, ...rest] = tokens;
  if (token === undefined) return value;
  if (Array.isArray(value)) {
    if (token === '*') {
      const gathered: unknown[] = [];
      for (const item of value) {
        const found = walk(item, rest, path);
        if (Array.isArray(found)) for (const member of found) gathered.push(member);
        else gathered.push(found);
        if (gathered.length > referenceValuesMax) throw new MethodError('invalidResultReference', 'The reference gathers too many values.');
      }
      return gathered;
    }
    if (!/^(0|[1-9]\d*)$/.test(token) || Number(token) >= value.length) throw badPath(path);
    return walk(value[Number(token)], rest, path);
  }
  if (!isRecord(value) || !Object.hasOwn(value, token)) throw badPath(path);
  return walk(value[token], rest, path);
}

function badPath(path: string): MethodError {
  return new MethodError('invalidResultReference', `The path ${JSON.stringify(path.slice(0, 200))} leads nowhere.`);
}
