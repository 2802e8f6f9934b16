/** UIDBATCHES (RFC 10022) over a mailbox with gaps: the ranges lie side by side from the highest UID down to 1, and none holds more than was asked for. */
import { describe, expect, it } from 'vitest';
import { password, startImapApp, user } from '../../support/imap/app.ts';

describe('UIDBATCHES', () => {
  it('cuts a mailbox with gaps into batches of the asked size', async () => {
    await using app = await startImapApp();
    const client = await app.connect();
    await client.command(`LOGIN ${user} "${password}"`);
    const count = 1300;
    const message = 'Subject: x\r\n\r\n.';
    const hundred = Array.from({ length: 100 }, () => `{${message.length}+}\r\n${message}`).join(' ');
    for (let at = 0; at < count; at += 100) await client.command(`APPEND INBOX ${hundred}`);
    await client.command('SELECT INBOX');
    // Every fourth one goes, the first and the last among them.
    const gone = Array.from({ length: count }, (_, at) => at + 1).filter((uid) => uid % 4 === 1 || uid === count);
    await client.command(`UID STORE ${gone.join(',')} +FLAGS.SILENT (\\Deleted)`);
    await client.command('EXPUNGE');
    const uids = Array.from({ length: count }, (_, at) => at + 1).filter((uid) => !gone.includes(uid));
    const answer = (await client.command('UIDBATCHES 500'))[0]!;
    const ranges = /^\* UIDBATCHES \(TAG "x"\) (.*)$/
      .exec(answer)![1]!
      .split(',')
      .map((range) => range.split(':').map(Number));
    expect(ranges.map(([high, low]) => uids.filter((uid) => uid <= high! && uid >= low!).length)).toEqual([500, uids.length - 500]);
    expect(ranges[0]![0]).toBe(uids.at(-1));
    expect(ranges[1]![0]).toBe(ranges[0]![1]! - 1);
    expect(ranges.at(-1)![1]).toBe(1);
    expect((await client.command('UIDBATCHES 500 2:2'))[0]).toBe(`* UIDBATCHES (TAG "x") ${ranges[1]!.join(':')}`);
    client.close();
  });
});
