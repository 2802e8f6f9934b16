/** Events of new mail by HTTP on a rig of its own: what comes in, and what became of it. */
import type { IntakeEvent } from '../../../indexer/intake-events.ts';
import { AnnouncedMail } from '../../../indexer/sources/announced.ts';
import { HttpSource } from '../../../indexer/sources/http.ts';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import { fixture, idOf } from './fixtures.ts';
import { ada, ben, lookAt, openRig, TestRecipients } from './rig.ts';

export const topic = 'arn:aws:sns:eu-west-1:444455556666:mail-in';
const token = 'a token of the tests';
export const cleo = 'cleo1' as AccountId;
/** A minute after the fixtures were signed. */
export const signedAt = Date.parse('2026-09-07T08:13:34Z');

export async function openSource({ topicArns = [topic], isTokenSet = true, fetchFails = false } = {}) {
  const recipients = new TestRecipients();
  recipients.known.set('cleo@example.com', [cleo]);
  const rig = await openRig({ recipients });
  const events: IntakeEvent[] = [];
  const fetched: string[] = [];
  let nowMs = signedAt;
  let onSleep: () => unknown = () => {};
  const clock = { ...rig.bucket.clock, monotonic: () => 0, now: () => nowMs, sleep: async () => void (await onSleep()) };
  const mail = new AnnouncedMail({
    store: rig.bucket.store,
    pipeline: rig.pipeline,
    accounts: rig.node.accounts,
    directory: recipients,
    clock,
    observe: (event) => events.push(event),
    inboundPrefix: 'inbound/',
    bucket: { name: 'satchel-demo', prefix: '' },
    hasReceipts: topicArns.length > 0,
  });
  const source = new HttpSource({
    mail,
    topicArns,
    token: isTokenSet ? token : undefined,
    clock,
    observe: (event) => events.push(event),
    async fetchText(url) {
      fetched.push(url);
      if (fetchFails) throw new Error('no network');
      return fixture('sns-signing-cert.pem').toString();
    },
  });
  return {
    ...rig,
    source,
    mail,
    events,
    fetched,
    post: (body: string | Buffer, authorization?: string) => source.receive({ authorization, body: body.toString() }),
    setTime: (ms: number) => {
      nowMs = ms;
    },
    /** Called whenever the source waits. */
    onSleep: (act: () => unknown) => {
      onSleep = act;
    },
    async putFixture(name: string) {
      const message = fixture(name);
      await rig.bucket.store.put(`inbound/${idOf(message)}`, message);
      return idOf(message);
    },
    async inboxSizes() {
      const sizes = await Promise.all([ada, ben, cleo].map(async (id) => (await lookAt(rig.bucket, id)).inbox.length));
      return { ada: sizes[0], ben: sizes[1], cleo: sizes[2] };
    },
  };
}

export const bearer = `Bearer ${token}`;
