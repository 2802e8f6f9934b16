/**
 * Messages that functions may read and replace while their hook is asked: WorkMail's message flow. They are in this node's memory only, so that functions
 * call the node that asked them. A message whose hook has answered is frozen: it can still be read for an hour, for functions that nobody waits for.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { scanHeader } from '../../protocol/mime/header.ts';
import { withCrlf } from '../../protocol/mime/line-ends.ts';
import type { Clock } from '../../storage/clock.ts';
import { rawUrlMs, transitBytesMax, transitKeptMs } from './limits.ts';

export type ReplaceResult = 'replaced' | 'missing' | 'frozen' | 'rejected';

interface Transit {
  readonly bytes: Buffer;
  /** Undefined: its hook is being asked. */
  readonly keptUntil: number | undefined;
}

export interface MessageFlowOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** Signs addresses of raw messages; of this process only. */
  readonly secret: string;
  /** Where the interface is reached: publicUrl and its path, without a slash at the end. */
  readonly baseUrl: string;
  readonly messageBytesMax: number;
}

export class MessageFlow {
  readonly #options: MessageFlowOptions;
  readonly #transits = new Map<string, Transit>();
  #bytes = 0;

  constructor(options: MessageFlowOptions) {
    this.#options = options;
  }

  /** Lets functions read and replace the message until freeze(). */
  open(id: string, bytes: Buffer): void {
    this.#set(id, { bytes, keptUntil: undefined });
  }

  /** Ends replacing. Gives the bytes as they are now. */
  freeze(id: string): Buffer | undefined {
    const transit = this.#transits.get(id);
    if (transit !== undefined) this.#set(id, { bytes: transit.bytes, keptUntil: this.#options.clock.now() + transitKeptMs });
    return transit?.bytes;
  }

  read(id: string): Buffer | undefined {
    this.#sweep();
    return this.#transits.get(id)?.bytes;
  }

  /** Why the message cannot be replaced, whatever by. */
  refusalOf(id: string): 'missing' | 'frozen' | undefined {
    const transit = this.#transits.get(id);
    if (transit === undefined) return 'missing';
    return transit.keptUntil === undefined ? undefined : 'frozen';
  }

  replace(id: string, bytes: Buffer): ReplaceResult {
    const refused = this.refusalOf(id);
    if (refused !== undefined) return refused;
    if (bytes.length > this.#options.messageBytesMax || !isMessage(bytes)) return 'rejected';
    // Python's email package writes lines as Unix does unless it is told otherwise.
    this.#set(id, { bytes: withCrlf(bytes), keptUntil: undefined });
    return 'replaced';
  }

  /** An address that whoever holds it may read (GET) and replace (PUT) the message by, for some minutes. */
  rawUrl(id: string): string {
    const expires = String(this.#options.clock.now() + rawUrlMs);
    return `${this.#options.baseUrl}/raw/${id}?expires=${expires}&signature=${this.#sign(id, expires)}`;
  }

  mayUse(id: string, expires: string, signature: string): boolean {
    const expected = Buffer.from(this.#sign(id, expires));
    const given = Buffer.from(signature);
    return given.length === expected.length && timingSafeEqual(given, expected) && Number(expires) > this.#options.clock.now();
  }

  #sign(id: string, expires: string): string {
    return createHmac('sha256', this.#options.secret).update(`${id}\n${expires}`).digest('hex');
  }

  #set(id: string, transit: Transit): void {
    this.#remove(id);
    this.#transits.set(id, transit);
    this.#bytes += transit.bytes.length;
    this.#sweep();
  }

  #remove(id: string): void {
    this.#bytes -= this.#transits.get(id)?.bytes.length ?? 0;
    this.#transits.delete(id);
  }

  /** The map's order is that of the last change. What a hook is being asked about stays: intake bounds it. */
  #sweep(): void {
    const now = this.#options.clock.now();
    for (const [id, { keptUntil }] of this.#transits) {
      if (keptUntil !== undefined && (keptUntil <= now || this.#bytes > transitBytesMax)) this.#remove(id);
    }
  }
}

/**
 * What stands in an endpoint's address in place of a signature: a function in AWS signs with the credentials of its role, which nobody here can check,
 * and cannot be given others. It is as secret as the key that it is made of.
 */
export function flowToken(accessKeyId: string, secret: string): string {
  return `${accessKeyId}.${createHmac('sha256', secret).update('message-flow endpoint').digest('hex')}`;
}

/** Whether we have issued the token, compared in constant time. `secretOf`: undefined for a key that is not there. */
export function isFlowToken(token: string, secretOf: (accessKeyId: string) => string | undefined): boolean {
  const accessKeyId = token.slice(0, Math.max(0, token.indexOf('.')));
  const secret = secretOf(accessKeyId);
  if (secret === undefined) return false;
  const [expected, given] = [Buffer.from(flowToken(accessKeyId, secret)), Buffer.from(token)];
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** RFC 5322 §3.5: it begins with a field. */
function isMessage(bytes: Buffer): boolean {
  const [first] = scanHeader(bytes, 0, 1).fields;
  return first !== undefined && first.name !== '';
}
