/** What a browser shows at the server's address: how a mail program is set up. It tells nothing that set-up over HTTP does not tell anybody as well. */
import { hash } from 'node:crypto';
import type { ClientSetup, SetupService } from '../../admin/client-setup.ts';
import { Xml, xml } from './xml.ts';

const style = `
  :root { color-scheme: light dark; }
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 38rem; margin: 3rem auto; padding: 0 1rem; }
  h1 { font-size: 1.6rem; margin-bottom: 0; }
  h2 { font-size: 1.1rem; margin-top: 2rem; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
  th { font-weight: 600; }
  code { font-family: ui-monospace, monospace; word-break: break-word; }
  form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
  input, button { font: inherit; padding: .3rem .6rem; max-width: 100%; box-sizing: border-box; }
  [role=alert] { border-left: .25rem solid #c60; padding-left: .8rem; }
`;

/** Nothing is fetched, run or framed; the form leads back here. */
export const frontPagePolicy = `default-src 'none'; style-src 'sha256-${hash('sha256', style, 'base64')}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`;

const rows: readonly (readonly [service: SetupService, what: string, security: string])[] = [
  ['imaps', 'Reading: IMAP', 'SSL/TLS'],
  ['imap', 'Reading: IMAP', 'STARTTLS'],
  ['submissions', 'Sending: SMTP', 'SSL/TLS'],
  ['submission', 'Sending: SMTP', 'STARTTLS'],
  ['managesieve', 'Filters: ManageSieve', 'STARTTLS'],
];

/** `notice`: a sentence about what was asked for. */
export function frontPage({ host, services }: ClientSetup, publicUrl: string, notice?: string): string {
  const present = rows.filter(([service]) => services[service] !== undefined);
  const row = ([service, what, security]: (typeof rows)[number]): Xml =>
    xml`<tr><th scope="row">${what}</th><td>port <code>${services[service]!}</code>, ${security}</td></tr>`;
  const jmap = `${publicUrl.replace(/\/+$/, '')}/.well-known/jmap`;
  const has = (...either: readonly SetupService[]) => either.some((service) => services[service] !== undefined);
  // A profile is for both.
  const profile = xml`<h2>iPhone, iPad, Mac</h2>
${notice === undefined ? '' : xml`<p role="alert">${notice}</p>`}
<form action="/mail.mobileconfig"><label>Your address <input name="email" type="email" required="" autocomplete="email"/></label> <button>Get the profile</button></form>`;
  const page = xml`<html lang="en">
<head><meta charset="utf-8"/><meta name="viewport" content="width=device-width, initial-scale=1"/><title>Mail at ${host}</title><style>${new Xml(style)}</style></head>
<body>
<h1>Mail at ${host}</h1>
<p>Satchel is serving. Your user name is your whole address. Many mail programs find these settings by themselves.</p>
<table>
<tr><th scope="row">Server</th><td><code>${host}</code></td></tr>
${present.map(row)}<tr><th scope="row">JMAP</th><td><code>${jmap}</code></td></tr>
</table>
${has('imap', 'imaps') && has('submission', 'submissions') ? profile : ''}
</body>
</html>
`;
  return `<!doctype html>\n${page.text}`;
}
