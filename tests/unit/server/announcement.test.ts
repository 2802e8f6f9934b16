import { expect, it } from 'vitest';
import { formatAnnouncement } from '../../../server/announcement.ts';
import { effectiveConfig } from '../../../server/config.ts';

const base = { base: '/srv', hasFile: false };

it('names what listens and nothing else, the account once, and where to drop a message', () => {
  const text = formatAnnouncement(
    effectiveConfig({}, base),
    [{ name: 'imaps', at: '127.0.0.1:1993' }],
    'file /srv/satchel-data/bucket',
    { address: 'me@localhost', password: 'aaaa-bbbb' },
    true,
  );
  expect(text).toContain('IMAP (TLS)  127.0.0.1:1993');
  expect(text).toContain('Account:   me@localhost\nPassword:  aaaa-bbbb');
  expect(text).toContain('copy a file into /srv/satchel-data/bucket/inbound');
  expect(text).toContain('/srv/satchel-data/tls/cert.pem');
  expect(text).not.toMatch(/LMTP|HTTP|Submission/);
});

it('on S3 says how to copy into the bucket, and without a first account names none', () => {
  const config = effectiveConfig({ store: { driver: 's3', bucket: 'my-mail', prefix: 'satchel/' } }, base);
  const text = formatAnnouncement(config, [], 's3 my-mail satchel/', undefined, false);
  expect(text).toContain('s3://my-mail/satchel/inbound/ADDRESS/message.eml');
  expect(text).not.toMatch(/Password|self-signed/);
});
