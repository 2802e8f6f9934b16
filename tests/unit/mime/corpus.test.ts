import { simpleParser } from 'mailparser';
import { describe, expect, it } from 'vitest';
import { mailboxesOf, toEmailAddress } from '../../../protocol/mime/address.ts';
import { deriveFacts } from '../../../protocol/mime/facts.ts';
import { extractText } from '../../../protocol/mime/text-extract.ts';
import { type CorpusMessage, difficultFolder, difficultMessages, spamAssassinMessages } from '../../support/corpus.ts';
import { checkHeaderFacts, checkMessage } from './invariants.ts';

/** With CRLF, as mail arrives by SMTP. */
function withCrlf({ name, raw }: CorpusMessage): CorpusMessage {
  return { name, raw: Buffer.from(raw.toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1') };
}

function faults(messages: Iterable<CorpusMessage>): string[] {
  const found: string[] = [];
  for (const { name, raw } of messages) {
    try {
      checkMessage(raw);
    } catch (error) {
      found.push(`${name}: ${(error as Error).message}`);
    }
  }
  return found;
}

describe('the SpamAssassin corpus', () => {
  const messages = spamAssassinMessages();

  it('holds every invariant, as stored and with CRLF', () => {
    expect(messages.length).toBeGreaterThan(6000);
    expect(faults(messages)).toEqual([]);
    expect(faults(messages.map(withCrlf))).toEqual([]);
  });

  it('has its list headers in the facts of every message', () => {
    let answered = 0;
    for (const { raw } of messages) {
      const facts = deriveFacts(raw);
      answered += Math.min(checkHeaderFacts(raw.subarray(0, facts.headerOctets), facts), 1);
    }
    expect(answered).toBe(messages.length);
  });

  it('agrees with mailparser on subjects, senders and dates', async () => {
    const differing: string[] = [];
    const sample = messages.filter((_, i) => i % 10 === 0);
    for (const { name, raw } of sample) {
      const facts = deriveFacts(raw);
      const theirs = await simpleParser(raw.subarray(0, facts.headerOctets), { skipTextToHtml: true });
      const theirFrom = theirs.from?.value.map((entry) => entry.address ?? '').join() ?? '';
      const ourFrom = mailboxesOf(facts.envelope.from ?? [])
        .map((entry) => toEmailAddress(entry).email)
        .join();
      if (theirFrom.toLowerCase() !== ourFrom.toLowerCase()) differing.push(`${name}: from ${ourFrom} | ${theirFrom}`);
      const theirSubject = (theirs.subject ?? '').replace(/\s+/g, ' ').trim();
      const isEightBit = /[^\x00-\x7f]/.test(theirSubject);
      if (!isEightBit && theirSubject !== facts.subject) differing.push(`${name}: subject ${facts.subject} | ${theirSubject}`);
      if (theirs.date !== undefined && facts.sentAt !== undefined && theirs.date.getTime() !== facts.sentAt) {
        differing.push(`${name}: date ${new Date(facts.sentAt).toISOString()} | ${theirs.date.toISOString()}`);
      }
    }
    // Broken ones may be read either way; they are few.
    expect(differing.length / sample.length, differing.join('\n')).toBeLessThan(0.02);
  });

  it('yields text for every message that has some, within the bounds', async () => {
    let empty = 0;
    const sample = messages.filter((_, i) => i % 5 === 0);
    for (const { raw } of sample) {
      const { text, preview } = await extractText(raw);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(65536);
      expect(preview.length).toBeLessThanOrEqual(256);
      if (text === '') empty++;
    }
    expect(empty / sample.length).toBeLessThan(0.01);
  });
});

describe.skipIf(difficultFolder === undefined)('difficult messages (skipped where SATCHEL_TEST_CORPUS names no folder)', () => {
  const messages = difficultMessages();

  it('hold every invariant, as stored and with CRLF', () => {
    expect(messages.length).toBeGreaterThan(0);
    expect(faults(messages)).toEqual([]);
    expect(faults(messages.map(withCrlf))).toEqual([]);
  });

  it('hold every invariant cut off anywhere', () => {
    const cuts = messages.flatMap(({ name, raw }) =>
      Array.from({ length: 12 }, (_, i) => ({
        name: `${name} cut`,
        raw: raw.subarray(0, Math.floor((Math.min(raw.length, 6000) * i) / 12)),
      })),
    );
    expect(faults(cuts)).toEqual([]);
  });

  it('never make the text extraction fail or go past its bounds', async () => {
    for (const { raw } of messages) {
      const { text, preview } = await extractText(raw);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(65536);
      expect(preview.length).toBeLessThanOrEqual(256);
      expect(text.isWellFormed() && preview.isWellFormed()).toBe(true);
    }
  });
});
