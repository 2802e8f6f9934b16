/**
 * The certificate of all TLS listeners: from the configured files, or one made at the first start and kept in `<dataDir>/tls`.
 *
 * The files are looked at every few seconds, and a pair that fits replaces the one in use; new connections get it, old ones keep theirs. A
 * pair that does not fit (an ACME client has written one file and not yet the other) is reported and the old one stays.
 */
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Clock } from '../../storage/clock.ts';
import type { Random } from '../../storage/random.ts';
import type { Logger } from '../logger.ts';
import { makeSelfSigned } from './self-signed.ts';

export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly context: SecureContext;
}

export interface CertificatesOptions {
  /** PEM files; without them the self-signed pair in `folder` is used and made if need be. */
  readonly files: { readonly cert: string; readonly key: string } | undefined;
  readonly folder: string;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Pick<Random, 'hex'>;
  readonly logger: Logger;
  /** How often the files are looked at. Default 5,000. */
  readonly pollMs?: number;
}

/** A self-signed certificate is replaced at a start this long before it ends. */
const renewalMs = 30 * 86_400_000;

export class Certificates implements Disposable {
  readonly isSelfSigned: boolean;
  readonly #files: { readonly cert: string; readonly key: string };
  readonly #logger: Logger;
  readonly #listeners = new Set<(certificate: Certificate) => void>();
  readonly #timer: NodeJS.Timeout;
  #current: Certificate;
  /** What the files looked like when they were last read. */
  #seen: string;

  /** Throws when there is no pair that can be used. */
  constructor(options: CertificatesOptions) {
    this.isSelfSigned = options.files === undefined;
    this.#files = options.files ?? selfSignedFiles(options);
    this.#logger = options.logger;
    this.#seen = appearance(this.#files);
    this.#current = options.files === undefined ? load(this.#files) : loadGiven(options.files);
    this.#timer = setInterval(() => this.#look(), options.pollMs ?? 5_000).unref();
  }

  get current(): Certificate {
    return this.#current;
  }

  /** `listener` gets the certificate now and at each change. */
  watch(listener: (certificate: Certificate) => void): Disposable {
    this.#listeners.add(listener);
    listener(this.#current);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  [Symbol.dispose](): void {
    this.#listeners.clear();
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = appearance(this.#files);
    if (now === this.#seen) return;
    this.#seen = now;
    this.#reload();
  }

  #reload(): void {
    let next: Certificate;
    try {
      next = load(this.#files);
    } catch (error) {
      this.#logger.warn('The changed certificate cannot be used; the one before stays in use.', { file: this.#files.cert, error });
      return;
    }
    if (next.cert.equals(this.#current.cert) && next.key.equals(this.#current.key)) return;
    this.#current = next;
    this.#logger.info('The certificate has changed and is in use.', { file: this.#files.cert });
    for (const listener of this.#listeners) listener(next);
  }
}

/** Differs whenever a file was written or replaced, links followed. Taken before the files are read, so that a change in between is seen next time. */
function appearance(files: { readonly cert: string; readonly key: string }): string {
  return [files.cert, files.key]
    .map((file) => statSync(file, { bigint: true, throwIfNoEntry: false }))
    .map((stat) => (stat === undefined ? 'absent' : `${stat.ino}:${stat.size}:${stat.mtimeNs}`))
    .join(' ');
}

function load(files: { readonly cert: string; readonly key: string }): Certificate {
  const cert = readFileSync(files.cert);
  const key = readFileSync(files.key);
  return { cert, key, context: createSecureContext({ cert, key }) };
}

/** As `load`, for people who have written the names into the configuration. */
function loadGiven(files: { readonly cert: string; readonly key: string }): Certificate {
  try {
    return load(files);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`The certificate of tls.cert and tls.key cannot be used: ${reason}. Correct the two, or leave \`tls\` out.`, {
      cause: error,
    });
  }
}

/** Makes the pair unless it is there. */
function selfSignedFiles(options: CertificatesOptions): { readonly cert: string; readonly key: string } {
  const files = { cert: join(options.folder, 'cert.pem'), key: join(options.folder, 'key.pem') };
  try {
    if (new X509Certificate(load(files).cert).validToDate.getTime() - options.clock.now() > renewalMs) return files;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const names = new Set(['localhost', hostname(), '127.0.0.1', '::1']);
  const pair = makeSelfSigned({ names: [...names], now: options.clock.now(), serial: options.random.hex(15) });
  writeFileSync(files.key, pair.key, { mode: 0o600 });
  writeFileSync(files.cert, pair.cert);
  return files;
}
