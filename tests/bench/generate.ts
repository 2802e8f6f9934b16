/** Messages for measuring: varied, with threads, HTML and attachments in about the shares that mailboxes have. The same seed gives the same bytes. */
const words =
  'agenda answer april balance board bridge budget cabin calendar cargo castle charter circle client coffee copper corner course delta draft engine entry evening'
    .concat(
      ' field figure filter forest garden ground harbour hotel index invoice island journal kitchen ladder letter limit market matter meeting mirror',
    )
    .concat(
      ' model morning number office orange order paper parcel pencil people picture planet pocket process project quarter question railway reason record',
    )
    .concat(
      ' report river sample school season signal silver station summer supply system table theatre ticket timber travel update valley village winter',
    )
    .split(' ');
const people = ['Ada Byron', 'Ben Okri', 'Chloé Durand', 'Dmitri Ivanov', 'Emi Sato', 'Farid Aziz', 'Grace Hopper', 'Hana Novák'];

export interface Generated {
  readonly raw: Buffer;
  readonly subject: string;
}

/** A word that stands in one message of a hundred: what searches look for. */
export const rareWord = 'chrysanthemum';

export function* generate(count: number, seed = 1): Generator<Generated> {
  let state = seed >>> 0;
  const below = (limit: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x100000000) * limit);
  };
  const text = (length: number) => Array.from({ length }, () => words[below(words.length)]).join(' ');
  const paragraphs = (length: number) => Array.from({ length }, () => `${text(12)}\r\n${text(11)}\r\n${text(5)}.\r\n`).join('\r\n');
  const subjects: string[] = [];
  for (let number = 0; number < count; number++) {
    const parent = number > 0 && below(2) === 0 ? number - 1 - below(Math.min(number, 50)) : undefined;
    const subject = parent === undefined ? text(4) : `Re: ${subjects[parent]!.replace(/^Re: /, '')}`;
    subjects.push(subject);
    const sender = people[below(people.length)]!;
    const plain = `${paragraphs(1 + below(6))}${number % 100 === 7 ? `${rareWord}\r\n` : ''}`;
    const kind = below(10);
    const header = [
      `From: ${/^[ -~]+$/.test(sender) ? sender : `=?utf-8?B?${Buffer.from(sender).toString('base64')}?=`} <p${below(400)}@sender.example>`,
      'To: Me <me@localhost>',
      `Subject: ${subject}`,
      `Date: ${new Date(1_700_000_000_000 + number * 60_000).toUTCString().replace('GMT', '+0000')}`,
      `Message-ID: <m${number}@bench.example>`,
      ...(parent === undefined ? [] : [`In-Reply-To: <m${parent}@bench.example>`, `References: <m${parent}@bench.example>`]),
      'MIME-Version: 1.0',
    ].join('\r\n');
    yield { raw: Buffer.from(`${header}\r\n${bodyOf(kind, plain, number, below)}`), subject };
  }
}

function bodyOf(kind: number, plain: string, number: number, below: (limit: number) => number): string {
  if (kind < 4) return `Content-Type: text/plain; charset=utf-8\r\n\r\n${plain}`;
  const boundary = `=_${number}`;
  const part = (type: string, content: string) => `--${boundary}\r\nContent-Type: ${type}\r\n${content}\r\n`;
  if (kind < 9) {
    const html = `<html><body><p>${plain.replace(/\r\n\r\n/g, '</p>\r\n<p>')}</p></body></html>`;
    return `Content-Type: multipart/alternative; boundary="${boundary}"\r\n\r\n${part('text/plain; charset=utf-8', `\r\n${plain}`)}${part('text/html; charset=utf-8', `\r\n${html}`)}--${boundary}--\r\n`;
  }
  const attachment = Buffer.alloc(2000 + below(60_000), number)
    .toString('base64')
    .replace(/.{76}/g, '$&\r\n');
  const disposition = `Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="file-${number}.pdf"\r\n\r\n`;
  return `Content-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n${part('text/plain; charset=utf-8', `\r\n${plain}`)}${part('application/pdf', `${disposition}${attachment}`)}--${boundary}--\r\n`;
}
