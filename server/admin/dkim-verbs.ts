/** `dkim`: the keys that sign what leaves by an SMTP relay. SES signs by itself. */
import Type from 'typebox';
import type { AccountId } from '../../protocol/mail/ids.ts';
import { activateDkimKey, addDkimKey, type DkimRecord, dkimDnsRecord, dkimKeys, removeDkimKey } from '../../storage/directory/dkim.ts';
import { directoryAccountId } from '../../storage/objects/object-keys.ts';
import type { AdminServices } from './services.ts';
import { defineVerb, formatTable, parameters, type Verb } from './verb.ts';

const Domain = Type.String({ minLength: 1, maxLength: 253, description: 'a domain of the directory' });
const Selector = Type.String({ pattern: '^[a-z0-9-]{1,63}$', description: "the key's selector, as `dkim list` shows it" });

const directoryOf = ({ mail }: AdminServices) => mail.accounts.open(directoryAccountId as AccountId);

/** The key itself stays where it is. */
const shown = (key: DkimRecord) => ({
  domain: key.domain,
  selector: key.selector,
  algorithm: key.algorithm,
  state: key.state,
  createdAt: new Date(key.createdAt).toISOString(),
  dns: dkimDnsRecord(key),
});

/** RFC 1035 §3.3.14: a string of a TXT record has at most 255 bytes. */
const zoneLine = ({ name, value }: { readonly name: string; readonly value: string }) =>
  `${name}. IN TXT ${(value.match(/.{1,255}/g) ?? []).map((piece) => `"${piece}"`).join(' ')}`;

export const dkimVerbs: readonly Verb[] = [
  defineVerb({
    name: 'dkim list',
    summary: 'List the DKIM keys of all domains.',
    method: 'GET',
    path: '/dkim',
    parameters: parameters({}),
    positional: [],
    run: async (services) => ({ keys: (await directoryOf(services)).read((reader) => dkimKeys(reader)).map(shown) }),
    print: ({ keys }) => {
      const rows = keys.map(({ domain, selector, algorithm, state, createdAt }) => [domain, selector, algorithm, state, createdAt]);
      return rows.length === 0 ? '' : formatTable(['DOMAIN', 'SELECTOR', 'KIND', 'STATE', 'MADE'], rows);
    },
  }),
  defineVerb({
    name: 'dkim add',
    summary: 'Make a DKIM key for a domain and print its DNS record. It signs once it is activated.',
    method: 'POST',
    path: '/dkim/:domain',
    parameters: parameters({
      domain: Domain,
      algorithm: Type.Optional(
        Type.Union([Type.Literal('rsa'), Type.Literal('ed25519')], { description: 'rsa (which all verify) or ed25519' }),
      ),
    }),
    positional: ['domain'],
    run: async (services, { domain, algorithm = 'rsa' }) => {
      const date = new Date(services.mail.clock.now()).toISOString().slice(0, 10).replaceAll('-', '');
      return shown(await addDkimKey(await directoryOf(services), domain, algorithm, date));
    },
    print: ({ dns, domain, selector }) =>
      `Publish this record, and when it is out run \`satchel dkim activate ${domain} ${selector}\`:\n\n${zoneLine(dns)}`,
  }),
  defineVerb({
    name: 'dkim activate',
    summary: 'Sign with this key from now on; the key of its kind that signed until now is retired.',
    method: 'PUT',
    path: '/dkim/:domain/:selector',
    parameters: parameters({ domain: Domain, selector: Selector }),
    positional: ['domain', 'selector'],
    run: async (services, { domain, selector }) => shown(await activateDkimKey(await directoryOf(services), domain, selector)),
    print: ({ domain, selector }) => `${selector} signs for ${domain}. Leave the record of the retired key in DNS for a week.`,
  }),
  defineVerb({
    name: 'dkim remove',
    summary: 'Remove a DKIM key for good.',
    method: 'DELETE',
    path: '/dkim/:domain/:selector',
    parameters: parameters({ domain: Domain, selector: Selector }),
    positional: ['domain', 'selector'],
    run: async (services, { domain, selector }) => {
      await removeDkimKey(await directoryOf(services), domain, selector);
      return { domain, selector };
    },
    print: ({ selector }) => `Removed ${selector}. Its DNS record can go.`,
  }),
];
