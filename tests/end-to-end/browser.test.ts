/** A page from another origin, in Chromium, with nothing but the web's own means: inbox, reading, moving, searching, drafts, uploads, sending, live updates. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Chromium, noChromium } from '../support/chromium.ts';
import { makeServerFolder, password } from '../support/running-server.ts';
import { sesMessage } from '../support/ses-message.ts';

const page = readFileSync(join(import.meta.dirname, '../fixtures/web-client.html'));

describe.skipIf(noChromium !== undefined)(`a web client in Chromium${noChromium === undefined ? '' : ` (skipped: ${noChromium})`}`, () => {
  it('does its work from another origin', { timeout: 60_000 }, async () => {
    const site = createServer((_request, response) => response.setHeader('content-type', 'text/html').end(page));
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    using folder = makeServerFolder({ corsOrigins: [origin] });
    await using server = await folder.start();
    await using browser = await Chromium.start();
    const { host, port } = server.addressOf('http');
    const tab = await browser.open(origin);
    const run = (code: string) => tab.evaluate(`(async () => { ${code} })()`);
    try {
      const login = [`http://${host}:${port}`, 'me@localhost', password].map((text) => JSON.stringify(text)).join();
      expect(await run(`return connect(${login})`)).toEqual({ refused: 401, challenge: expect.stringContaining('Basic') });

      await run('window.heard = await events(); window.wire = await socket();');
      expect(await run('return wire.echo')).toEqual([['Core/echo', { a: 1 }, 'c']]);
      await folder.drop('op117', sesMessage({ id: 'op117', to: 'me@localhost', subject: 'Rhapsody' }));
      expect(await run('return (await heard.next)["@type"]')).toBe('StateChange');
      expect(await run('return Object.keys((await wire.next).changed[account])')).toEqual(['Email']);

      expect(await run('return (await showInbox()).map(({ subject }) => subject)')).toEqual(['Rhapsody']);
      expect(await run('return document.querySelector("#status").textContent')).toBe('1 messages');
      const shot = await tab.screenshot();
      expect(shot.subarray(1, 4).toString()).toBe('PNG');
      if (process.env['SATCHEL_SCREENSHOT'] !== undefined) writeFileSync(process.env['SATCHEL_SCREENSHOT'], shot);

      const read = 'const [email] = await list({ text: "Rhapsody" }); const archive = await mailbox("archive");';
      expect(await run(`${read} return (await download(email.blobId)).includes("Subject: Rhapsody")`)).toBe(true);
      await run(`${read} await call("Email/set", { update: { [email.id]: { "keywords/$seen": true, mailboxIds: { [archive]: true } } } })`);
      expect(await run('return (await list({ inMailbox: await mailbox("archive") })).map(({ keywords }) => keywords)')).toEqual([
        { $seen: true },
      ]);

      const sent = await run(`
        const blobId = await upload("the score");
        const drafts = await mailbox("drafts");
        const { created } = await call("Email/set", { create: { d: {
          mailboxIds: { [drafts]: true }, keywords: { $draft: true }, subject: "Ballade",
          from: [{ email: "me@localhost" }], to: [{ email: "me@localhost" }],
          textBody: [{ partId: "1", type: "text/plain" }], bodyValues: { 1: { value: "Dear me" } },
          attachments: [{ blobId, type: "text/plain", name: "score.txt" }],
        } } });
        const [identity] = (await call("Identity/get", { ids: null })).list;
        window.heard = await events();
        const submitted = await call("EmailSubmission/set", { create: { s: { emailId: created.d.id, identityId: identity.id } } });
        return submitted.created.s.id;`);
      expect(sent).toEqual(expect.any(String));
      await expect.poll(() => run('return (await showInbox()).map(({ subject }) => subject)'), { timeout: 15_000 }).toEqual(['Ballade']);
    } finally {
      await new Promise((resolve) => site.close(resolve).closeAllConnections());
    }
  });
});
