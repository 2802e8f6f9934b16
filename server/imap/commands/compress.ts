/**
 * COMPRESS=DEFLATE (RFC 4978). Offered after login: its memory is not for strangers, and a password is not to be packed together with what an
 * attacker may say.
 */
import { decodeCompress } from '../../../protocol/imap/commands/compress.ts';
import { defineCommand, loggedIn } from '../command.ts';
import { answered } from '../refusal.ts';

export const compress = defineCommand({
  names: ['COMPRESS'],
  states: loggedIn,
  capability: ({ isLoggedIn, isCompressed }) => (isLoggedIn && !isCompressed ? ['COMPRESS=DEFLATE'] : []),
  sequences: 'free',
  decode: decodeCompress,
  run({ session, tag }, { algorithm }) {
    const { connection, output, input } = session;
    if (algorithm !== 'DEFLATE') return { status: 'NO', text: 'Only DEFLATE is known here.' };
    if (connection.isCompressed) return { status: 'NO', code: 'COMPRESSIONACTIVE', text: 'Compression is on already.' };
    // RFC 4978 §3: the client waits for the answer. What came before it is not compressed, and what comes after is.
    if (input.pendingBytes > 0 || connection.hasUnread) return { status: 'BAD', text: 'Wait for the answer before you send more.' };
    output.reply(tag, { status: 'OK', text: 'Compression begins now.' });
    output.send();
    connection.startDeflate();
    return answered;
  },
});
