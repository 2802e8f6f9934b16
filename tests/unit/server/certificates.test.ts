import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLogger } from '../../../server/logger.ts';
import { type Certificate, Certificates } from '../../../server/tls/certificates.ts';
import { makeSelfSigned } from '../../../server/tls/self-signed.ts';

const now = Date.UTC(2026, 10, 24);
const random = { hex: (count: number) => 'ab'.repeat(count) };
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'satchel-tls-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = (options: Partial<ConstructorParameters<typeof Certificates>[0]> = {}) =>
  new Certificates({ files: undefined, folder, clock: { now: () => now }, random, logger: silentLogger, pollMs: 10, ...options });

it('a self-signed certificate holds for its names and addresses, and for its own key', () => {
  const pair = makeSelfSigned({ names: ['localhost', 'mail.example.com', '127.0.0.1', '::1', '2001:db8::25'], now, serial: 'ff00' });
  const certificate = new X509Certificate(pair.cert);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.ca).toBe(false);
  expect(certificate.serialNumber).toBe('01FF00');
  for (const name of ['localhost', 'mail.example.com']) expect(certificate.checkHost(name)).toBe(name);
  for (const address of ['127.0.0.1', '::1', '2001:db8::25']) expect(certificate.checkIP(address)).toBe(address);
  expect(certificate.checkHost('other.example.com')).toBeUndefined();
  expect(certificate.validFromDate.getTime()).toBeLessThan(now);
  expect((certificate.validToDate.getTime() - now) / 86_400_000).toBe(820);
  createSecureContext(pair);
});

it('is made once and kept, its key readable by its owner only', () => {
  using first = open();
  using second = open();
  expect(second.current.cert.equals(first.current.cert)).toBe(true);
  expect(statSync(join(folder, 'key.pem')).mode & 0o777).toBe(0o600);
});

it('is made anew at a start in its last month', () => {
  using first = open();
  using later = open({ clock: { now: () => now + 800 * 86_400_000 } });
  expect(later.current.cert.equals(first.current.cert)).toBe(false);
});

it('that was configured and is not there is told with the keys to correct', () => {
  const files = { cert: join(folder, 'nix.crt'), key: join(folder, 'nix.key') };
  expect(() => open({ files })).toThrow(/tls\.cert and tls\.key cannot be used: ENOENT: .*nix\.crt.*Correct the two/);
});

it('is replaced when its files change, and a pair that does not fit is not taken', async () => {
  const files = { cert: join(folder, 'site.crt'), key: join(folder, 'site.key') };
  const write = ({ cert, key }: { cert: string; key: string }) => {
    writeFileSync(files.cert, cert);
    writeFileSync(files.key, key);
  };
  const [old, next] = ['a.example', 'b.example'].map((name) => makeSelfSigned({ names: [name], now, serial: '01' }));
  write(old!);
  const warned = Promise.withResolvers<void>();
  const changed = Promise.withResolvers<Certificate>();
  const logger = { ...silentLogger, warn: () => warned.resolve() };
  using certificates = open({ files, logger });
  const seen: Certificate[] = [];
  using _watch = certificates.watch((certificate) => {
    seen.push(certificate);
    if (seen.length === 2) changed.resolve(certificate);
  });
  writeFileSync(files.cert, next!.cert);
  await warned.promise;
  expect(certificates.current.cert.toString()).toBe(old!.cert);
  writeFileSync(files.key, next!.key);
  expect((await changed.promise).cert.toString()).toBe(readFileSync(files.cert, 'utf8'));
});
