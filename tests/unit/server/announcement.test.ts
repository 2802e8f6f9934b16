import { expect, it } from 'vitest';
import { formatAnnouncement } from '../../../server/announcement.ts';
import { effectiveConfig } from '../../../server/config.ts';

const base = { base: '/srv', hasFile: false };

const nothing = { listening: [], store: 'file /srv/satchel-data/bucket', isSelfSigned: false, firstAccount: undefined, hasAccounts: true };

it('names what listens and nothing else, the account once, and where to drop a message', () => {
  const text = formatAnnouncement({
    ...nothing,
    config: effectiveConfig({}, base),
    listening: [{ name: 'imaps', at: '127.0.0.1:1993' }],
    firstAccount: { address: 'me@localhost', password: 'aaaa-bbbb' },
    isSelfSigned: true,
  });
  expect(text).toContain('IMAP (TLS)  127.0.0.1:1993');
  expect(text).toContain('Account:   me@localhost\nPassword:  aaaa-bbbb');
  expect(text).toContain('copy a file into /srv/satchel-data/bucket/inbound');
  expect(text).toContain('/srv/satchel-data/tls/cert.pem');
  expect(text).not.toMatch(/LMTP|HTTP|Web|Submission|no account/);
});

it('names the web page where HTTP is served, and says how to make an account where there is none', () => {
  const config = effectiveConfig({ publicUrl: 'https://mail.example.com' }, base);
  const text = formatAnnouncement({ ...nothing, config, listening: [{ name: 'https', at: '0.0.0.0:443' }], hasAccounts: false });
  expect(text).toMatch(/JMAP \(HTTPS\) +0\.0\.0\.0:443\n +Web page +https:\/\/mail\.example\.com/);
  expect(text).toContain('There is no account yet:  npx satchel domain add');
});

it('on S3 says how to copy into the bucket, and without a first account names none', () => {
  const config = effectiveConfig({ store: { driver: 's3', bucket: 'my-mail', prefix: 'satchel/' } }, base);
  const text = formatAnnouncement({ ...nothing, config, store: 's3 my-mail satchel/' });
  expect(text).toContain('s3://my-mail/satchel/inbound/ADDRESS/message.eml');
  expect(text).not.toMatch(/Password|self-signed/);
});

it('says that a dropped message waits where events tell of mail, and only there', () => {
  const text = (inbound: object) => formatAnnouncement({ ...nothing, config: effectiveConfig({ inbound }, base) });
  expect(text({ http: { token: 'a token of tests' } })).toContain('found within the hour where no event tells of it');
  expect(text({})).not.toContain('within the hour');
});
