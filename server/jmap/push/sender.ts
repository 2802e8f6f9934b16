/** Sends one push (RFC 8030), encrypted for its subscriber (RFC 8291) and signed as ours (RFC 8292). Follows no redirect, and reads little of the answer. */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import webPush from 'web-push';
import type { VapidKey } from '../../../storage/directory/vapid-key.ts';
import { pushSendMsMax, pushTtlSeconds } from '../limits.ts';
import { isPublicAddress, publicLookup } from './public-address.ts';

export interface PushTarget {
  readonly url: string;
  readonly keys: { readonly p256dh: string; readonly auth: string } | null;
}

/** `gone`: there is no such subscription any more. `refused`: trying again would not help. */
export type PushAnswer =
  | { readonly kind: 'taken' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'later'; readonly why: string; readonly afterMs?: number };

export interface PushSender {
  /** base64url, for browsers (RFC 9749). */
  readonly publicKey: string;
  /** A sentence for a url that pushes cannot go to, or undefined. */
  fault(target: PushTarget): string | undefined;
  /** Never rejects. */
  send(target: PushTarget, message: object): Promise<PushAnswer>;
}

export interface PushSenderOptions {
  readonly key: VapidKey;
  /** `mailto:` or `https:`: whom a push service may turn to. */
  readonly contact: string;
  /** Also to http and addresses inside. */
  readonly allowsPrivate: boolean;
}

export const freshVapidKey = (): VapidKey => webPush.generateVAPIDKeys();

export function createPushSender({ key, contact, allowsPrivate }: PushSenderOptions): PushSender {
  const requestOf = ({ url, keys }: PushTarget, message: object) => {
    const text = JSON.stringify(message);
    const options = {
      vapidDetails: { subject: contact, ...key },
      TTL: pushTtlSeconds,
      urgency: 'normal',
      contentEncoding: 'aes128gcm',
    } as const;
    if (keys !== null) return webPush.generateRequestDetails({ endpoint: url, keys }, text, options);
    // RFC 8620 §7.2: without keys the message is as it is.
    const { headers } = webPush.generateRequestDetails({ endpoint: url } as webPush.PushSubscription, null, options);
    const body = Buffer.from(text);
    return { body, headers: { ...headers, 'Content-Type': 'application/json', 'Content-Length': body.length } };
  };
  return {
    publicKey: key.publicKey,
    fault(target) {
      const url = URL.canParse(target.url) ? new URL(target.url) : undefined;
      const isHttps = url?.protocol === 'https:' || (allowsPrivate && url?.protocol === 'http:');
      if (url === undefined || !isHttps || url.username !== '' || url.password !== '') return 'url is an https URL.';
      const host = hostOf(url);
      if (!allowsPrivate && (host === 'localhost' || (isIP(host) !== 0 && !isPublicAddress(host))))
        return 'url leads to no public address.';
      if (target.keys === null) return undefined;
      try {
        requestOf(target, {});
        return undefined;
      } catch {
        return 'keys are those of no push subscription.';
      }
    },
    send(target, message) {
      const fault = this.fault(target);
      if (fault !== undefined) return Promise.resolve({ kind: 'refused', why: fault });
      const { headers, body } = requestOf(target, message);
      const url = new URL(target.url);
      const send = url.protocol === 'https:' ? requestHttps : requestHttp;
      return new Promise((resolve) => {
        const request = send(
          url,
          {
            method: 'POST',
            headers,
            signal: AbortSignal.timeout(pushSendMsMax),
            agent: false,
            ...(allowsPrivate ? {} : { lookup: publicLookup }),
          },
          (response) => {
            resolve(answerOf(response.statusCode ?? 0, response.headers['retry-after']));
            response.destroy();
          },
        );
        request.on('error', (error) => resolve({ kind: 'later', why: error.message }));
        request.end(body);
      });
    },
  };
}

const hostOf = ({ hostname }: URL) => hostname.replace(/^\[|\]$/g, '');

function answerOf(status: number, retryAfter: string | undefined): PushAnswer {
  if (status >= 200 && status < 300) return { kind: 'taken' };
  // RFC 8030 §7.3.
  if (status === 404 || status === 410) return { kind: 'gone' };
  const why = `the push service answered ${status}`;
  if (status !== 429 && status < 500) return { kind: 'refused', why };
  return /^\d{1,6}$/.test(retryAfter ?? '') ? { kind: 'later', why, afterMs: Number(retryAfter) * 1000 } : { kind: 'later', why };
}
