/** Where the session and the metadata say that the server is: where the configuration says so, and otherwise where the client found it. */
import { describe, expect, it } from 'vitest';
import { givenPublicUrl } from '../../../server/config.ts';
import { startJmapApp } from '../../support/jmap/app.ts';

describe('a configured publicUrl', () => {
  it('is in the session and in the metadata of the resource, whatever host was asked', async () => {
    await using app = await startJmapApp({ publicUrl: 'https://mail.example.com' });
    const get = (headers: Record<string, string>) =>
      app.server.inject({ method: 'GET', url: '/.well-known/jmap', headers: { host: 'inside:8080', ...headers } });
    const session = (await get({ authorization: app.authorization() })).json() as Record<string, string> & {
      capabilities: Record<string, { url?: string }>;
    };
    for (const name of ['apiUrl', 'downloadUrl', 'uploadUrl', 'eventSourceUrl'])
      expect(session[name]).toMatch(/^https:\/\/mail\.example\.com\/jmap\//);
    expect(session.capabilities['urn:ietf:params:jmap:websocket']!.url).toBe('wss://mail.example.com/jmap/ws');
    const metadata = await app.server.inject({ method: 'GET', url: '/.well-known/oauth-protected-resource' });
    expect(metadata.json()).toMatchObject({ resource: 'https://mail.example.com' });
  });

  it('is not the one that the listener suggests', () => {
    const listen = { http: '127.0.0.1:8080' } as never;
    expect(givenPublicUrl({ publicUrl: 'http://127.0.0.1:8080', listen } as never)).toBeUndefined();
    expect(givenPublicUrl({ publicUrl: 'https://mail.example.com/', listen } as never)).toBe('https://mail.example.com');
  });
});
