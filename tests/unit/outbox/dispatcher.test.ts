import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { noRelay } from '../../../indexer/outbox/relay.ts';
import { StorageError } from '../../../protocol/mail/errors.ts';
import { serviceOutboxId } from '../../../storage/outbox/outbox.ts';
import type { EnvelopeAddress } from '../../../storage/outbox/record.ts';
import { openProvisioned, openTestBucket, rawMessage } from '../../support/open-accounts.ts';
import { ada, ben, countingStore, keysUnder, lookAt } from '../indexer/rig.ts';
import { openOutbox, TestAnswers, TestRelay, to } from './rig.ts';

const day = 24 * 60 * 60 * 1000;

describe('the dispatcher', () => {
  test('delivers to accounts here, and hands the others to the relay, without Bcc', async () => {
    const outbox = await openOutbox();
    const account = await outbox.open();
    const raw = rawMessage({ From: 'ada@example.com', Bcc: 'zoe@elsewhere.example', Subject: 'Boats' });
    const id = await outbox.send(account, [to('ben@example.com'), to('zoe@elsewhere.example')], {}, raw);
    await outbox.dispatcher.turn();
    const [message] = (await lookAt(outbox.bucket, ben)).inbox;
    expect(message!.bytes.toString()).toMatch(/^Return-Path: <ada@example\.com>\r\nReceived: by mx\.example\.com id s1;\r\n/);
    expect(message!.bytes.toString()).not.toContain('Bcc');
    expect(message!.delivery).toMatchObject({ source: 'submission', envelopeFrom: 'ada@example.com', envelopeTo: 'ben@example.com' });
    expect(outbox.relay.sent).toHaveLength(1);
    expect(outbox.relay.sent[0]).toMatchObject({ submission: id, account: ada, rcptTo: [to('zoe@elsewhere.example')] });
    expect(outbox.relay.sent[0]!.bytes.toString()).not.toContain('Bcc');
    expect(outbox.record(account, id)).toMatchObject({
      undoStatus: 'final',
      recipients: [
        { state: 'delivered', delivered: 'yes', attempts: 1 },
        { state: 'relayed', delivered: 'unknown', smtpReply: '250 2.0.0 Ok' },
      ],
    });
  });

  test('works until it is stopped, and listens for that once, however much it has sent', async () => {
    const outbox = await openOutbox();
    const account = await outbox.open();
    const stop = new AbortController();
    const running = outbox.dispatcher.run(stop.signal);
    for (let count = 1; count <= 5; count += 1) {
      const { promise, resolve } = Promise.withResolvers<void>();
      outbox.relay.answer = () => {
        resolve();
        return { kind: 'relayed', smtpReply: '250 Ok' };
      };
      await outbox.send(account, [to('zoe@elsewhere.example')]);
      await promise;
    }
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(1);
    stop.abort();
    await running;
  });

  test('claims by a commit before the relay is asked', async () => {
    const outbox = await openOutbox();
    const account = await outbox.open();
    let claimed: unknown;
    outbox.relay.answer = async () => {
      claimed = await outbox.bucket
        .node()
        .accounts.open(ada)
        .then((other) => outbox.record(other, 's1')?.recipients[0]);
      return { kind: 'relayed', smtpReply: '250 Ok' };
    };
    await outbox.send(account, [to('zoe@elsewhere.example')]);
    await outbox.dispatcher.turn();
    expect(claimed).toMatchObject({ state: 'claimed', claimedBy: 'n1', attempts: 1 });
  });

  test('hands a message over once, though two nodes see it at once', async () => {
    const first = await openOutbox({ node: 'n1' });
    const second = await openOutbox({ bucket: first.bucket, node: 'n2', relay: first.relay });
    await second.open();
    const account = await first.open();
    const ids = await Promise.all(Array.from({ length: 20 }, () => first.send(account, [to('zoe@elsewhere.example')])));
    await second.node.accounts.catchUp(await second.node.accounts.open(ada));
    await Promise.all([first.dispatcher.turn(), second.dispatcher.turn()]);
    expect(first.relay.sent.map(({ submission }) => submission).sort()).toEqual([...ids].sort());
  });

  test('waits longer after each deferral, tells the sender once of the delay, and gives up after five days with a report', async () => {
    const outbox = await openOutbox();
    const account = await outbox.open();
    outbox.relay.answer = () => ({ kind: 'deferred', smtpReply: '450 4.2.1 Mailbox busy' });
    const id = await outbox.send(account, [to('zoe@elsewhere.example')]);
    const began = outbox.bucket.clock.now();
    const times: number[] = [];
    for (let turn = 0; turn < 100; turn += 1) {
      await outbox.dispatcher.turn();
      const { state, nextAt } = outbox.record(account, id)!.recipients[0]!;
      if (state !== 'queued') break;
      times.push(nextAt - outbox.bucket.clock.now());
      outbox.bucket.clock.advance(nextAt - outbox.bucket.clock.now());
    }
    expect(times[0]).toBeGreaterThan(44_000);
    expect(times[3]).toBeGreaterThan(5 * 60_000);
    expect(Math.max(...times)).toBeLessThanOrEqual(2 * 60 * 60_000);
    expect(outbox.bucket.clock.now() - began).toBe(5 * day);
    expect(outbox.record(account, id)!.recipients[0]).toMatchObject({
      state: 'failed',
      delivered: 'no',
      smtpReply: '554 5.4.7 Given up; the last answer was: 450 4.2.1 Mailbox busy',
    });
    const subjects = (await lookAt(outbox.bucket, ada)).inbox.map(({ subject }) => subject);
    expect(subjects).toEqual(['[Delayed] Boats', '[Undelivered] Boats']);
    const smtpReply = '554 5.4.7 Given up; the last answer was: 450 4.2.1 Mailbox busy';
    expect(outbox.events.filter(({ kind }) => kind === 'failed')).toMatchObject([{ submission: id, smtpReply }]);
  });

  test('reports a failure to the sender, in the commit that it happened in, by RFC 3464', async () => {
    const outbox = await openOutbox();
    const account = await outbox.open();
    outbox.relay.answer = () => ({ kind: 'failed', smtpReply: '550 5.1.1 No such user' });
    const id = await outbox.send(account, [
      to('zoe@elsewhere.example', { ORCPT: 'rfc822;zoe@elsewhere.example' }),
      to('nobody@example.com'),
    ]);
    await outbox.dispatcher.turn();
    const [report, ...others] = (await lookAt(outbox.bucket, ada)).inbox;
    expect(others).toEqual([]);
    const text = report!.bytes.toString();
    expect(text).toContain('Return-Path: <>\r\n');
    expect(text).toContain('Content-Type: multipart/report; report-type=delivery-status');
    expect(text).toContain('In-Reply-To: <s1@example.com>');
    expect(text).toContain(
      'Original-Recipient: rfc822;zoe@elsewhere.example\r\nFinal-Recipient: rfc822; zoe@elsewhere.example\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 No such user',
    );
    expect(text).toContain('Final-Recipient: rfc822; nobody@example.com\r\nAction: failed\r\nStatus: 5.1.1');
    expect(outbox.record(account, id)!.dsnBlobs).toHaveLength(1);
  });

  test('leaves it to a relay that was told of NOTIFY to tell of the delivery, and calls it once for each kind of notice', async () => {
    const outbox = await openOutbox();
    const account = await outbox.open();
    outbox.relay.answer = () => ({ kind: 'relayed', smtpReply: '250 Ok', tellsSender: true });
    Object.assign(outbox.relay, { callKey: ({ parameters }: EnvelopeAddress) => parameters?.['NOTIFY'] ?? '' });
    await outbox.send(account, [
      to('a@elsewhere.example', { NOTIFY: 'SUCCESS' }),
      to('b@elsewhere.example'),
      to('c@elsewhere.example', { NOTIFY: 'SUCCESS' }),
    ]);
    await outbox.dispatcher.turn();
    expect(outbox.relay.sent.map(({ rcptTo }) => rcptTo.map(({ email }) => email[0]).join(''))).toEqual(['ac', 'b']);
    expect((await lookAt(outbox.bucket, ada)).inbox).toEqual([]);
  });

  test('does as NOTIFY says', async () => {
    const outbox = await openOutbox();
    const account = await outbox.open();
    outbox.relay.answer = (address) =>
      address.startsWith('bad') ? { kind: 'failed', smtpReply: '550 No' } : { kind: 'relayed', smtpReply: '250 Ok' };
    await outbox.send(account, [
      to('bad@elsewhere.example', { NOTIFY: 'NEVER' }),
      to('bad2@elsewhere.example', { NOTIFY: 'SUCCESS' }),
      to('good@elsewhere.example', { NOTIFY: 'SUCCESS,FAILURE' }),
      to('good2@elsewhere.example'),
    ]);
    await outbox.dispatcher.turn();
    const reports = (await lookAt(outbox.bucket, ada)).inbox;
    expect(reports.map(({ subject }) => subject)).toEqual(['[Relayed] Boats']);
    expect(reports[0]!.bytes.toString()).not.toContain('good2@');
  });

  test('never answers the null path', async () => {
    const outbox = await openOutbox();
    const account = await outbox.open();
    outbox.relay.answer = () => ({ kind: 'failed', smtpReply: '550 No' });
    const envelope = { mailFrom: to(''), rcptTo: [to('zoe@elsewhere.example')] };
    await outbox.send(account, [], { envelope, origin: 'vacation' });
    await outbox.dispatcher.turn();
    expect((await lookAt(outbox.bucket, ada)).inbox).toEqual([]);
  });

  test('keeps what the relay answered while the store is away, and does not ask it again', async () => {
    const outbox = await openOutbox();
    const account = await openProvisioned(outbox.node, ada);
    let failures = 0;
    const flaky = new Proxy(account, {
      get(target, name) {
        const member = Reflect.get(target, name, target) as unknown;
        if (name !== 'transact') return typeof member === 'function' ? member.bind(target) : member;
        return (...args: Parameters<typeof account.transact>) => {
          const isLost = outbox.relay.sent.length > 0 && failures < 3;
          if (isLost) failures += 1;
          // The first time it was written all the same, and only the answer was lost.
          if (!isLost || failures === 1)
            return isLost ? target.transact(...args).then(() => Promise.reject(away())) : target.transact(...args);
          return Promise.reject(away());
        };
      },
    });
    const away = () => new StorageError('unavailable', 'away');
    outbox.dispatcher.attach(flaky);
    outbox.relay.answer = () => ({ kind: 'failed', smtpReply: '550 No' });
    const id = await outbox.send(account, [to('zoe@elsewhere.example')]);
    await outbox.dispatcher.turn();
    expect(failures).toBe(3);
    expect(outbox.relay.sent).toHaveLength(1);
    expect(outbox.record(account, id)!.recipients[0]).toMatchObject({ state: 'failed', attempts: 1 });
    expect((await lookAt(outbox.bucket, ada)).inbox).toHaveLength(1);
  });

  test('costs four requests that are charged, and one for the mark', async () => {
    const bucket = openTestBucket();
    const { counted, counts } = countingStore(bucket.store);
    const outbox = await openOutbox({ bucket: { ...bucket, store: counted, node: (more) => bucket.node({ store: counted, ...more }) } });
    const account = await outbox.open();
    for (const name of Object.keys(counts)) delete counts[name];
    await outbox.send(account, [to('zoe@elsewhere.example')]);
    await outbox.dispatcher.turn();
    expect(counts).toEqual({ put: 2, putIfAbsent: 3 });
  });

  test('does not send before its time', async () => {
    const outbox = await openOutbox();
    const account = await outbox.open();
    await outbox.send(account, [to('zoe@elsewhere.example')], { sendAt: outbox.bucket.clock.now() + 60_000 });
    await outbox.dispatcher.turn();
    expect(outbox.relay.sent).toEqual([]);
    outbox.bucket.clock.advance(60_000);
    await outbox.dispatcher.turn();
    expect(outbox.relay.sent).toHaveLength(1);
  });

  test('stops what goes round in circles', async () => {
    const outbox = await openOutbox();
    const account = await outbox.open();
    const raw = Buffer.from(`${'Received: by a; b\r\n'.repeat(101)}From: ada@example.com\r\nSubject: o\r\n\r\n`);
    const id = await outbox.send(account, [to('zoe@elsewhere.example')], {}, raw);
    await outbox.dispatcher.turn();
    expect(outbox.relay.sent).toEqual([]);
    expect(outbox.record(account, id)!.recipients[0]!.smtpReply).toMatch(/^554 5\.4\.6 /);
  });

  test('an account that takes the place of another does not have under way handed over again', async () => {
    const outbox = await openOutbox();
    const account = await outbox.open();
    const { promise, resolve } = Promise.withResolvers<void>();
    outbox.relay.answer = async () => {
      await promise;
      return { kind: 'relayed', smtpReply: '250 2.0.0 Ok' };
    };
    const id = await outbox.send(account, [to('zoe@elsewhere.example')]);
    const turn = outbox.dispatcher.turn();
    await expect.poll(() => outbox.relay.sent.length).toBe(1);
    const replacement = new Proxy(account, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name);
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
    outbox.dispatcher.attach(replacement);
    const again = outbox.dispatcher.turn();
    resolve();
    await Promise.all([turn, again]);
    await outbox.dispatcher.turn();
    expect(outbox.relay.sent).toHaveLength(1);
    expect(outbox.record(account, id)!.recipients[0]).toMatchObject({ state: 'relayed', attempts: 1 });
  });

  test('splits what has more recipients than the relay takes at once', async () => {
    const outbox = await openOutbox();
    const account = await outbox.open();
    await outbox.send(
      account,
      Array.from({ length: 120 }, (_, at) => to(`r${at}@elsewhere.example`)),
    );
    await outbox.dispatcher.turn();
    expect(outbox.relay.sent.map(({ rcptTo }) => rcptTo.length)).toEqual([50, 50, 20]);
  });
});

describe('after a crash', () => {
  /** A node that dies while the relay is asked: its commit of the result never comes. */
  async function crashed() {
    const outbox = await openOutbox({ node: 'n1' });
    const account = await outbox.open();
    outbox.relay.answer = () => new Promise(() => {});
    const id = await outbox.send(account, [to('zoe@elsewhere.example')]);
    void outbox.dispatcher.turn();
    await expect.poll(() => outbox.relay.sent.length).toBe(1);
    return { bucket: outbox.bucket, id };
  }

  test('the node itself takes its claim over at once, and finds the account by its mark', async () => {
    const { bucket, id } = await crashed();
    const again = await openOutbox({ bucket, node: 'n1' });
    await again.dispatcher.look();
    await again.dispatcher.turn();
    expect(again.relay.sent.map(({ submission }) => submission)).toEqual([id]);
    expect(again.events.map(({ kind }) => kind)).toEqual(['takenOver', 'relayed']);
  });

  test('what the relay had answered is written down, not sent again', async () => {
    const answers = new TestAnswers();
    const outbox = await openOutbox({ node: 'n1', answers });
    const account = await openProvisioned(outbox.node, ada);
    const dying = new Proxy(account, {
      get(target, name) {
        if (name === 'transact' && answers.noted.size > 0) return () => new Promise(() => {});
        const member: unknown = Reflect.get(target, name);
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
    outbox.dispatcher.attach(dying);
    outbox.relay.answer = () => ({ kind: 'relayed', smtpReply: '250 2.0.0 Ok', relayId: '0100018f5a1b2c3d-1' });
    const id = await outbox.send(account, [to('zoe@elsewhere.example')]);
    void outbox.dispatcher.turn();
    await expect.poll(() => answers.noted.size).toBe(1);
    expect(outbox.record(account, id)!.recipients[0]).toMatchObject({ state: 'claimed' });
    const again = await openOutbox({ bucket: outbox.bucket, node: 'n1', answers });
    await again.dispatcher.look();
    await again.dispatcher.turn();
    expect(again.relay.sent).toEqual([]);
    expect(again.record(await again.open(), id)!.recipients[0]).toMatchObject({
      state: 'relayed',
      relayId: '0100018f5a1b2c3d-1',
      attempts: 1,
    });
    expect(answers.noted.size).toBe(0);
  });

  test('copies that the relay took are written down while others of the message are still under way', async () => {
    const outbox = await openOutbox();
    const account = await outbox.open();
    outbox.relay.recipientsMax = 1;
    outbox.relay.answer = (address) =>
      address.startsWith('slow') ? new Promise(() => {}) : { kind: 'relayed', smtpReply: '250 2.0.0 Ok' };
    const id = await outbox.send(account, [to('slow@elsewhere.example'), to('zoe@elsewhere.example')]);
    void outbox.dispatcher.turn();
    await expect.poll(() => outbox.record(account, id)!.recipients.map(({ state }) => state)).toEqual(['claimed', 'relayed']);
  });

  test('another node takes it over when the claim is old, not before', async () => {
    const { bucket, id } = await crashed();
    const other = await openOutbox({ bucket, node: 'n2' });
    await other.dispatcher.look();
    await other.dispatcher.turn();
    expect(other.relay.sent).toEqual([]);
    bucket.clock.advance(15 * 60_000);
    await other.dispatcher.turn();
    expect(other.relay.sent.map(({ submission }) => submission)).toEqual([id]);
  });

  test('an account here gets the copy once', async () => {
    const outbox = await openOutbox({ node: 'n1' });
    const account = await outbox.open();
    const id = await outbox.send(account, [to('ben@example.com')]);
    const { pipeline } = outbox;
    const dying = await openOutbox({ bucket: outbox.bucket, node: 'n3' });
    await pipeline.deliver({
      bytes: Buffer.from('Subject: x\r\n\r\n'),
      targets: new Map([[ben, 'ben@example.com']]),
      envelopeFrom: 'ada@example.com',
      evidence: { results: {}, fields: [], isProven: true },
      source: 'submission',
      name: 'x',
      ingestKey: `submission:${ada}:${id}`,
    });
    await dying.dispatcher.look();
    await dying.dispatcher.turn();
    expect((await lookAt(outbox.bucket, ben)).inbox).toHaveLength(1);
  });

  test('an account that cannot be opened holds up no other', async () => {
    const { bucket } = await crashed();
    const again = await openOutbox({ bucket, node: 'n1' });
    const { open } = again.ports.accounts;
    again.ports.accounts.open = (account) =>
      account === serviceOutboxId ? Promise.reject(new StorageError('corrupt', 'no')) : open.call(again.node.accounts, account);
    await again.ports.marks.mark(serviceOutboxId);
    const marked = await again.ports.marks.list();
    Object.assign(again.ports.marks, { list: async () => [...marked].reverse() });
    await again.dispatcher.look();
    await again.dispatcher.turn();
    expect(again.events[0]).toMatchObject({ kind: 'faulted', account: serviceOutboxId });
    expect(again.relay.sent).toHaveLength(1);
  });

  test('a mark goes when nothing is left to do, after a while', async () => {
    const outbox = await openOutbox();
    const account = await outbox.open(serviceOutboxId);
    await outbox.send(account, [to('zoe@elsewhere.example')]);
    await outbox.dispatcher.turn();
    await outbox.dispatcher.look();
    expect(await keysUnder(outbox.bucket.store, 'outbox/')).toEqual(['outbox/outbox']);
    outbox.bucket.clock.advance(7 * 60_000);
    await outbox.dispatcher.look();
    expect(await keysUnder(outbox.bucket.store, 'outbox/')).toEqual([]);
  });

  test('what is settled is kept thirty days', async () => {
    const outbox = await openOutbox();
    const account = await outbox.open();
    const id = await outbox.send(account, [to('zoe@elsewhere.example')]);
    await outbox.dispatcher.turn();
    await outbox.dispatcher.removeOld();
    expect(outbox.record(account, id)).toBeDefined();
    outbox.bucket.clock.advance(31 * day);
    await outbox.dispatcher.removeOld();
    expect(outbox.record(account, id)).toBeUndefined();
  });
});

test('the relay of none refuses at once', async () => {
  const outbox = await openOutbox({ relay: Object.assign(new TestRelay(), noRelay) });
  const account = await outbox.open();
  const id = await outbox.send(account, [to('zoe@elsewhere.example')]);
  await outbox.dispatcher.turn();
  expect(outbox.record(account, id)!.recipients[0]).toMatchObject({ state: 'failed', delivered: 'no' });
  expect(outbox.record(account, id)!.recipients[0]!.smtpReply).toMatch(/^550 5\.7\.1 /);
});
