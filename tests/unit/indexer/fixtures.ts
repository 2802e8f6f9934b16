import { readFileSync } from 'node:fs';

/** A file of tests/fixtures/ses: what SES stores and what AWS says about it, made up. */
export function fixture(name: string): Buffer {
  return readFileSync(new URL(`../../fixtures/ses/${name}`, import.meta.url));
}

/** SES message id of a fixture. */
export function idOf(message: Buffer): string {
  return /\sid\s(\S+)/.exec(message.toString('latin1'))![1]!;
}

/** A message with SES's block on top. */
export function sesMessage(id: string, to: string, options: { spam?: string; virus?: string; body?: string; from?: string } = {}): Buffer {
  const { spam = 'PASS', virus = 'PASS', body = `Text ${id}`, from = 'noor@sender.example' } = options;
  const lines = [
    `Return-Path: <${from}>`,
    'Received: from mx.sender.example (mx.sender.example [192.0.2.41])',
    ` by inbound-smtp.eu-west-1.amazonaws.com with SMTP id ${id}`,
    ` for ${to};`,
    ' Mon, 07 Sep 2026 08:12:33 +0000 (UTC)',
    `X-SES-Spam-Verdict: ${spam}`,
    `X-SES-Virus-Verdict: ${virus}`,
    'Authentication-Results: amazonses.com;',
    ' spf=pass;',
    'X-SES-RECEIPT: QUJD',
    'X-SES-DKIM-SIGNATURE: a=rsa-sha256; v=1;',
    `From: <${from}>`,
    `To: <${to}>`,
    `Subject: Message ${id}`,
    `Message-ID: <${id}@sender.example>`,
    'Content-Type: text/plain; charset=utf-8',
    '',
    body,
    '',
  ];
  return Buffer.from(lines.join('\r\n'));
}
