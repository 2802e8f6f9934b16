/**
 * Transcripts of JMAP: files with what is in the account and steps of a request and what its response must hold.
 *
 * In a pattern, an object names members that must be there (`"$absent"`: must not), a list has just these items (a last `"…"`: at least these),
 * `"…"` is anything, and `$name` in a string binds what is there on first sight and stands for it from then on, in requests too.
 */

import { readFileSync } from 'node:fs';
import type { DeliveryFacts } from '../../../storage/log/record.ts';
import { deliver, rawMessage } from '../open-accounts.ts';
import { type JmapApp, team, users } from './app.ts';

export interface Transcript {
  /** The claim, with the section that it comes from. */
  readonly about: string;
  readonly messages?: readonly GivenMessage[];
  readonly steps: readonly Step[];
}

/** Bound as $e1, $t1, $e2, … in the order given. */
interface GivenMessage {
  /** A role; inbox when not said. */
  readonly in?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** A whole message instead, by its name in tests/fixtures. */
  readonly file?: string;
  readonly keywords?: readonly string[];
  readonly receivedAt?: string;
  /** \Deleted, as an IMAP client marks it. */
  readonly deleted?: boolean;
  /** What its road said of it. */
  readonly delivery?: DeliveryFacts;
}

interface Step {
  /** Method calls, or a whole request. */
  readonly calls?: readonly unknown[];
  readonly using?: readonly string[];
  readonly createdIds?: object;
  readonly user?: 'me@example.com' | 'other@example.com';
  readonly responses?: unknown;
  readonly http?: {
    readonly method?: 'GET' | 'POST' | 'OPTIONS';
    readonly url: string;
    readonly headers?: Record<string, string>;
    readonly body?: string;
  };
  readonly anonymous?: boolean;
  readonly status?: number;
  readonly headers?: unknown;
  readonly body?: unknown;
  /** What createdIds of the response must hold. */
  readonly created?: unknown;
}

export async function runTranscript(transcript: Transcript, app: JmapApp): Promise<void> {
  const bound = new Map<string, unknown>([
    ['$account', users['me@example.com']],
    ['$other', users['other@example.com']],
    ['$team', team],
  ]);
  app.account.read((reader) => {
    for (const { id, role } of reader.mailboxes()) if (role !== null) bound.set(`$${role}`, `m${id.toString(36)}`);
  });
  for (const [index, message] of (transcript.messages ?? []).entries()) await give(app, bound, index + 1, message);
  for (const [index, step] of transcript.steps.entries()) {
    const where = `step ${index + 1}`;
    if (step.http !== undefined) await runHttp(app, bound, step, where);
    else await runCalls(app, bound, step, where);
  }
}

async function give(app: JmapApp, bound: Map<string, unknown>, number: number, message: GivenMessage): Promise<void> {
  const mailbox = app.account.read((reader) => reader.mailboxByRole((message.in ?? 'inbox') as 'inbox'))!;
  const receivedAt = message.receivedAt === undefined ? Date.UTC(2026, 0, number, 12) : Date.parse(message.receivedAt);
  const raw =
    message.file !== undefined
      ? readFileSync(new URL(`../../fixtures/${message.file}`, import.meta.url))
      : rawMessage({ Subject: `Message ${number}`, 'Message-ID': `<${number}@example.org>`, ...message.headers }, message.body);
  const { id, thread } = await deliver(app.account, mailbox.id, raw, {
    receivedAt,
    keywords: message.keywords ?? [],
    ...(message.deleted === true ? { deleted: true } : {}),
    ...(message.delivery === undefined ? {} : { delivery: message.delivery }),
  });
  bound.set(`$e${number}`, `e${id.toString(36)}`);
  bound.set(`$t${number}`, `t${thread.toString(36)}`);
}

async function runCalls(app: JmapApp, bound: Map<string, unknown>, step: Step, where: string): Promise<void> {
  const { user, using, createdIds } = step;
  const answer = await app.call(fill(step.calls, bound) as unknown[], {
    ...(user === undefined ? {} : { user }),
    ...(using === undefined ? {} : { using }),
    ...(createdIds === undefined ? {} : { createdIds: fill(createdIds, bound) as object }),
  });
  const faults = compare(step.responses, answer.methodResponses, bound, 'methodResponses');
  if (step.created !== undefined) faults.push(...compare(step.created, answer.createdIds, bound, 'createdIds'));
  report(faults, where, answer);
}

async function runHttp(app: JmapApp, bound: Map<string, unknown>, step: Step, where: string): Promise<void> {
  const { method = 'GET', url, headers = {}, body } = fill(step.http, bound) as NonNullable<Step['http']>;
  const response = await app.server.inject({
    method,
    url,
    headers: { ...(step.anonymous === true ? {} : { authorization: app.authorization(step.user) }), ...headers },
    ...(body === undefined ? {} : { payload: body }),
  });
  const type = String(response.headers['content-type'] ?? '');
  const shown = /json/.test(type) ? JSON.parse(response.body) : response.body;
  const faults = compare(step.status ?? 200, response.statusCode, bound, 'status');
  if (step.headers !== undefined) faults.push(...compare(step.headers, headersOf(response.headers), bound, 'headers'));
  if (step.body !== undefined) faults.push(...compare(step.body, shown, bound, 'body'));
  report(faults, where, { status: response.statusCode, headers: response.headers, body: shown });
}

/** A field that is there several times as one list (RFC 9110 §5.3). */
function headersOf(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]));
}

function report(faults: readonly string[], where: string, got: unknown): void {
  if (faults.length > 0) throw new Error(`${where}:\n  ${faults.join('\n  ')}\ngot ${JSON.stringify(got, null, 1)}`);
}

const variable = /\$[a-z][A-Za-z0-9]*/g;

/** The same value with what is bound put in for its `$name`s. */
function fill(value: unknown, bound: ReadonlyMap<string, unknown>): unknown {
  if (typeof value === 'string') {
    if (bound.has(value)) return bound.get(value);
    return value.replace(variable, (name) => (bound.has(name) ? String(bound.get(name)) : name));
  }
  if (Array.isArray(value)) return value.map((item) => fill(item, bound));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [fill(key, bound), fill(member, bound)]));
}

function compare(want: unknown, got: unknown, bound: Map<string, unknown>, at: string): string[] {
  if (want === '…') return got === undefined ? [`${at}: nothing is there`] : [];
  if (typeof want === 'string') return compareText(want, got, bound, at);
  if (Array.isArray(want)) {
    if (!Array.isArray(got)) return [`${at}: want a list, got ${JSON.stringify(got)}`];
    const isOpen = want.at(-1) === '…';
    const items = isOpen ? want.slice(0, -1) : want;
    if (isOpen ? got.length < items.length : got.length !== items.length) return [`${at}: want ${items.length} items, got ${got.length}`];
    return items.flatMap((item, index) => compare(item, got[index], bound, `${at}/${index}`));
  }
  if (typeof want !== 'object' || want === null)
    return Object.is(want, got) ? [] : [`${at}: want ${JSON.stringify(want)}, got ${JSON.stringify(got)}`];
  if (typeof got !== 'object' || got === null) return [`${at}: want an object, got ${JSON.stringify(got)}`];
  return Object.entries(want).flatMap(([rawKey, member]) => {
    const key = String(fill(rawKey, bound));
    const value = (got as Record<string, unknown>)[key];
    if (member === '$absent') return value === undefined ? [] : [`${at}/${key}: is there`];
    return compare(member, value, bound, `${at}/${key}`);
  });
}

function compareText(want: string, got: unknown, bound: Map<string, unknown>, at: string): string[] {
  if (/^\$[a-z][A-Za-z0-9]*$/.test(want) && !bound.has(want) && !isKeyword(want)) {
    if (got === undefined) return [`${at}: nothing is there to bind to ${want}`];
    bound.set(want, got);
    return [];
  }
  if (want.endsWith('…') && typeof got === 'string') {
    const start = String(fill(want.slice(0, -1), bound));
    return got.startsWith(start) ? [] : [`${at}: want ${JSON.stringify(want)}, got ${JSON.stringify(got)}`];
  }
  const filled = fill(want, bound);
  return filled === got ? [] : [`${at}: want ${JSON.stringify(filled)}, got ${JSON.stringify(got)}`];
}

/** Keywords begin with a dollar too. */
const isKeyword = (text: string) => ['$seen', '$flagged', '$draft', '$answered', '$mdnsent'].includes(text);
