import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { LmtpService } from '../../../indexer/sources/lmtp.ts';
import { defaultVerdictRules } from '../../../indexer/verdict.ts';
import { StorageError } from '../../../protocol/mail/errors.ts';
import { type ObjectStore, UnreachedError } from '../../../storage/objects/object-store.ts';
import { countingRandom } from '../../support/open-accounts.ts';
import { ada, ben, lookAt, openRig, TestRecipients } from '../indexer/rig.ts';

const folder = new URL('../../transcripts/lmtp/', import.meta.url);
const idle = () => new Promise((resolve) => setImmediate(resolve));
const messageBytesMax = 1024 * 1024;

/** A store that can be taken away: no request reaches it. */
function removable(store: ObjectStore) {
  const state = { isAway: false };
  const through = new Proxy(store, {
    get(target, name) {
      const member = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        if (state.isAway) return Promise.reject(new UnreachedError('the store is away'));
        return member.apply(target, args);
      };
    },
  });
  return { through, state };
}

async function openLmtp(hostName = 'mx.example.com') {
  const recipients = new TestRecipients();
  let state = { isAway: false };
  const messagesMax = new Map<string, number>();
  const rules = [...defaultVerdictRules, { header: 'X-Spam-Flag', equals: 'YES', action: 'junk' } as const];
  const rig = await openRig({
    recipients,
    quotaLimits: (account) => ({ octets: null, messages: messagesMax.get(account) ?? null }),
    verdicts: rules,
    through: (store) => {
      const wrapped = removable(store);
      state = wrapped.state;
      return wrapped.through;
    },
  });
  // Accounts that are open stay open without the store; a directory answers "unknown" only after it has asked.
  for (const id of [ada, ben]) {
    await lookAt(rig.bucket, id);
    await rig.node.accounts.open(id);
  }
  const directory = {
    async resolveRecipient(address: string) {
      const resolution = await recipients.resolveRecipient(address);
      if (resolution.kind === 'unknown' && state.isAway) throw new StorageError('unavailable', 'the store is away');
      return resolution;
    },
  };
  const { clock } = rig.bucket;
  const service = new LmtpService({
    pipeline: rig.pipeline,
    directory,
    clock,
    random: countingRandom(3),
    hostName,
    defaultDomain: 'example.com',
    messageBytesMax,
  });
  const lines: string[] = [];
  const session = service.open(
    {
      write: (text) => void lines.push(...text.split('\r\n').slice(0, -1)),
      pause() {},
      resume() {},
      close() {},
      startTls: async () => {},
    },
    { address: '192.0.2.7' },
  );
  session.start();
  const send = async (text: string) => {
    session.receive(Buffer.from(text));
    while (session.isBusy) await idle();
  };
  return { ...rig, session, lines, send, state, messagesMax };
}

describe('LMTP', () => {
  const transcripts = readdirSync(folder).filter((name) => name.endsWith('.lmtp'));
  test.each(transcripts)('%s', async (name) => {
    const rig = await openLmtp();
    let octets = 0;
    for (const [index, line] of readFileSync(new URL(name, folder), 'utf8').split('\n').entries()) {
      const where = `${name}:${index + 1}`;
      const [, speaker, text = ''] = /^(C|S):(?: (.*))?$/.exec(line) ?? [];
      const [, person, mailbox, count] = /^mailbox (ada|ben) (INBOX|Junk): (\d+) messages?$/.exec(line) ?? [];
      const [, change] = /^store: (away|back)$/.exec(line) ?? [];
      const [, limited, limit] = /^limit (ada|ben): (\d+) messages?$/.exec(line) ?? [];
      const [, heldFor, reason] = /^held for (\S+): (\w+)$/.exec(line) ?? [];
      if (speaker === 'C') {
        const [, size] = /^\((\d+) octets\)$/.exec(text) ?? [];
        await rig.send(size === undefined ? `${text}\r\n` : `${'x'.repeat(Number(size))}\r\n`);
        octets += text.length;
      } else if (speaker === 'S') {
        const said = text === '(none)' ? rig.lines[0] : rig.lines.shift();
        expect(`${where} ${matches(text, said) ? text : said}`).toBe(`${where} ${text}`);
      } else if (person !== undefined) {
        const found = await lookAt(rig.bucket, person === 'ada' ? ada : ben);
        expect(`${where} ${(mailbox === 'INBOX' ? found.inbox : found.junk).length}`).toBe(`${where} ${count}`);
      } else if (change !== undefined) rig.state.isAway = change === 'away';
      else if (limited !== undefined) rig.messagesMax.set(limited === 'ada' ? ada : ben, Number(limit));
      else if (heldFor !== undefined) {
        const events = rig.events.filter((event) => event.kind === 'held').map((event) => ({ ...event, name: '' }));
        expect(events).toMatchObject([{ reason, recipients: [heldFor] }]);
      } else expect(`${where} ${line}`).toMatch(/^\S+ (#.*)?$/);
    }
    expect(octets).toBeGreaterThan(0);
    expect(rig.lines).toEqual([]);
  });
});

function matches(pattern: string, said: string | undefined): boolean {
  if (pattern === '(none)') return said === undefined;
  if (said === undefined) return false;
  return pattern.endsWith('…') ? said.startsWith(pattern.slice(0, -1)) : said === pattern;
}

describe('a message by LMTP', () => {
  const commands = 'LHLO mta.example.org\r\nMAIL FROM:<noor@sender.example>\r\nRCPT TO:<ada@example.com>\r\n';

  test('gets Return-Path and Received on top, and is byte for byte below', async () => {
    const rig = await openLmtp();
    const body = 'Subject: x\r\nX: \xff\0\r\n\r\n.dots\r\nbare\nline ends\r stay\r\n';
    rig.session.receive(Buffer.from(`${commands}DATA\r\n${body.replace('.dots', '..dots')}.\r\n`, 'latin1'));
    while (rig.session.isBusy) await idle();
    const [message] = (await lookAt(rig.bucket, ada)).inbox;
    const text = message!.bytes.toString('latin1');
    expect(text.endsWith(body)).toBe(true);
    expect(text.slice(0, -body.length)).toMatch(
      /^Return-Path: <noor@sender\.example>\r\nReceived: from mta\.example\.org \(\[192\.0\.2\.7\]\)\r\n\tby mx\.example\.com with LMTP id [0-9a-f]{16}\r\n\tfor <ada@example\.com>;\r\n\t\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000\r\n$/,
    );
    expect(message!.delivery).toMatchObject({ source: 'lmtp', envelopeFrom: 'noor@sender.example', envelopeTo: 'ada@example.com' });
  });

  test('does not tell one recipient of another', async () => {
    const rig = await openLmtp();
    await rig.send(`${commands}RCPT TO:<ben@example.com>\r\nDATA\r\nSubject: bcc\r\n.\r\n`);
    expect((await lookAt(rig.bucket, ada)).inbox[0]!.bytes.toString()).not.toContain('ben@');
  });

  test('is not in the account before 250 is said, and is when it was', async () => {
    const rig = await openLmtp();
    rig.session.receive(Buffer.from(`${commands}DATA\r\nSubject: x\r\n.\r\n`));
    while (!rig.lines.at(-1)?.startsWith('250 2.1.5 delivered')) {
      expect(rig.session.isBusy).toBe(true);
      await idle();
    }
    expect((await lookAt(rig.bucket, ada)).inbox).toHaveLength(1);
  });

  test('cannot bring an SES block of its own: verdicts in it count for nothing', async () => {
    const rig = await openLmtp();
    await rig.send(
      `${commands}DATA\r\nX-SES-Spam-Verdict: FAIL\r\nX-SES-Virus-Verdict: FAIL\r\nReceived: from a by b; c\r\nSubject: x\r\n.\r\n`,
    );
    expect((await lookAt(rig.bucket, ada)).inbox).toHaveLength(1);
  });
});
