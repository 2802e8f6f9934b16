/** jmap-jam, by the part of it that the tests use: its types come as sources that our compiler's settings do not take. */

export interface Jam {
  authHeader: string;
  session: Promise<unknown>;
  readonly api: Readonly<Record<string, Readonly<Record<string, (args: object) => Promise<[JamResult, unknown]>>>>>;
  requestMany(make: (draft: JamDraft) => object): Promise<[Readonly<Record<string, JamResult>>, unknown]>;
  getPrimaryAccount(): Promise<string>;
  uploadBlob(accountId: string, body: Blob, init: object): Promise<{ readonly blobId: string }>;
  downloadBlob(blob: { accountId: string; blobId: string; mimeType: string; fileName: string }): Promise<Response>;
}

export interface JamResult {
  readonly state: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a JMAP server answers, looked at by the test.
  readonly list: readonly any[];
  readonly ids: readonly string[];
  readonly created: Readonly<Record<string, { readonly id: string }>>;
}

export type JamDraft = Readonly<Record<string, Readonly<Record<string, (args: object) => { $ref(path: string): unknown }>>>>;

interface JamClass {
  new (options: { sessionUrl: string; bearerToken: string }): Jam;
  loadSession(sessionUrl: string, authHeader: string): Promise<unknown>;
}

/** A client that sends this Authorization header. jmap-jam itself knows bearer tokens only. */
export async function connectJam(sessionUrl: string, authorization: string): Promise<Jam> {
  const { JamClient } = (await import('jmap-jam' as string)) as { JamClient: JamClass };
  const jam = new JamClient({ sessionUrl, bearerToken: 'none' });
  await jam.session;
  jam.authHeader = authorization;
  jam.session = JamClient.loadSession(sessionUrl, authorization);
  return jam;
}
