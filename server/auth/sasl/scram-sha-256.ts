/**
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side (RFC 5802, RFC 7677). The password never crosses the wire, and the server proves that it
 * has the keys. The server's last message goes out as a challenge that the client answers empty, since neither IMAP (RFC 9051 §6.2.2) nor SMTP
 * (RFC 4954 §4) lets data travel with success.
 */
import { timingSafeEqual } from 'node:crypto';
import type { ScramKeys } from '../../../storage/directory/records.ts';
import { saslPrep } from '../saslprep.ts';
import { hmacSha256, sha256 } from '../scram-keys.ts';
import { challenge, decodeText, failed, type Mechanism, type MechanismStep } from './mechanism.ts';

/** RFC 5929, RFC 9266: what ties the exchange to the TLS connection below it. */
export interface ChannelBinding {
  readonly name: 'tls-exporter' | 'tls-server-end-point';
  readonly data: Uint8Array;
}

export interface ScramOptions {
  /** The server's part of the nonce: printable ASCII without comma, at least 18 random bytes' worth. */
  readonly nonce: string;
  /** Given for -PLUS, and only then. */
  readonly channelBinding?: ChannelBinding;
  /** Whether -PLUS was offered beside this: a client that could have bound and was told otherwise is under attack (RFC 5802 §6). */
  readonly isPlusOffered?: boolean;
}

interface ClientFirst {
  readonly gs2Header: string;
  readonly bare: string;
  readonly nonce: string;
}

export class ScramSha256 implements Mechanism {
  readonly #options: ScramOptions;
  #state: 'first' | 'keys' | 'final' | 'acknowledge' | 'over' = 'first';
  #client: ClientFirst | undefined;
  #keys: ScramKeys | undefined;
  #serverFirst = '';

  constructor(options: ScramOptions) {
    this.#options = options;
  }

  start(): MechanismStep {
    return challenge('');
  }

  step(message: Uint8Array): MechanismStep {
    const text = decodeText(message);
    if (text === undefined) return this.#over(failed('The message is not UTF-8.'));
    if (this.#state === 'first') return this.#clientFirst(text);
    if (this.#state === 'final') return this.#clientFinal(text);
    if (this.#state === 'acknowledge' && text === '') return this.#over({ kind: 'done' });
    return this.#over(failed('SCRAM expects no such message here.'));
  }

  provideKeys(keys: ScramKeys): MechanismStep {
    if (this.#state !== 'keys') return this.#over(failed('SCRAM expects no keys here.'));
    this.#state = 'final';
    this.#keys = keys;
    this.#serverFirst = `r=${this.#client!.nonce}${this.#options.nonce},s=${keys.salt},i=${keys.iterations}`;
    return challenge(this.#serverFirst);
  }

  /**
   * client-first-message = gs2-cbind-flag "," [authzid] "," [reserved-mext ","] username "," nonce ["," extensions]
   * gs2-cbind-flag = ("p=" cb-name) / "n" / "y"
   */
  #clientFirst(text: string): MechanismStep {
    const match = /^(p=[A-Za-z0-9.-]+|n|y),(?:a=([^,]+))?,(.*)$/s.exec(text);
    const [, flag, authzid, bare] = match ?? [];
    if (flag === undefined || bare === undefined) return this.#over(failed('The SCRAM message has no GS2 header.'));
    const refusal = this.#refuseBinding(flag);
    if (refusal !== undefined) return this.#over(failed(refusal));
    // RFC 5802 §5.1: "m=" is for extensions that must be understood, and there are none.
    if (bare.startsWith('m=')) return this.#over(failed('The SCRAM message has an extension that is not known here.'));
    const [, name, nonce] = /^n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^,]*)*$/.exec(bare) ?? [];
    const login = name === undefined ? undefined : decodeName(name);
    const authorizationId = authzid === undefined ? '' : decodeName(authzid);
    if (login === undefined || authorizationId === undefined || nonce === undefined) {
      return this.#over(failed('The first SCRAM message is not n=user,r=nonce.'));
    }
    this.#client = { gs2Header: text.slice(0, text.length - bare.length), bare, nonce };
    this.#state = 'keys';
    return { kind: 'keys', login, authorizationId };
  }

  #refuseBinding(flag: string): string | undefined {
    const { channelBinding, isPlusOffered } = this.#options;
    if (channelBinding)
      return flag === `p=${channelBinding.name}` ? undefined : `-PLUS here needs the channel binding ${channelBinding.name}.`;
    if (flag.startsWith('p=')) return 'Channel binding needs the -PLUS mechanism.';
    return flag === 'y' && isPlusOffered ? 'Channel binding is offered, but the client was told that it is not.' : undefined;
  }

  /** client-final-message = channel-binding "," nonce ["," extensions] "," proof */
  #clientFinal(text: string): MechanismStep {
    const [, withoutProof, binding, nonce, proof] =
      /^(c=([A-Za-z0-9+/]+={0,2}),r=([\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^,]*)*),p=([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
    if (withoutProof === undefined || binding === undefined || proof === undefined) {
      return this.#over(failed('The last SCRAM message is not c=binding,r=nonce,p=proof.'));
    }
    const client = this.#client!;
    const bound = Buffer.concat([Buffer.from(client.gs2Header), this.#options.channelBinding?.data ?? Buffer.alloc(0)]);
    const isOurExchange = binding === bound.toString('base64') && nonce === client.nonce + this.#options.nonce;
    const authMessage = `${client.bare},${this.#serverFirst},${withoutProof}`;
    if (!isOurExchange || !isProofRight(this.#keys!, authMessage, Buffer.from(proof, 'base64'))) {
      return this.#over({ kind: 'proof', isProved: false });
    }
    this.#state = 'acknowledge';
    const signature = hmacSha256(Buffer.from(this.#keys!.serverKey, 'base64'), authMessage).toString('base64');
    return { kind: 'proof', isProved: true, data: Buffer.from(`v=${signature}`) };
  }

  #over(step: MechanismStep): MechanismStep {
    this.#state = 'over';
    return step;
  }
}

/** RFC 5802 §3: ClientProof XOR HMAC(StoredKey, AuthMessage) is the ClientKey, and StoredKey is its hash. */
function isProofRight({ storedKey }: ScramKeys, authMessage: string, proof: Uint8Array): boolean {
  const stored = Buffer.from(storedKey, 'base64');
  const signature = hmacSha256(stored, authMessage);
  if (proof.length !== signature.length) return false;
  const clientKey = signature.map((byte, index) => byte ^ proof[index]!);
  return timingSafeEqual(sha256(clientKey), stored);
}

/** saslname: "," and "=" are written =2C and =3D; any other "=" is an error (RFC 5802 §5.1). */
function decodeName(name: string): string | undefined {
  if (/=(?!2C|3D)/.test(name)) return undefined;
  return saslPrep(name.replaceAll('=2C', ',').replaceAll('=3D', '=')) || undefined;
}
