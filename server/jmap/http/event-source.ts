/**
 * EventSource (RFC 8620 §7.3): tells a client which types have a new state, as soon as a commit is applied. A client that reads slowly hears the newest
 * state when it can take it; nothing is queued for it.
 */
import type { ServerResponse } from 'node:http';
import { pingSecondsMax, pingSecondsMin } from '../limits.ts';
import { type Heard, parseHeard, type ReachWatch } from '../reach-watch.ts';
import { type StateType, stateTypes } from '../states.ts';
import type { Stream } from './stream.ts';

export interface EventSourceQuery {
  readonly types: readonly StateType[];
  readonly closesAfterState: boolean;
  /** 0: none. */
  readonly pingSeconds: number;
  /** From Last-Event-ID. */
  readonly heard: Heard | undefined;
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
    heard: typeof lastEventId === 'string' ? parseHeard(lastEventId) : undefined,
  };
}

/** Serves the stream until either side ends it, or its login `isOver`. Disposing ends it. */
export function serveEvents(
  watchStates: (onChange: () => void) => ReachWatch,
  query: EventSourceQuery,
  response: ServerResponse,
  isOver: () => boolean,
  onEnd: () => void,
): Stream {
  let isEnded = false;
  const states = watchStates(() => tell());

  const tell = (): void => {
    if (isOver()) end();
    if (isEnded || response.writableNeedDrain) return;
    const news = states.news();
    if (news === undefined) return;
    const data = JSON.stringify({ '@type': 'StateChange', changed: news.changed });
    response.write(`event: state\nid: ${news.upTo}\ndata: ${data}\n\n`);
    if (query.closesAfterState) end();
  };

  const pings =
    query.pingSeconds === 0
      ? undefined
      : setInterval(() => {
          if (!response.writableNeedDrain) response.write(`event: ping\ndata: ${JSON.stringify({ interval: query.pingSeconds })}\n\n`);
        }, query.pingSeconds * 1000);

  function look(): void {
    if (isOver()) end();
    else states.look();
  }

  function end(): void {
    if (isEnded) return;
    isEnded = true;
    states[Symbol.dispose]();
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
