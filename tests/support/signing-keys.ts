/** DKIM keys of a domain that a test sends from, made and put to use by the verbs of a server that runs in the test. */
import type { verbs } from '../../server/admin/verbs.ts';

type Verb = (name: string, parameters: object) => ReturnType<(typeof verbs)[number]['run']>;

/** Active keys of both algorithms; the DNS records that publish them, by name. */
export async function makeSigningKeys(verb: Verb, domain: string): Promise<ReadonlyMap<string, string>> {
  const records = new Map<string, string>();
  for (const algorithm of ['rsa', 'ed25519']) {
    const made = (await verb('dkim add', { domain, algorithm })) as { selector: string; dns: { name: string; value: string } };
    records.set(made.dns.name, made.dns.value);
    await verb('dkim activate', { domain, selector: made.selector });
  }
  return records;
}
