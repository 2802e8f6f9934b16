/**
 * The documents from which mail programs set themselves up: Thunderbird's autoconfig (config-v1.1), Outlook's autodiscover (MS-OXDSCLI §2.2.3.1, the
 * POX form), Apple's configuration profile. Nothing in them says whether an account exists.
 */
import { hash } from 'node:crypto';
import type { ClientSetup } from '../../admin/client-setup.ts';
import { type Xml, xml } from './xml.ts';

/** One way to one protocol. */
interface Road {
  readonly port: number;
  readonly isImplicitTls: boolean;
}

/** RFC 8314 §4.1: TLS at once first. */
function roads(setup: ClientSetup, implicit: 'imaps' | 'submissions', startTls: 'imap' | 'submission'): readonly Road[] {
  return [
    { port: setup.services[implicit], isImplicitTls: true },
    { port: setup.services[startTls], isImplicitTls: false },
  ].filter((road): road is Road => road.port !== undefined);
}

const incoming = (setup: ClientSetup) => roads(setup, 'imaps', 'imap');
const outgoing = (setup: ClientSetup) => roads(setup, 'submissions', 'submission');

const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n';

export function autoconfig(domain: string, setup: ClientSetup): string {
  const server = (element: 'incoming' | 'outgoing', type: string, { port, isImplicitTls }: Road): Xml => xml`
    <${element === 'incoming' ? incomingServer : outgoingServer} type="${type}">
      <hostname>${setup.host}</hostname>
      <port>${port}</port>
      <socketType>${isImplicitTls ? 'SSL' : 'STARTTLS'}</socketType>
      <authentication>password-cleartext</authentication>
      <username>%EMAILADDRESS%</username>
    </${element === 'incoming' ? incomingServer : outgoingServer}>`;
  const document = xml`<clientConfig version="1.1">
  <emailProvider id="${domain}">
    <domain>${domain}</domain>
    <displayName>${domain}</displayName>
    <displayShortName>${domain}</displayShortName>${incoming(setup).map((road) => server('incoming', 'imap', road))}${outgoing(setup).map((road) => server('outgoing', 'smtp', road))}
  </emailProvider>
</clientConfig>
`;
  return declaration + document.text;
}

const incomingServer = xml`incomingServer`;
const outgoingServer = xml`outgoingServer`;

const outlookSchema = 'http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a';
const autodiscoverSchema = 'http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006';

export function autodiscover(address: string, setup: ClientSetup): string {
  const protocol = (type: 'IMAP' | 'SMTP', { port, isImplicitTls }: Road): Xml => xml`
      <Protocol>
        <Type>${type}</Type>
        <Server>${setup.host}</Server>
        <Port>${port}</Port>
        <DomainRequired>off</DomainRequired>
        <LoginName>${address}</LoginName>
        <SPA>off</SPA>
        <SSL>${isImplicitTls ? 'on' : 'off'}</SSL>
        <Encryption>${isImplicitTls ? 'SSL' : 'TLS'}</Encryption>
        <AuthRequired>on</AuthRequired>
      </Protocol>`;
  // Outlook takes the first of a type.
  const [[first], [sender]] = [incoming(setup), outgoing(setup)];
  const document = xml`<Autodiscover xmlns="${autodiscoverSchema}">
  <Response xmlns="${outlookSchema}">
    <User>
      <DisplayName>${address}</DisplayName>
    </User>
    <Account>
      <AccountType>email</AccountType>
      <Action>settings</Action>${first === undefined ? [] : [protocol('IMAP', first)]}${sender === undefined ? [] : [protocol('SMTP', sender)]}
    </Account>
  </Response>
</Autodiscover>
`;
  return declaration + document.text;
}

/** 600: the request cannot be read. 601: its schema is not answered here. 602: the address is none of ours. */
export function autodiscoverError(code: 600 | 601 | 602, message: string, time: string): string {
  const document = xml`<Autodiscover xmlns="${autodiscoverSchema}">
  <Response>
    <Error Time="${time}" Id="1">
      <ErrorCode>${code}</ErrorCode>
      <Message>${message}</Message>
      <DebugData/>
    </Error>
  </Response>
</Autodiscover>
`;
  return declaration + document.text;
}

/** Undefined where there is no way to send: a profile must have both. */
export function appleProfile(address: string, setup: ClientSetup): string | undefined {
  const [[receive], [send]] = [incoming(setup), outgoing(setup)];
  if (receive === undefined || send === undefined) return undefined;
  const domain = address.slice(address.lastIndexOf('@') + 1);
  const entry = (key: string, value: string | number | boolean): Xml => {
    if (typeof value === 'boolean') return xml`<key>${key}</key>${value ? xml`<true/>` : xml`<false/>`}\n`;
    return typeof value === 'number'
      ? xml`<key>${key}</key><integer>${value}</integer>\n`
      : xml`<key>${key}</key><string>${value}</string>\n`;
  };
  // The same for an address each time, so that a profile that is installed again replaces the one before.
  const identifier = (purpose: string) => uuidOf(`${purpose} ${address} ${setup.host}`);
  const account = [
    entry('PayloadType', 'com.apple.mail.managed'),
    entry('PayloadVersion', 1),
    entry('PayloadIdentifier', `${reversed(setup.host)}.mail.${identifier('account')}`),
    entry('PayloadUUID', identifier('account')),
    entry('PayloadDisplayName', address),
    entry('EmailAccountType', 'EmailTypeIMAP'),
    entry('EmailAccountDescription', domain),
    entry('EmailAddress', address),
    ...(['Incoming', 'Outgoing'] as const).flatMap((side) => [
      entry(`${side}MailServerAuthentication`, 'EmailAuthPassword'),
      entry(`${side}MailServerHostName`, setup.host),
      entry(`${side}MailServerPortNumber`, (side === 'Incoming' ? receive : send).port),
      entry(`${side}MailServerUseSSL`, true),
      entry(`${side}MailServerUsername`, address),
    ]),
    entry('OutgoingPasswordSameAsIncomingPassword', true),
  ];
  const document = xml`<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
${[
  entry('PayloadType', 'Configuration'),
  entry('PayloadVersion', 1),
  entry('PayloadIdentifier', `${reversed(setup.host)}.${identifier('profile')}`),
  entry('PayloadUUID', identifier('profile')),
  entry('PayloadDisplayName', `Mail of ${domain}`),
  entry('PayloadDescription', `Sets up ${address}. The password is asked for.`),
]}<key>PayloadContent</key>
<array>
<dict>
${account}</dict>
</array>
</dict>
</plist>
`;
  return declaration + document.text;
}

const reversed = (host: string) => host.split('.').reverse().join('.');

/** RFC 9562 §5.8: a UUID of our own making, from a hash. */
function uuidOf(text: string): string {
  const bytes = hash('sha256', text, 'buffer').subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
    .toUpperCase();
}
