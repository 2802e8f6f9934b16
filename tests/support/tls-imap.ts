/** A line client of the IMAP listener with TLS, of the version that a test wants. */
import { once } from 'node:events';
import { connect, type SecureVersion, type TLSSocket } from 'node:tls';
import { ImapTestClient } from './imap/client.ts';

export interface TlsImap {
  readonly client: ImapTestClient;
  readonly socket: TLSSocket;
}

export async function connectTlsImap({ port }: { readonly port: number }, maxVersion: SecureVersion = 'TLSv1.3'): Promise<TlsImap> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, maxVersion });
  await once(socket, 'secureConnect');
  const client = new ImapTestClient(socket);
  client.greeting = await client.line();
  return { client, socket };
}

/** RFC 9266 §4.2. */
export const tlsExporter = (socket: TLSSocket): Buffer => socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
