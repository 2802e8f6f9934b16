/** A local SQS for the tests of a file: started before them, ended after them. */
import { SQSClient } from '@aws-sdk/client-sqs';
import { type FauxqsServer, startFauxqs } from 'fauxqs';
import { afterAll, beforeAll } from 'vitest';

export const region = 'us-east-1';
export const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };

export interface LocalSqs {
  readonly server: FauxqsServer;
  readonly client: SQSClient;
}

export function localSqs(): LocalSqs {
  let running: LocalSqs | undefined;
  beforeAll(async () => {
    const server = await startFauxqs({ port: 0, logger: false });
    running = { server, client: new SQSClient({ region, endpoint: server.address, credentials }) };
  });
  afterAll(async () => {
    running?.client.destroy();
    await running?.server.stop();
  });
  return {
    get server() {
      return running!.server;
    },
    get client() {
      return running!.client;
    },
  };
}
