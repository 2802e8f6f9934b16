/** Signatures that OpenSSL made, by certificates of a test root: what is verified, and what is said of what is not. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodePart } from '../../../protocol/mime/part-content.ts';
import { signedPart } from '../../../protocol/mime/signed-part.ts';
import { parseStructure } from '../../../protocol/mime/structure.ts';
import { readTrustAnchors, verifySignature } from '../../../server/jmap/smime/verify.ts';

const folder = join(import.meta.dirname, '../../fixtures/smime');
const read = (name: string) => readFileSync(join(folder, name));
const anchors = readTrustAnchors([read('ca.pem').toString()]);
const in2026 = Date.UTC(2026, 5, 1);

async function problems(raw: Buffer, { from = 'grace@example.org', at = in2026, trusted = anchors } = {}): Promise<string[]> {
  const signed = signedPart(parseStructure(raw).root);
  if (signed === undefined || signed.kind === 'other') return [`not signed: ${signed?.kind}`];
  const cms = decodePart(raw, signed.kind === 'detached' ? signed.signature : signed.content);
  const content = signed.kind === 'detached' ? raw.subarray(signed.signed.headerStart, signed.signed.bodyEnd) : undefined;
  return verifySignature({ cms, content }, [from], trusted, at);
}

describe('a signature', () => {
  it.each(['detached.eml', 'opaque.eml'])('is verified: %s', async (name) => {
    expect(await problems(read(name))).toEqual([]);
  });

  it('is verified whatever the case of the address', async () => {
    expect(await problems(read('detached.eml'), { from: 'GRACE@Example.org' })).toEqual([]);
  });

  it.each([
    [
      'a changed word',
      'detached.eml',
      (raw: Buffer) => Buffer.from(raw.toString('latin1').replace('Signed words', 'Forged words'), 'latin1'),
    ],
    [
      'a changed header of the signed part',
      'detached.eml',
      (raw: Buffer) => Buffer.from(raw.toString('latin1').replace('utf-8', 'utf-7'), 'latin1'),
    ],
    ['a cut signature', 'detached.eml', (raw: Buffer) => Buffer.from(raw.toString('latin1').replace(/MIIE[^-]{200}/, ''), 'latin1')],
    ['no signature', 'detached.eml', (raw: Buffer) => Buffer.from(raw.toString('latin1').replace(/MIIE[^-]*/, ''), 'latin1')],
  ])('fails by %s', async (_, name, change) => {
    const changed = change(read(name));
    expect(changed.equals(read(name))).toBe(false);
    expect(await problems(changed)).toHaveLength(1);
  });

  it.each([
    ['the sender is another', read('impostor.eml'), { from: 'eve@example.org' }, /not of the sender/],
    ['the certificate has expired', read('expired.eml'), {}, /not trusted|does not lead/],
    ['the certificate is not for mail', read('web-certificate.eml'), {}, /not for mail/],
    ['nobody is trusted', read('detached.eml'), { trusted: [] }, /not trusted|does not lead/],
    ['it is long after', read('detached.eml'), { at: Date.UTC(2099, 5, 1) }, /not trusted|does not lead/],
  ])('fails where %s', async (_, raw, options, problem) => {
    expect(await problems(raw, options)).toEqual([expect.stringMatching(problem)]);
  });

  it('was good while its certificate was', async () => {
    expect(await problems(read('expired.eml'), { at: Date.UTC(2020, 5, 1) })).toEqual([]);
  });

  it('is not there in an encrypted message', async () => {
    expect(await problems(read('encrypted.eml'))).toEqual(['not signed: undefined']);
  });
});
