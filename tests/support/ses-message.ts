/** Messages as SES leaves them in a bucket: its header block in front, then what the sender wrote. Invented, every one. */

export interface SesMessage {
  /** SES's message id, which is also the object's name. */
  readonly id: string;
  readonly to: string;
  readonly from?: string;
  readonly subject?: string;
  readonly body?: string;
  readonly spam?: 'PASS' | 'FAIL' | 'GRAY';
  readonly virus?: 'PASS' | 'FAIL';
  /** Lines above Subject, without line ends. */
  readonly headers?: readonly string[];
}

/** The header block that SES writes in front of what the sender wrote, byte for byte in its shape. */
export function sesHeaderBlock({ id, to, sender = 'brahms@music.example', spam = 'PASS', virus = 'PASS' }: SesBlock): string {
  const domain = sender.slice(sender.lastIndexOf('@') + 1);
  const spf = `pass (spfCheck: domain of ${domain} designates 203.0.113.5 as permitted sender) client-ip=203.0.113.5; envelope-from=${sender}; helo=mx.${domain};`;
  return [
    `Return-Path: <${sender}>`,
    `Received: from mx.${domain} (mx.${domain} [203.0.113.5])`,
    ` by inbound-smtp.eu-west-1.amazonaws.com with SMTP id ${id}`,
    ` for ${to};`,
    ' Tue, 05 Jan 2027 08:30:11 +0000 (UTC)',
    `X-SES-Spam-Verdict: ${spam}`,
    `X-SES-Virus-Verdict: ${virus}`,
    `Received-SPF: ${spf}`,
    'Authentication-Results: amazonses.com;',
    ` spf=${spf}`,
    ` dkim=pass header.i=@${domain};`,
    ` dmarc=pass header.from=${domain};`,
    'X-SES-RECEIPT: AAAAinvented',
    'X-SES-DKIM-SIGNATURE: a=rsa-sha256; q=dns/txt; b=invented; c=relaxed/simple; s=invented; d=amazonses.com; t=1799137811; v=1; bh=invented; h=From:To;',
    '',
  ].join('\r\n');
}

export interface SesBlock {
  readonly id: string;
  readonly to: string;
  readonly sender?: string;
  readonly spam?: 'PASS' | 'FAIL' | 'GRAY';
  readonly virus?: 'PASS' | 'FAIL';
}

export function sesMessage(message: SesMessage): Buffer {
  const { id, to, from = 'Brahms <brahms@music.example>', subject = 'Intermezzo', body = 'In A major.\r\n', spam, virus } = message;
  const sender = /<([^>]*)>/.exec(from)?.[1] ?? from;
  return Buffer.from(
    sesHeaderBlock({ id, to, sender, ...(spam && { spam }), ...(virus && { virus }) }) +
      [
        `From: ${from}`,
        `To: ${to}`,
        ...(message.headers ?? []),
        `Subject: ${subject}`,
        'Date: Tue, 5 Jan 2027 08:30:09 +0000',
        `Message-ID: <${id}@music.example>`,
        'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=UTF-8',
        '',
        body,
      ].join('\r\n'),
  );
}
