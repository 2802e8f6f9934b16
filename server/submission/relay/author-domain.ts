/** The domain of a message's author: whose key signs it (RFC 7489 §3.1: From is what the signature is to agree with). */
import { fieldValue, scanHeader } from '../../../protocol/mime/header.ts';
import { asAddresses } from '../../../protocol/mime/header-forms.ts';
import { canonicalDomain } from '../../../storage/directory/address.ts';

function authorOf(message: Buffer): string | undefined {
  const field = scanHeader(message).fields.find(({ name }) => name === 'from');
  return field && asAddresses(fieldValue(message, field))[0]?.email;
}

export function authorDomain(message: Buffer): string | undefined {
  const author = authorOf(message);
  return author && canonicalDomain(author.slice(author.lastIndexOf('@') + 1));
}
