/** Calls a hook as an AWS Lambda function: RequestResponse where an answer is wanted, Event where not. Attempts are ours to count. */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { HookError } from './contract.ts';
import type { Hook } from './hooks.ts';
import { parseJson } from './https.ts';
import { responseBytesMax } from './limits.ts';

export interface LambdaHookOptions {
  readonly functionArn: string;
  readonly region?: string;
  readonly endpoint?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly mode: Hook['mode'];
}

export function lambdaCall(options: LambdaHookOptions): { readonly call: Hook['call'] } & Disposable {
  const { functionArn, endpoint, accessKeyId, secretAccessKey, mode } = options;
  const region = options.region ?? /^arn:[a-z-]+:lambda:([a-z0-9-]+):/.exec(functionArn)?.[1];
  const client = new LambdaClient({
    maxAttempts: 1,
    ...(region && { region }),
    ...(endpoint && { endpoint }),
    ...(accessKeyId && secretAccessKey && { credentials: { accessKeyId, secretAccessKey } }),
  });
  return {
    async call(event, signal) {
      const InvocationType = mode === 'sync' ? 'RequestResponse' : 'Event';
      const command = new InvokeCommand({ FunctionName: functionArn, InvocationType, Payload: Buffer.from(JSON.stringify(event)) });
      const { FunctionError, Payload } = await client.send(command, { abortSignal: signal });
      if (FunctionError !== undefined) throw new HookError(`The function failed (${FunctionError}).`);
      if (mode === 'async') return undefined;
      if (Payload === undefined || Payload.length > responseBytesMax) throw new HookError('Its answer is missing, or too large.');
      return parseJson(Buffer.from(Payload).toString('utf8'));
    },
    [Symbol.dispose]: () => client.destroy(),
  };
}
