/** What a person reads at a start: where everything listens, how to log in, and how to drop a message in. Only what is there is named. */
import { join } from 'node:path';
import type { Config } from './config.ts';

export interface Listening {
  readonly name: keyof Config['listen'];
  /** `127.0.0.1:1143`, with the port that it became. */
  readonly at: string;
}

export interface FirstAccount {
  readonly address: string;
  readonly password: string;
}

const words: Readonly<Record<Listening['name'], string>> = {
  imap: 'IMAP (STARTTLS)',
  imaps: 'IMAP (TLS)',
  submission: 'Submission (STARTTLS)',
  submissions: 'Submission (TLS)',
  lmtp: 'LMTP',
  managesieve: 'ManageSieve',
  http: 'JMAP (HTTP)',
  https: 'JMAP (HTTPS)',
};

export interface Start {
  readonly config: Config;
  readonly listening: readonly Listening[];
  readonly store: string;
  readonly isSelfSigned: boolean;
  /** Where it was made just now. */
  readonly firstAccount: FirstAccount | undefined;
  readonly hasAccounts: boolean;
}

export function formatAnnouncement({ config, listening, store, isSelfSigned, firstAccount, hasAccounts }: Start): string {
  const width = Math.max(...listening.map(({ name }) => words[name].length), 'Store'.length);
  const row = (title: string, value: string) => `  ${title.padEnd(width)}  ${value}`;
  const lines = ['Satchel is serving.', '', row('Store', store), ...listening.map(({ name, at }) => row(words[name], at))];
  if (listening.some(({ name }) => name === 'http' || name === 'https')) lines.push(row('Web page', config.publicUrl));
  if (isSelfSigned)
    lines.push(
      '',
      `The certificate is self-signed (${join(config.dataDir, 'tls', 'cert.pem')}): mail programs ask once whether to trust it.`,
    );
  if (firstAccount !== undefined) {
    lines.push(
      '',
      `Account:   ${firstAccount.address}`,
      `Password:  ${firstAccount.password}   (shown this once; \`npx satchel account password\` sets another)`,
    );
  }
  if (!hasAccounts) {
    lines.push(
      '',
      'There is no account yet:  npx satchel domain add example.com',
      '                          npx satchel account add ada@example.com',
    );
  }
  lines.push('', ...dropIn(config, firstAccount?.address ?? 'ADDRESS'), '');
  return lines.join('\n');
}

function dropIn(config: Config, address: string): string[] {
  const { store, inbound } = config;
  // The sweep leaves what an event may still tell of to the event.
  const isTold = inbound.http.topicArns.length > 0 || inbound.http.token !== undefined || inbound.sqs.length > 0;
  const waits = isTold ? ['                    (found within the hour where no event tells of it)'] : [];
  if (store.driver === 's3') {
    return [
      `Drop a message in:  aws s3 cp message.eml s3://${store.bucket}/${store.prefix}${inbound.prefix}${address}/message.eml`,
      ...waits,
    ];
  }
  const folder = join(store.path, inbound.prefix);
  return [
    `Drop a message in:  copy a file into ${folder}`,
    `                    (to one account whatever its headers say: ${join(folder, address)}/)`,
    ...waits,
  ];
}
