/**
 * A service that speaks as much of SES's API (version 2) as a relay needs, and is as strict: it checks the signature (SigV4), takes at most 50 recipients, wants
 * single fields once, an author whose domain is verified, and gives each message an id, a Message-ID and a Date of its own.
 */
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { scanHeader } from '../../protocol/mime/header.ts';

export interface SesMessage {
  readonly messageId: string;
  readonly to: readonly string[];
  /** As its recipients would see it. */
  readonly bytes: Buffer;
  readonly configurationSet: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

export const sesCredentials = { accessKeyId: 'AKIDTEST', secretAccessKey: 'a secret that nobody knows' };

const singleNames = [
  'date',
  'message-id',
  'from',
  'sender',
  'subject',
  'dkim-signature',
  'delivered-to',
  'references',
  'mime-version',
  'content-type',
];

export class SesServer implements AsyncDisposable {
  readonly messages: SesMessage[] = [];
  endpoint = '';
  maxSendRate = 1000;
  /** SES's own list, in the spelling that it was given. */
  readonly suppressed: string[] = [];
  readonly verifiedDomains = new Set(['localhost', 'example.com']);
  /** Answered in place of taking the message: the name of an exception. */
  refusal: { readonly status: number; readonly type: string; readonly message: string } | undefined;
  #ids = 0;
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  static async open(): Promise<SesServer> {
    const server = new SesServer();
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    server.endpoint = `http://127.0.0.1:${(server.#server.address() as AddressInfo).port}`;
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const fail = (status: number, type: string, message: string) =>
      response.writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': type }).end(JSON.stringify({ message }));
    const reply = (value: object) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const fault = signatureFault(request, body);
    if (fault !== undefined) fail(403, 'InvalidSignatureException', fault);
    else if (request.method === 'GET' && request.url === '/v2/email/account') {
      reply({ SendQuota: { Max24HourSend: 50_000, MaxSendRate: this.maxSendRate, SentLast24Hours: 0 }, SendingEnabled: true });
    } else if (request.method === 'GET' && request.url?.startsWith('/v2/email/suppression/addresses') === true) {
      // A page holds one, so that who looks has to turn pages.
      const at = Number(new URL(request.url, this.endpoint).searchParams.get('NextToken') ?? 0);
      const more = at + 1 < this.suppressed.length ? { NextToken: String(at + 1) } : {};
      const summaries = this.suppressed
        .slice(at, at + 1)
        .map((EmailAddress) => ({ EmailAddress, Reason: 'BOUNCE', LastUpdateTime: 1_790_000_000 }));
      reply({ SuppressedDestinationSummaries: summaries, ...more });
    } else if (request.method === 'DELETE' && request.url?.startsWith('/v2/email/suppression/addresses/') === true) {
      const address = decodeURIComponent(request.url.slice(request.url.lastIndexOf('/') + 1));
      // The trap: only this very spelling.
      if (!this.suppressed.includes(address)) fail(404, 'NotFoundException', 'not on the list');
      else {
        this.suppressed.splice(this.suppressed.indexOf(address), 1);
        reply({});
      }
    } else if (request.method === 'POST' && request.url === '/v2/email/outbound-emails') {
      if (this.refusal !== undefined) fail(this.refusal.status, this.refusal.type, this.refusal.message);
      else {
        const taken = this.#take(JSON.parse(body.toString()));
        if ('message' in taken) fail(400, taken.type, taken.message);
        else reply({ MessageId: taken.messageId });
      }
    } else fail(404, 'NotFoundException', 'no such call');
  }

  #take(call: {
    readonly Destination?: { readonly ToAddresses?: readonly string[] };
    readonly Content: { readonly Raw: { readonly Data: string } };
    readonly ConfigurationSetName?: string;
    readonly EmailTags?: readonly { readonly Name: string; readonly Value: string }[];
  }): SesMessage | { readonly type: string; readonly message: string } {
    const to = call.Destination?.ToAddresses ?? [];
    const bytes = Buffer.from(call.Content.Raw.Data, 'base64');
    if (to.length === 0 || to.length > 50) return { type: 'BadRequestException', message: `Recipient count ${to.length}` };
    if (to.some((address) => /[^\x21-\x7e]/.test(address)))
      return { type: 'BadRequestException', message: 'Local address contains non-ASCII' };
    const { fields } = scanHeader(bytes);
    const twice = singleNames.find((name) => fields.filter((field) => field.name === name).length > 1);
    if (twice !== undefined) return { type: 'BadRequestException', message: `Duplicate header '${twice}'` };
    const [, domain = ''] = /^from:[^\r\n]*@([A-Za-z0-9.-]+)/im.exec(bytes.toString('latin1')) ?? [];
    if (!this.verifiedDomains.has(domain)) return { type: 'MessageRejected', message: `Email address is not verified: ${domain}` };
    if ((call.EmailTags ?? []).some(({ Name, Value }) => !/^[A-Za-z0-9_-]{1,256}$/.test(Name) || !/^[A-Za-z0-9_.@-]{1,256}$/.test(Value)))
      return { type: 'BadRequestException', message: 'Invalid tag' };
    this.#ids += 1;
    const messageId = `0100018f${String(this.#ids).padStart(8, '0')}-11112222-3333-4444-8555-666677778888-000000`;
    // Both are SES's own.
    const rewritten = bytes
      .toString('latin1')
      .replace(/^message-id:.*\r\n/im, `Message-ID: <${messageId}@email.amazonses.com>\r\n`)
      .replace(/^date:.*\r\n/im, 'Date: Tue, 3 Nov 2026 14:00:02 +0000\r\n');
    const tags = Object.fromEntries((call.EmailTags ?? []).map(({ Name, Value }) => [Name, Value]));
    const message = { messageId, to, bytes: Buffer.from(rewritten, 'latin1'), configurationSet: call.ConfigurationSetName, tags };
    this.messages.push(message);
    return message;
  }
}

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest();

/** AWS Signature Version 4, worked out anew from what came. */
function signatureFault({ method, url = '', headers }: IncomingMessage, body: Buffer): string | undefined {
  const [, keyId, date, region, service, names, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    ) ?? [];
  if (keyId !== sesCredentials.accessKeyId || service !== 'ses') return 'not signed with a key that is known here';
  const signed = names!.split(';');
  if (!signed.includes('host') || !signed.includes('x-amz-date')) return 'host and x-amz-date must be signed';
  const time = String(headers['x-amz-date']);
  const canonicalHeaders = signed.map((name) => `${name}:${String(headers[name]).trim().replace(/ +/g, ' ')}\n`).join('');
  const [path = '', query = ''] = url.split('?');
  const canonicalQuery = query.split('&').sort().join('&');
  // SigV4 encodes the path once more, which was encoded for the wire.
  const canonicalPath = path.split('/').map(encodeURIComponent).join('/');
  const canonical = [method, canonicalPath, canonicalQuery, canonicalHeaders, names, sha256(body)].join('\n');
  const scope = `${date}/${region}/ses/aws4_request`;
  const key = ['ses', 'aws4_request'].reduce(
    (last, part) => hmac(last, part),
    hmac(hmac(`AWS4${sesCredentials.secretAccessKey}`, date!), region!),
  );
  const right = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')).toString('hex');
  return right === signature ? undefined : 'the signature does not fit';
}
