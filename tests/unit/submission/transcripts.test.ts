import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { openSubmission } from './rig.ts';

const folder = new URL('../../transcripts/submission/', import.meta.url);

describe('submission', () => {
  test.each(readdirSync(folder).filter((name) => name.endsWith('.smtp')))('%s', async (name) => {
    let canRequireTls = false;
    const rig = await openSubmission({ relay: { isThere: true, takesUtf8: false, canRequireTls: () => canRequireTls } });
    let heard = 0;
    for (const [index, line] of readFileSync(new URL(name, folder), 'utf8').split('\n').entries()) {
      const where = `${name}:${index + 1}`;
      const [, speaker, text = ''] = /^(C|S): ?(.*)$/.exec(line) ?? [];
      const [, count] = /^outbox: (\d+)$/.exec(line) ?? [];
      if (line === '(login)') await rig.logIn();
      else if (line === '(the relay offers REQUIRETLS)') canRequireTls = true;
      else if (line === '(the relay offers it no more)') canRequireTls = false;
      else if (line === 'closed') expect(`${where} ${rig.isClosed()}`).toBe(`${where} true`);
      else if (speaker === 'C') await rig.send(`${text}\r\n`);
      else if (speaker === 'S') {
        const said = rig.lines.shift() ?? '(nothing)';
        const fits = text.endsWith('…') ? said.startsWith(text.slice(0, -1)) : said === text;
        expect(`${where} ${fits ? text : said}`).toBe(`${where} ${text}`);
        heard += 1;
      } else if (count !== undefined) expect(`${where} ${rig.queued().length}`).toBe(`${where} ${count}`);
      else expect(`${where} ${line}`).toMatch(/^\S+ (#.*)?$/);
    }
    expect(heard).toBeGreaterThan(0);
    expect(rig.lines).toEqual([]);
  });
});

describe('a message that was taken', () => {
  const commands = 'MAIL FROM:<ada@example.com> RET=HDRS ENVID=a+2Bb\r\nRCPT TO:<zoe@elsewhere.example> NOTIFY=DELAY\r\nDATA\r\n';

  test('has Received, Date and Message-ID on top, no Bcc, and tells nobody where its sender sits', async () => {
    const rig = await openSubmission();
    await rig.logIn();
    await rig.send(
      `${commands}From: ada@example.com\r\nBcc: ben@example.com,\r\n ada@example.com\r\nSubject: x\r\n\r\nBcc: stays\r\n.\r\n`,
    );
    const [message] = await rig.messages();
    expect(message!.toString()).toMatch(
      /^Received: by mx\.example\.com with ESMTPSA id s[0-9a-f]{20};\r\n\t[^\r]+\r\nDate: [^\r]+\r\nMessage-ID: <[0-9a-f]{20}@example\.com>\r\nFrom: ada@example\.com\r\nSubject: x\r\n\r\nBcc: stays\r\n$/,
    );
    expect(message!.toString()).not.toContain('192.0.2.7');
    expect(rig.announced).toEqual(['ada1']);
    expect(rig.queued()[0]!.envelope).toEqual({
      mailFrom: { email: 'ada@example.com', parameters: { RET: 'HDRS', ENVID: 'a+b' } },
      rcptTo: [{ email: 'zoe@elsewhere.example', parameters: { NOTIFY: 'DELAY' } }],
    });
  });

  test('lies in Sent where that is wanted, Bcc and all', async () => {
    const rig = await openSubmission({ keepsSent: true });
    await rig.logIn();
    await rig.send(`${commands}From: ada@example.com\r\nBcc: ben@example.com\r\n\r\nx\r\n.\r\n`);
    const sent = rig.account.read((reader) => {
      const [email] = reader.emails();
      return { mailbox: reader.mailboxByRole('sent')!.total, blob: reader.blob(email!)!, keywords: reader.email(email!)!.keywords };
    });
    expect(sent.mailbox).toBe(1);
    expect(sent.keywords).toEqual(['$seen']);
    expect((await rig.account.blobBytes(sent.blob)).toString()).toContain('Bcc: ben@example.com');
    expect(rig.queued()[0]).toMatchObject({ email: 1, thread: 1 });
  });
});
