/** Where the S/MIME signature of a message is (RFC 8551 §3.5), by its structure. */
import { parameter } from './parameters.ts';
import type { Part } from './structure.ts';

export type SignedPart =
  /** RFC 8551 §3.5.3: what is signed, byte for byte with its header, and the part with the signature. */
  | { readonly kind: 'detached'; readonly signed: Part; readonly signature: Part }
  /** RFC 8551 §3.5.2: signature and content in one. */
  | { readonly kind: 'opaque'; readonly content: Part }
  /** Of another protocol (OpenPGP), or without its parts: signed, but not in a way that is known here. */
  | { readonly kind: 'other' };

/** undefined where the message is not signed. */
export function signedPart(root: Part): SignedPart | undefined {
  const type = `${root.type}/${root.subtype}`;
  if (type === 'multipart/signed') {
    const protocol = parameter(root.parameters, 'protocol')?.toLowerCase() ?? '';
    const [signed, signature] = root.children ?? [];
    const isOurs = /^application\/(x-)?pkcs7-signature$/.test(protocol) && root.children?.length === 2;
    return isOurs && signed !== undefined && signature !== undefined ? { kind: 'detached', signed, signature } : { kind: 'other' };
  }
  if (!/^application\/(x-)?pkcs7-mime$/.test(type)) return undefined;
  const kind = parameter(root.parameters, 'smime-type')?.toLowerCase();
  return kind === 'signed-data' ? { kind: 'opaque', content: root } : undefined;
}
