/** A strict reader of RFC 3501 §9's envelope and body, which trusts nothing: it throws on any byte the grammar does not allow. */

export type Nstring = string | null;
export interface ReadAddress {
  name: Nstring;
  route: Nstring;
  mailbox: Nstring;
  host: Nstring;
}
export interface ReadEnvelope {
  date: Nstring;
  subject: Nstring;
  lists: (ReadAddress[] | null)[];
  inReplyTo: Nstring;
  messageId: Nstring;
}
export interface ReadBody {
  type: string;
  subtype: string;
  parameters: [string, string][];
  octets?: number;
  lines?: number;
  envelope?: ReadEnvelope;
  message?: ReadBody;
  children?: ReadBody[];
  disposition?: string;
}

export function readEnvelope(bytes: Uint8Array): ReadEnvelope {
  return readAll(bytes, (reader) => reader.envelope());
}

export function readBody(bytes: Uint8Array, isExtended: boolean): ReadBody {
  return readAll(bytes, (reader) => reader.body(isExtended));
}

function readAll<T>(bytes: Uint8Array, read: (reader: Reader) => T): T {
  const reader = new Reader(Buffer.from(bytes).toString('latin1'));
  const value = read(reader);
  if (reader.position !== reader.text.length) throw reader.fault('the end');
  return value;
}

class Reader {
  readonly text: string;
  position = 0;
  constructor(text: string) {
    this.text = text;
  }

  fault(expected: string): Error {
    return new Error(`expected ${expected} at ${this.position}: …${this.text.slice(Math.max(0, this.position - 40), this.position + 40)}`);
  }

  eat(mark: string): boolean {
    if (!this.text.startsWith(mark, this.position)) return false;
    this.position += mark.length;
    return true;
  }

  need(mark: string): void {
    if (!this.eat(mark)) throw this.fault(JSON.stringify(mark));
  }

  /** quoted only: our output needs no literals. */
  string(): string {
    this.need('"');
    let value = '';
    for (;;) {
      const char = this.text[this.position++];
      if (char === undefined) throw this.fault('a closing quote');
      if (char === '"') return value;
      const code = char.charCodeAt(0);
      if (code === 0 || code === 10 || code === 13 || code > 127) throw this.fault('a QUOTED-CHAR');
      if (char !== '\\') value += char;
      else {
        const escaped = this.text[this.position++];
        if (escaped !== '"' && escaped !== '\\') throw this.fault('a quoted special');
        value += escaped;
      }
    }
  }

  nstring(): Nstring {
    return this.eat('NIL') ? null : this.string();
  }

  number(): number {
    const digits = /^(?:0|[1-9]\d*)/.exec(this.text.slice(this.position, this.position + 12))?.[0];
    if (digits === undefined) throw this.fault('a number');
    this.position += digits.length;
    return Number(digits);
  }

  addresses(): ReadAddress[] | null {
    if (this.eat('NIL')) return null;
    this.need('(');
    const list: ReadAddress[] = [];
    do {
      this.need('(');
      const name = this.nstring();
      this.need(' ');
      const route = this.nstring();
      this.need(' ');
      const mailbox = this.nstring();
      this.need(' ');
      const host = this.nstring();
      this.need(')');
      list.push({ name, route, mailbox, host });
    } while (!this.eat(')'));
    let isInGroup = false;
    for (const { mailbox, host } of list) {
      if (host !== null) {
        if (mailbox === null) throw this.fault('a mailbox before a host');
        continue;
      }
      if ((mailbox === null) !== isInGroup) throw this.fault('balanced groups');
      isInGroup = mailbox !== null;
    }
    if (isInGroup) throw this.fault('the end of a group');
    return list;
  }

  envelope(): ReadEnvelope {
    this.need('(');
    const date = this.nstring();
    this.need(' ');
    const subject = this.nstring();
    const lists: (ReadAddress[] | null)[] = [];
    for (let i = 0; i < 6; i++) {
      this.need(' ');
      lists.push(this.addresses());
    }
    this.need(' ');
    const inReplyTo = this.nstring();
    this.need(' ');
    const messageId = this.nstring();
    this.need(')');
    return { date, subject, lists, inReplyTo, messageId };
  }

  parameters(): [string, string][] {
    if (this.eat('NIL')) return [];
    this.need('(');
    const parameters: [string, string][] = [];
    do {
      const name = this.string();
      this.need(' ');
      parameters.push([name, this.string()]);
    } while (this.eat(' '));
    this.need(')');
    return parameters;
  }

  /** body-fld-dsp SP body-fld-lang SP body-fld-loc, which every body ends with here. */
  tail(): string | undefined {
    let disposition: string | undefined;
    if (!this.eat('NIL')) {
      this.need('(');
      disposition = this.string();
      this.need(' ');
      this.parameters();
      this.need(')');
    }
    this.need(' ');
    if (!this.eat('NIL')) {
      if (this.eat('(')) {
        do this.string();
        while (this.eat(' '));
        this.need(')');
      } else this.string();
    }
    this.need(' ');
    this.nstring();
    return disposition;
  }

  body(isExtended: boolean): ReadBody {
    this.need('(');
    if (this.text[this.position] === '(') return this.multipart(isExtended);
    const body: ReadBody = { type: this.string(), subtype: '', parameters: [] };
    this.need(' ');
    body.subtype = this.string();
    this.need(' ');
    body.parameters = this.parameters();
    this.need(' ');
    this.nstring();
    this.need(' ');
    this.nstring();
    this.need(' ');
    this.string();
    this.need(' ');
    body.octets = this.number();
    if (body.type === 'message' && (body.subtype === 'rfc822' || body.subtype === 'global')) {
      this.need(' ');
      body.envelope = this.envelope();
      this.need(' ');
      body.message = this.body(isExtended);
      this.need(' ');
      body.lines = this.number();
    } else if (body.type === 'text') {
      this.need(' ');
      body.lines = this.number();
    }
    if (isExtended) {
      this.need(' ');
      this.nstring();
      this.need(' ');
      body.disposition = this.tail();
    }
    this.need(')');
    return body;
  }

  multipart(isExtended: boolean): ReadBody {
    const children: ReadBody[] = [];
    while (this.text[this.position] === '(') children.push(this.body(isExtended));
    this.need(' ');
    const body: ReadBody = { type: 'multipart', subtype: this.string(), parameters: [], children };
    if (isExtended) {
      this.need(' ');
      body.parameters = this.parameters();
      this.need(' ');
      body.disposition = this.tail();
    }
    this.need(')');
    return body;
  }
}
