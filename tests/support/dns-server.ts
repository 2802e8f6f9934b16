/** A name server on UDP that knows TXT records, and the root's name servers (RFC 1035). */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

const txt = 16;
const ns = 2;

export class DnsServer implements AsyncDisposable {
  /** By name, in small letters. */
  readonly records: Map<string, string>;
  readonly asked: string[] = [];
  readonly #socket: Socket;

  private constructor(records: Readonly<Record<string, string>>, socket: Socket) {
    this.records = new Map(Object.entries(records));
    this.#socket = socket;
    socket.on('message', (question, from) => socket.send(this.#answer(question), from.port, from.address));
  }

  static async open(records: Readonly<Record<string, string>> = {}): Promise<DnsServer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new DnsServer(records, socket);
  }

  get address(): string {
    return `127.0.0.1:${(this.#socket.address() as AddressInfo).port}`;
  }

  /** RFC 1035 §4.1: the question comes back, with an answer behind it where there is one. */
  #answer(message: Buffer): Buffer {
    const labels: string[] = [];
    let at = 12;
    for (; message[at] !== 0; at += message[at]! + 1) labels.push(message.toString('latin1', at + 1, at + 1 + message[at]!));
    const type = message.readUInt16BE(at + 1);
    const question = message.subarray(12, at + 5);
    const name = labels.join('.').toLowerCase();
    this.asked.push(name);
    const record = this.records.get(name);
    const data = type === txt && record !== undefined ? textOf(record) : type === ns && name === '' ? Buffer.from([0]) : undefined;
    const header = Buffer.alloc(12);
    message.copy(header, 0, 0, 2);
    header.writeUInt16BE(data === undefined && record === undefined ? 0x8183 : 0x8180, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(data === undefined ? 0 : 1, 6);
    if (data === undefined) return Buffer.concat([header, question]);
    const fixed = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, 0]);
    fixed.writeUInt16BE(data.length, 10);
    return Buffer.concat([header, question, fixed, data]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#socket, 'close');
    this.#socket.close();
    await closed;
  }
}

/** RFC 1035 §3.3.14: one or more character strings of at most 255 octets. */
function textOf(record: string): Buffer {
  const pieces = record.match(/.{1,255}/gs) ?? [];
  return Buffer.concat(pieces.flatMap((piece) => [Buffer.from([piece.length]), Buffer.from(piece, 'latin1')]));
}
