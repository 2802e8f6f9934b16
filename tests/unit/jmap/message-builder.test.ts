/** Messages that clients make: nothing they say becomes another header field, and what they say comes back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildMessage, readEmailSettings } from '../../../protocol/jmap/message-builder.ts';
import { deriveFacts } from '../../../protocol/mime/facts.ts';
import { scanHeader } from '../../../protocol/mime/header.ts';
import { decodePartText } from '../../../protocol/mime/part-content.ts';

const ports = { blob: () => undefined, boundary: () => 'boundary', messageId: () => 'id@example.com', now: Date.UTC(2026, 0, 1) };
const build = (settings: Record<string, unknown>) => buildMessage(readEmailSettings({ mailboxIds: { m1: true }, ...settings }), ports);
const text = fc.string({ unit: 'grapheme', maxLength: 200 });

describe('a built message', () => {
  it('has the fields that were asked for and no others, whatever is in their values', () => {
    fc.assert(
      fc.property(text, text, text, (subject, name, thing) => {
        const raw = build({ subject, from: [{ name, email: 'a@example.com' }], 'header:X-Thing:asText': thing });
        const names = scanHeader(raw).fields.map((field) => field.name);
        expect(names.toSorted()).toEqual(['content-type', 'date', 'from', 'message-id', 'mime-version', 'subject', 'x-thing']);
      }),
    );
  });

  it('gives subject and body back as they were', () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 300 }).map((value) => value.replace(/[\r\n\0]/g, ' '));
    fc.assert(
      fc.property(line, fc.array(line, { maxLength: 5 }), (subject, lines) => {
        const body = lines.join('\n');
        const raw = build({ subject, textBody: [{ partId: 't', type: 'text/plain' }], bodyValues: { t: { value: body } } });
        const facts = deriveFacts(raw);
        expect(facts.subject).toBe(
          subject
            .replace(/[\s\0]+/g, ' ')
            .trim()
            .normalize('NFC'),
        );
        expect(decodePartText(raw, facts.root).replaceAll('\r\n', '\n')).toBe(body.toWellFormed());
      }),
    );
  });

  it('has no line over 998 octets, which RFC 5322 §2.1.1 forbids', () => {
    const raw = build({
      subject: 'word '.repeat(600),
      to: Array.from({ length: 300 }, (_, i) => ({ name: `Person ${i}`, email: `p${i}@example.com` })),
      htmlBody: [{ partId: 'h', type: 'text/html' }],
      bodyValues: { h: { value: 'x'.repeat(5000) } },
    });
    const longest = Math.max(
      ...raw
        .toString('latin1')
        .split('\r\n')
        .map((line) => line.length),
    );
    expect(longest).toBeLessThanOrEqual(998);
  });

  it('keeps the zone of sentAt', () => {
    expect(build({ sentAt: '2026-03-01T08:00:00+01:00' }).toString()).toContain('Date: Sun, 01 Mar 2026 08:00:00 +0100\r\n');
  });
});
