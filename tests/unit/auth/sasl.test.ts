import { describe, expect, test } from 'vitest';
import { Login } from '../../../server/auth/sasl/login.ts';
import { OAuthBearer, XOAuth2 } from '../../../server/auth/sasl/oauth-bearer.ts';
import { Plain } from '../../../server/auth/sasl/plain.ts';
import { type ScramOptions, ScramSha256 } from '../../../server/auth/sasl/scram-sha-256.ts';
import { deriveScramKeys } from '../../../server/auth/scram-keys.ts';
import { clientFinalMessage } from '../../support/scram-client.ts';

const bytes = (text: string) => Buffer.from(text, 'utf8');

describe('PLAIN', () => {
  test.each([
    ['a login and a password', '\0ann\0secret', { login: 'ann', password: 'secret', authorizationId: '' }],
    ['an authorization identity', 'bob\0ann\0secret', { login: 'ann', password: 'secret', authorizationId: 'bob' }],
    ['what is not ASCII', '\0zoë\0pässwörd', { login: 'zoë', password: 'pässwörd', authorizationId: '' }],
  ])('reads %s', (_claim, message, want) => {
    expect(new Plain().step(bytes(message))).toEqual({ kind: 'password', ...want });
  });

  test.each([
    ['one field', bytes('ann')],
    ['two fields', bytes('\0ann')],
    ['four fields', bytes('\0ann\0secret\0')],
    ['no login', bytes('\0\0secret')],
    ['no password', bytes('\0ann\0')],
    ['nothing', bytes('')],
    ['what is not UTF-8', Buffer.from([0, 0x61, 0, 0xff])],
  ])('refuses %s', (_claim, message) => {
    expect(new Plain().step(message)).toMatchObject({ kind: 'failed' });
  });

  test('without an initial response begins with an empty challenge', () => {
    expect(new Plain().start()).toEqual({ kind: 'challenge', data: bytes('') });
  });
});

describe('LOGIN', () => {
  test('asks for the name and then for the password', () => {
    const login = new Login();
    expect(login.start()).toEqual({ kind: 'challenge', data: bytes('Username:') });
    expect(login.step(bytes('ann'))).toEqual({ kind: 'challenge', data: bytes('Password:') });
    expect(login.step(bytes('secret\0'))).toEqual({ kind: 'password', login: 'ann', password: 'secret', authorizationId: '' });
  });

  test('refuses an empty name', () => {
    expect(new Login().step(bytes(''))).toMatchObject({ kind: 'failed' });
  });
});

describe('SCRAM-SHA-256', () => {
  const serverNonce = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
  const clientNonce = 'rOprNGfwEbeRWgbNEkqO';
  const first = `n,,n=user,r=${clientNonce}`;
  const serverFirst = `r=${clientNonce}${serverNonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`;
  const final = `c=biws,r=${clientNonce}${serverNonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`;
  const keys = () => deriveScramKeys('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4096);

  async function upToKeys(message: string, options: Partial<ScramOptions> = {}) {
    const scram = new ScramSha256({ nonce: serverNonce, ...options });
    const step = scram.step(bytes(message));
    expect(step).toMatchObject({ kind: 'keys', login: 'user' });
    return { scram, serverFirst: scram.provideKeys(await keys()) };
  }

  test('holds the conversation of RFC 7677 §3', async () => {
    const { scram, serverFirst: sent } = await upToKeys(first);
    expect(sent).toEqual({ kind: 'challenge', data: bytes(serverFirst) });
    const data = bytes('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
    expect(scram.step(bytes(final))).toEqual({ kind: 'proof', isProved: true, data });
    expect(scram.step(bytes(''))).toEqual({ kind: 'done' });
  });

  test.each([
    ['a proof with one bit wrong', final.replace('p=dHzb', 'p=dHzc')],
    ['a proof that is too short', final.replace(/p=.*/, 'p=dHzb')],
    ['another nonce', final.replace('k0,p', 'k1,p')],
    ['the nonce of the client alone', final.replace(serverNonce, '')],
    ['another GS2 header than at first', final.replace('biws', Buffer.from('y,,').toString('base64'))],
    ['channel binding data where none is bound', final.replace('biws', Buffer.from('n,,x').toString('base64'))],
  ])('%s proves nothing', async (_claim, message) => {
    const { scram } = await upToKeys(first);
    expect(scram.step(bytes(message))).toEqual({ kind: 'proof', isProved: false });
    expect(scram.step(bytes(final))).toMatchObject({ kind: 'failed' });
  });

  test('an extension in the last message is part of what is proved', async () => {
    const { scram } = await upToKeys(first);
    const withExtension = `c=biws,r=${clientNonce}${serverNonce},x=y`;
    const message = clientFinalMessage('pencil', first.slice(3), serverFirst, withExtension);
    expect(scram.step(bytes(message))).toMatchObject({ kind: 'proof', isProved: true });
  });

  test.each([
    ['no GS2 header', 'n=user,r=abc'],
    ['an unknown flag', 'x,,n=user,r=abc'],
    ['channel binding without -PLUS', 'p=tls-exporter,,n=user,r=abc'],
    ['a mandatory extension', 'n,,m=1,n=user,r=abc'],
    ['no user', 'n,,n=,r=abc'],
    ['no nonce', 'n,,n=user'],
    ['an empty nonce', 'n,,n=user,r='],
    ['a nonce with a space', 'n,,n=user,r=a b'],
    ['a bare = in the name', 'n,,n=us=er,r=abc'],
    ['a control character in the name', 'n,,n=us\u0007er,r=abc'],
    ['nothing', ''],
  ])('refuses a first message with %s', (_claim, message) => {
    expect(new ScramSha256({ nonce: serverNonce }).step(bytes(message))).toMatchObject({ kind: 'failed' });
  });

  test.each([
    ['=2C and =3D are comma and equals sign', 'n,,n=a=2Cb=3Dc,r=abc', { login: 'a,b=c', authorizationId: '' }],
    ['an authorization identity is read', 'n,a=bob=2C,n=ann,r=abc', { login: 'ann', authorizationId: 'bob,' }],
    ['a client that could bind, but was offered nothing, goes on', 'y,,n=ann,r=abc', { login: 'ann', authorizationId: '' }],
    ['optional extensions are passed over', 'n,,n=ann,r=abc,x=y', { login: 'ann', authorizationId: '' }],
  ])('%s', (_claim, message, want) => {
    expect(new ScramSha256({ nonce: serverNonce }).step(bytes(message))).toEqual({ kind: 'keys', ...want });
  });

  test('a client that was told of no binding where one is offered is refused: someone stands between', () => {
    const scram = new ScramSha256({ nonce: serverNonce, isPlusOffered: true });
    expect(scram.step(bytes('y,,n=user,r=abc'))).toMatchObject({ kind: 'failed' });
  });

  describe('with channel binding', () => {
    const channelBinding = { name: 'tls-exporter', data: Buffer.from([1, 2, 3, 0xff]) } as const;
    const header = 'p=tls-exporter,,';
    const bare = first.slice(3);
    const finalWith = (data: Uint8Array) => {
      const c = Buffer.concat([Buffer.from(header), data]).toString('base64');
      return clientFinalMessage('pencil', bare, serverFirst, `c=${c},r=${clientNonce}${serverNonce}`);
    };

    test("the connection's own data proves it", async () => {
      const { scram } = await upToKeys(header + bare, { channelBinding });
      expect(scram.step(bytes(finalWith(channelBinding.data)))).toMatchObject({ kind: 'proof', isProved: true });
    });

    test("another connection's data does not, with the right password", async () => {
      const { scram } = await upToKeys(header + bare, { channelBinding });
      expect(scram.step(bytes(finalWith(Buffer.from([1, 2, 3, 4]))))).toEqual({ kind: 'proof', isProved: false });
    });

    test.each(['n,,', 'y,,', 'p=tls-unique,,'])('the flag %s is refused', (flag) => {
      expect(new ScramSha256({ nonce: serverNonce, channelBinding }).step(bytes(flag + bare))).toMatchObject({ kind: 'failed' });
    });
  });

  test('messages out of turn end the exchange', async () => {
    const { scram } = await upToKeys(first);
    scram.step(bytes(final));
    expect(scram.step(bytes('more'))).toMatchObject({ kind: 'failed' });
    expect(scram.step(bytes(''))).toMatchObject({ kind: 'failed' });
  });
});

describe('OAUTHBEARER', () => {
  test.each([
    ['a token', 'n,,\x01auth=Bearer abc.d-e_f==\x01\x01', { token: 'abc.d-e_f==', authorizationId: '' }],
    [
      'whom it is for, and what else the client knows',
      'n,a=a=2Cb@x.org,\x01host=mail.x.org\x01port=993\x01auth=bearer t\x01\x01',
      { token: 't', authorizationId: 'a,b@x.org' },
    ],
    ['a client that could bind', 'y,,\x01auth=Bearer t\x01\x01', { token: 't', authorizationId: '' }],
    ['a client that asks where to get a token', 'n,,\x01auth=\x01\x01', { token: '', authorizationId: '' }],
    ['a token of another kind as none', 'n,,\x01auth=MAC t\x01\x01', { token: '', authorizationId: '' }],
  ])('reads %s', (_claim, message, want) => {
    expect(new OAuthBearer().step(bytes(message))).toEqual({ kind: 'token', ...want });
  });

  test.each([
    ['no GS2 header', bytes('\x01auth=Bearer t\x01\x01')],
    ['a channel binding', bytes('p=tls-exporter,,\x01auth=Bearer t\x01\x01')],
    ['no end', bytes('n,,\x01auth=Bearer t\x01')],
    ['a name that is no SASL name', bytes('n,a=x=3,\x01auth=Bearer t\x01\x01')],
    ['what is not UTF-8', Buffer.from([0x6e, 0xff])],
  ])('refuses %s', (_claim, message) => {
    expect(new OAuthBearer().step(message)).toMatchObject({ kind: 'failed' });
  });

  test('takes one message', () => {
    const mechanism = new OAuthBearer();
    mechanism.step(bytes('n,,\x01auth=Bearer t\x01\x01'));
    expect(mechanism.step(bytes('n,,\x01auth=Bearer t\x01\x01'))).toMatchObject({ kind: 'failed' });
  });
});

describe('XOAUTH2', () => {
  test('reads a user and a token', () => {
    const message = bytes('user=ann@example.com\x01auth=Bearer ya29.x\x01\x01');
    expect(new XOAuth2().step(message)).toEqual({ kind: 'token', token: 'ya29.x', authorizationId: 'ann@example.com' });
  });

  test.each(['user=\x01auth=Bearer t\x01\x01', 'user=ann\x01\x01', 'auth=Bearer t\x01\x01', 'user=ann\x01auth=Bearer t\x01'])(
    'refuses %j',
    (message) => {
      expect(new XOAuth2().step(bytes(message))).toMatchObject({ kind: 'failed' });
    },
  );
});
