/**
 * EventSource (RFC 8620 §7.3): tells a client which types have a new state, as soon as a commit is applied. A client that reads slowly hears the newest
 * state when it can take it; nothing is queued for it.
 */
import type { ServerResponse } from 'node:http';
import type { Account } from '../../../storage/account/api.ts';
import type { AccountCache } from '../account-cache.ts';
import { pingSecondsMax, pingSecondsMin } from '../limits.ts';
import { StateWatch } from '../state-watch.ts';
import { type StateType, stateTypes } from '../states.ts';
import type { Stream } from './stream.ts';

export interface EventSourceQuery {
  readonly types: readonly StateType[];
  readonly closesAfterState: boolean;
  /** 0: none. */
  readonly pingSeconds: number;
  /** The modSeq that the client has heard of, from Last-Event-ID. */
  readonly heard: number | undefined;
}

/** undefined where a parameter is missing or wrong. */
export function readEventSourceQuery(query: Readonly<Record<string, unknown>>, lastEventId: unknown): EventSourceQuery | undefined {
  const { types = '*', closeafter = 'no', ping = '0' } = query;
  if (typeof types !== 'string' || (closeafter !== 'no' && closeafter !== 'state') || typeof ping !== 'string' || !/^\d{1,9}$/.test(ping))
    return undefined;
  const asked = types.split(',');
  const seconds = Number(ping);
  return {
    // Types that we do not have never change.
    types: types === '*' ? stateTypes : stateTypes.filter((type) => asked.includes(type)),
    closesAfterState: closeafter === 'state',
    pingSeconds: seconds === 0 ? 0 : Math.min(pingSecondsMax, Math.max(pingSecondsMin, seconds)),
    heard: typeof lastEventId === 'string' && /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : undefined,
  };
}

/** Serves the stream until either side ends it, or its login `isOver`. Disposing ends it. */
export function serveEvents(
  account: Account,
  cache: AccountCache,
  query: EventSourceQuery,
  response: ServerResponse,
  isOver: () => boolean,
  onEnd: () => void,
): Stream {
  const states = new StateWatch(account, cache, query.types, query.heard);
  let isEnded = false;

  const tell = (): void => {
    look();
    if (isEnded || response.writableNeedDrain) return;
    const news = states.news();
    if (news === undefined) return;
    const data = JSON.stringify({ '@type': 'StateChange', changed: { [account.id]: news.changed } });
    response.write(`event: state\nid: ${news.upTo}\ndata: ${data}\n\n`);
    if (query.closesAfterState) end();
  };

  // Effects are told before the state that they lead to may be read again.
  const tellSoon = (): void => queueMicrotask(tell);
  const watch = account.watch(tellSoon, tellSoon);
  const pings =
    query.pingSeconds === 0
      ? undefined
      : setInterval(() => {
          if (!response.writableNeedDrain) response.write(`event: ping\ndata: ${JSON.stringify({ interval: query.pingSeconds })}\n\n`);
        }, query.pingSeconds * 1000);

  function look(): void {
    if (isOver()) end();
  }

  function end(): void {
    if (isEnded) return;
    isEnded = true;
    watch[Symbol.dispose]();
    clearInterval(pings);
    response.end();
    onEnd();
  }

  response.on('drain', tell);
  response.on('close', end);
  response.on('error', end);
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' });
  response.write(': events\n\n');
  tell();
  return { look, [Symbol.dispose]: end };
}
