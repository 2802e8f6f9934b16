/**
 * Sample messages for `--demo`: what a mailbox of an ordinary week looks like. Threads, HTML, attachments, an invitation, a list, a receipt,
 * several scripts and charsets, spam. The same messages for the same `now`.
 */
import { type DemoPart, formatMessage } from './demo-format.ts';

export interface DemoMessage {
  /** Becomes the object's name. */
  readonly name: string;
  readonly raw: Buffer;
}

interface Letter {
  readonly from: string;
  readonly subject: string;
  readonly text: string;
  readonly html?: string;
  readonly attachments?: readonly DemoPart[];
  readonly headers?: readonly string[];
  /** Hours before now. */
  readonly hoursAgo: number;
  readonly verdict?: 'PASS' | 'FAIL';
}

const ada = 'Ada Byron <ada@example.org>';
const grace = 'Grace Brewster <grace@example.net>';
const lin = '=?UTF-8?B?5p6X5bCP6Zuo?= <lin@example.com>';
const soeren = '=?ISO-8859-1?Q?S=F8ren_Aagaard?= <soren@example.dk>';
const shop = 'The Lamp Shop <orders@shop.example.com>';

/** A conversation: each letter answers the one before it. */
const threads: readonly (readonly Letter[])[] = [
  [
    {
      from: ada,
      hoursAgo: 150,
      subject: 'Saturday at the lake?',
      text: 'The forecast is good. Shall we take the boat out on Saturday?\n\nAda\n',
    },
    {
      from: grace,
      hoursAgo: 149,
      subject: 'Re: Saturday at the lake?',
      text: 'Yes! I can bring the sandwiches. Who has the life jackets?\n',
    },
    {
      from: ada,
      hoursAgo: 141,
      subject: 'Re: Saturday at the lake?',
      text: '> Who has the life jackets?\n\nI do, four of them. Nine o’clock at the pier.\n',
    },
    {
      from: soeren,
      hoursAgo: 130,
      subject: 'Re: Saturday at the lake?',
      text: 'Jeg kommer gerne! Count me in, and I will bring rødgrød.\n',
    },
  ],
  [
    {
      from: grace,
      hoursAgo: 100,
      subject: 'Draft of the quarterly report',
      text: 'Here is the draft. Figures for March are still missing.\n\nGrace\n',
      html: '<p>Here is the draft. Figures for <b>March</b> are still missing.</p><p>Grace</p>',
      attachments: [{ name: 'report.csv', type: 'text/csv', body: 'month,orders\nJanuary,1203\nFebruary,1187\nMarch,\n' }],
    },
    { from: lin, hoursAgo: 96, subject: 'Re: Draft of the quarterly report', text: '三月的数字是 1342。\nThe figure for March is 1342.\n' },
    {
      from: grace,
      hoursAgo: 95,
      subject: 'Re: Draft of the quarterly report',
      text: '> The figure for March is 1342.\n\n谢谢! Thank you, it is in.\n',
    },
  ],
  [
    {
      from: 'Olu <olu@dev.example.org>',
      hoursAgo: 70,
      subject: '[parser] Nested comments in addresses',
      text: 'RFC 5322 allows comments within comments. Do we follow them to any depth?\n',
      headers: ['List-Id: Parser development <parser.lists.example.org>', 'List-Post: <mailto:parser@lists.example.org>'],
    },
    {
      from: 'Mika <mika@dev.example.org>',
      hoursAgo: 66,
      subject: 'Re: [parser] Nested comments in addresses',
      text: 'To fifty, and then we stop. Nobody has needed three.\n',
      headers: ['List-Id: Parser development <parser.lists.example.org>', 'List-Post: <mailto:parser@lists.example.org>'],
    },
  ],
];

const singles: readonly Letter[] = [
  {
    from: shop,
    hoursAgo: 48,
    subject: 'Your order 48213 is on its way',
    text: 'Thank you for your order.\n\n1 desk lamp, brass   49.00\nShipping              4.50\nTotal                53.50\n',
    html: '<table><tr><td>1 desk lamp, brass</td><td>49.00</td></tr><tr><td>Shipping</td><td>4.50</td></tr><tr><th>Total</th><th>53.50</th></tr></table>',
    headers: ['Auto-Submitted: auto-generated'],
  },
  {
    from: grace,
    hoursAgo: 40,
    subject: 'Invitation: planning, Thursday 10:00',
    text: 'Planning, Thursday at ten, in the small room.\n',
    attachments: [
      {
        name: 'invite.ics',
        type: 'text/calendar; method=REQUEST',
        body: 'BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:planning@example.net\r\nSUMMARY:Planning\r\nDTSTAMP:20260101T090000Z\r\nDTSTART:20260108T100000Z\r\nDTEND:20260108T110000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n',
      },
    ],
  },
  { from: lin, hoursAgo: 30, subject: '=?UTF-8?B?5pil6IqC5b+r5LmQ?=', text: '祝你和家人新春快乐, 万事如意!\n\n小雨\n' },
  {
    from: soeren,
    hoursAgo: 26,
    subject: '=?UTF-8?Q?Bl=C3=A5b=C3=A6r_og_r=C3=B8dgr=C3=B8d?=',
    text: 'Opskriften, som lovet: 500 g bær, 100 g sukker, og tålmodighed.\n',
  },
  {
    from: ada,
    hoursAgo: 20,
    subject: 'A picture from the lake',
    text: 'The sun came out at noon.\n',
    html: '<p>The sun came out at noon.</p><img src="cid:lake@example.org" alt="The lake">',
    attachments: [{ name: 'lake.png', type: 'image/png', body: tinyPicture(), contentId: 'lake@example.org' }],
  },
  {
    from: 'Prize Desk <winner@bulk.example.net>',
    hoursAgo: 12,
    subject: 'You have been selected',
    text: 'Claim your prize today!!!\n',
    verdict: 'FAIL',
  },
  {
    from: 'Dr. A. Fortune <transfer@bulk.example.net>',
    hoursAgo: 9,
    subject: 'Urgent transfer',
    text: 'Dear friend, I need your help.\n',
    verdict: 'FAIL',
  },
  {
    from: 'Satchel <hello@example.org>',
    hoursAgo: 1,
    subject: 'Welcome to Satchel',
    text: 'This mailbox is a bucket. Every message, every flag and every folder is an object in it,\nwritten before the server said OK.\n\nLook inside: the objects under raw/ are the messages, byte for byte,\nand those under log/ say what happened, one line of JSON a change (zstd -d).\n',
  },
];

const places = ['Lisbon', 'Trondheim', 'Kyoto', 'Oaxaca', 'Hobart', 'Tbilisi', 'Dakar', 'Galway', 'Quito', 'Tartu', 'Aqaba', 'Nuuk'];

/** A newsletter for each place, so that lists are long enough to scroll. */
const newsletters: readonly Letter[] = places.map((place, index) => ({
  from: 'Letters from Elsewhere <letters@travel.example.com>',
  hoursAgo: 160 - 9 * index,
  subject: `Letter ${index + 1}: ${place}`,
  text: `This week's letter comes from ${place}.\n\nThe market opens at six, and by seven the best bread is gone.\n`,
  html: `<h1>${place}</h1><p>This week's letter comes from <i>${place}</i>.</p><p>The market opens at six, and by seven the best bread is gone.</p>`,
  headers: ['List-Id: Letters from Elsewhere <letters.travel.example.com>', 'List-Unsubscribe: <mailto:leave@travel.example.com>'],
}));

/** `now` in milliseconds since the epoch; `to` is the account's address. */
export function demoMessages(to: string, now: number): DemoMessage[] {
  const messages: DemoMessage[] = [];
  for (const letters of [...threads, ...singles.map((letter) => [letter]), ...newsletters.map((letter) => [letter])]) {
    const references: string[] = [];
    for (const letter of letters) {
      const number = String(messages.length + 1).padStart(2, '0');
      const messageId = `<demo-${number}@satchel.example>`;
      messages.push({
        name: `demo-${number}`,
        raw: formatMessage({ ...letter, to, messageId, references, sentAt: now - letter.hoursAgo * 3_600_000 }),
      });
      references.push(messageId);
    }
  }
  return messages;
}

/** One blue pixel. */
function tinyPicture(): Buffer {
  return Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPj/HwADBwIAMCbHYQAAAABJRU5ErkJggg==', 'base64');
}
