/**
 * DKIM keys of the domains: objects of type `dkim` in the account `directory`, under `<selector>._domainkey.<domain>`. A key is made as `waiting`; when its DNS
 * record is out the administrator makes it `active`, and the active one of its kind `retired`: retired keys sign nothing, but their records are to stay in DNS
 * for a week, until nothing that they signed is on its way.
 */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { MailError } from '../../protocol/mail/errors.ts';
import type { Account, AccountReader } from '../account/api.ts';
import { canonicalDomain } from './address.ts';

export type DkimAlgorithm = 'rsa' | 'ed25519';

export interface DkimRecord {
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: DkimAlgorithm;
  /** PKCS #8, PEM. */
  readonly privateKey: string;
  /** What `p=` says in DNS. */
  readonly publicKey: string;
  readonly state: 'waiting' | 'active' | 'retired';
  readonly createdAt: number;
  readonly changedAt: number;
}

const dkimType = 'dkim';
/** Bits of RSA keys: RFC 8301 §3.2 asks for at least 1024 and recommends 2048; longer ones do not fit one DNS string. */
const rsaBits = 2048;
/** Keys of one domain, retired ones included. */
const keysMax = 20;

const idOf = (selector: string, domain: string) => `${selector}._domainkey.${domain}`;

export function dkimKeys(reader: AccountReader, domain?: string): readonly DkimRecord[] {
  const all = [...reader.objects<DkimRecord>(dkimType)].map(({ value }) => value);
  return domain === undefined ? all : all.filter((key) => key.domain === domain);
}

/** The DNS record that a verifier looks for. */
export function dkimDnsRecord({ selector, domain, algorithm, publicKey }: DkimRecord): { readonly name: string; readonly value: string } {
  return { name: idOf(selector, domain), value: `v=DKIM1; k=${algorithm}; p=${publicKey}` };
}

/** Makes a key for a domain of the directory. `date`: `20270331`, for the selector. */
export async function addDkimKey(directory: Account, name: string, algorithm: DkimAlgorithm, date: string): Promise<DkimRecord> {
  const domain = canonicalDomain(name);
  if (domain === undefined) throw new MailError('invalidArguments', `"${name}" is not a domain name.`);
  const pair = algorithm === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: rsaBits }) : generateKeyPairSync('ed25519');
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' });
  // RFC 8463 §4: ed25519 keys stand bare, as the last 32 bytes of their SubjectPublicKeyInfo.
  const publicKey = (algorithm === 'rsa' ? spki : spki.subarray(-32)).toString('base64');
  const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return directory.transact((tx) => {
    if (tx.object('domain', domain) === undefined) throw new MailError('notFound', `${domain} is not a domain of this directory.`);
    const keys = dkimKeys(tx, domain);
    if (keys.length >= keysMax) throw new MailError('limit', `${domain} has ${keysMax} keys: remove retired ones first.`);
    const base = `s${date}${algorithm === 'rsa' ? 'r' : 'e'}`;
    let selector = base;
    for (let n = 2; tx.object(dkimType, idOf(selector, domain)) !== undefined; n++) selector = `${base}${n}`;
    const record: DkimRecord = { domain, selector, algorithm, privateKey, publicKey, state: 'waiting', createdAt: tx.at, changedAt: tx.at };
    tx.putObject(dkimType, idOf(selector, domain), record);
    return record;
  });
}

/** From now on this key signs; the one of its kind that did is retired. */
export function activateDkimKey(directory: Account, domain: string, selector: string): Promise<DkimRecord> {
  return directory.transact((tx) => {
    const found = tx.object<DkimRecord>(dkimType, idOf(selector, domain));
    if (found === undefined) throw new MailError('notFound', `${domain} has no key ${selector}.`);
    for (const key of dkimKeys(tx, domain)) {
      if (key.algorithm !== found.algorithm || key.state !== 'active' || key.selector === selector) continue;
      tx.putObject(dkimType, idOf(key.selector, domain), { ...key, state: 'retired', changedAt: tx.at } satisfies DkimRecord);
    }
    const active: DkimRecord = { ...found, state: 'active', changedAt: tx.at };
    tx.putObject(dkimType, idOf(selector, domain), active);
    return active;
  });
}

export function removeDkimKey(directory: Account, domain: string, selector: string): Promise<void> {
  return directory.transact((tx) => {
    if (tx.object(dkimType, idOf(selector, domain)) === undefined) throw new MailError('notFound', `${domain} has no key ${selector}.`);
    tx.removeObject(dkimType, idOf(selector, domain));
  });
}

/** The keys that sign for a domain now, ready to use. */
export function activeKeys(reader: AccountReader, domain: string) {
  return dkimKeys(reader, domain)
    .filter(({ state }) => state === 'active')
    .map(({ selector, algorithm, privateKey }) => ({ domain, selector, algorithm, privateKey: createPrivateKey(privateKey) }));
}
