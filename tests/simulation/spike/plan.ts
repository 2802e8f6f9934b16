/**
 * What waits in the spike, and what must become of each piece: good mail of many accounts, mail that is hard to read but mail all the same, and one
 * object of a hundred that cannot be delivered, of several kinds. The same seed gives the same spike; messages are made when they are asked for.
 */
import { hash } from 'node:crypto';
import { generate } from '../../bench/generate.ts';
import { sesHeaderBlock } from '../../support/ses-message.ts';

/** Bytes; the configuration's `limits.messageBytesMax` in a spike. */
export const messageBytesMax = 131_072;

export type Poison = 'empty' | 'tooLarge' | 'unknownRecipient' | 'noRecipient' | 'virus' | 'garbage';
const poisons: readonly Poison[] = ['empty', 'tooLarge', 'unknownRecipient', 'noRecipient', 'virus', 'garbage'];

/** What the record in failed/ says of each kind. */
export const reasonOf: Readonly<Record<Poison, string>> = {
  empty: 'empty',
  tooLarge: 'tooLarge',
  unknownRecipient: 'unknownRecipient',
  noRecipient: 'noRecipient',
  virus: 'verdict',
  garbage: 'noRecipient',
};

export interface Planned {
  /** Of the object, below the inbound prefix; SES's message id. */
  readonly name: string;
  /** In the Message-ID field. */
  readonly messageId: string;
  readonly account: number;
  /** Whom only a receipt names besides. */
  readonly bcc: number | undefined;
  readonly poison: Poison | undefined;
  readonly bytes: Buffer;
}

export interface SpikeSize {
  readonly messages: number;
  readonly accounts: number;
}

export const addressOf = (account: number) => (account === 0 ? 'me@localhost' : `user${account}@localhost`);

/** Of each hundred, what stands at these places is not plain mail. */
const places = { poison: 37, hostile: 53, bcc: [11, 61, 91] } as const;

export function* planSpike({ messages, accounts }: SpikeSize): Generator<Planned> {
  let number = 0;
  for (const { raw } of generate(messages)) {
    const name = hash('sha256', `spike ${number}`).slice(0, 40);
    const place = number % 100;
    const poison = place === places.poison ? poisons[Math.floor(number / 100) % poisons.length] : undefined;
    // The first account is a busy one: it gets a third of all.
    const account = number % 3 === 0 ? 0 : 1 + (number % (accounts - 1));
    const isBcc = places.bcc.some((at) => at === place);
    const block = sesHeaderBlock({
      id: name,
      to: poison === 'unknownRecipient' ? 'nobody@localhost' : addressOf(account),
      virus: poison === 'virus' ? 'FAIL' : 'PASS',
    });
    yield {
      name,
      messageId: `m${number}@bench.example`,
      account,
      bcc: isBcc ? (account + 1) % accounts : undefined,
      poison,
      bytes: poison === undefined ? good(block, place === places.hostile ? hostile(raw, number) : raw) : poisoned(poison, block, raw),
    };
    number++;
  }
}

const good = (block: string, raw: Buffer) => {
  const whole = Buffer.concat([Buffer.from(block), raw]);
  return whole.length <= messageBytesMax ? whole : whole.subarray(0, messageBytesMax);
};

function poisoned(poison: Poison, block: string, raw: Buffer): Buffer {
  switch (poison) {
    case 'empty':
      return Buffer.alloc(0);
    case 'tooLarge':
      return Buffer.concat([Buffer.from(block), raw, Buffer.alloc(messageBytesMax, 'x')]);
    case 'unknownRecipient':
    case 'virus':
      return Buffer.concat([Buffer.from(block), raw]);
    case 'noRecipient':
      return Buffer.from('Subject: For whom?\r\n\r\nNobody is named.\r\n');
    case 'garbage':
      return Buffer.from(Array.from({ length: 4096 }, (_, at) => (at * 131 + 7) % 256));
  }
}

/** Mail that a reader has trouble with, and that arrives all the same. */
function hostile(raw: Buffer, number: number): Buffer {
  const header = raw.subarray(0, raw.indexOf('\r\nMIME-Version'));
  const with_ = (rest: string | Buffer) => Buffer.concat([header, Buffer.from('\r\n'), Buffer.from(rest)]);
  switch (Math.floor(number / 100) % 5) {
    case 0: {
      const levels = Array.from({ length: 300 }, (_, at) => `Content-Type: multipart/mixed; boundary=b${at}\r\n\r\n--b${at}\r\n`);
      return with_(`MIME-Version: 1.0\r\n${levels.join('')}`);
    }
    case 1:
      return with_('Content-Type: multipart/mixed; boundary="never"\r\n\r\nno boundary comes\r\n');
    case 2:
      return with_(`X-Long: ${'y'.repeat(60_000)}\r\n\r\nbody\r\n`);
    case 3:
      return with_(Buffer.from(`\r\n${'\0\xff\xfe'.repeat(2000)}`, 'latin1'));
    default:
      return with_(`Content-Type: text/html\r\n\r\n${'<blockquote><div>'.repeat(400)}deep`);
  }
}
