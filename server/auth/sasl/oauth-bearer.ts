/**
 * OAUTHBEARER (RFC 7628), and XOAUTH2, which Google introduced before it and clients still speak: a bearer token in one message. A token that is
 * refused is told why in a JSON challenge; the client answers it with anything, and the exchange has failed.
 */
import { challenge, decodeText, failed, type Mechanism, type MechanismStep } from './mechanism.ts';

abstract class BearerMechanism implements Mechanism {
  #isOver = false;

  start(): MechanismStep {
    return challenge('');
  }

  step(message: Uint8Array): MechanismStep {
    if (this.#isOver) return failed('One message holds the whole exchange.');
    this.#isOver = true;
    const text = decodeText(message);
    return text === undefined ? failed('The message is not UTF-8.') : this.decode(text);
  }

  refuseToken(configurationUrl: string): MechanismStep {
    // RFC 7628 §3.2.2. There is no other status that would help: a client gets itself a new token.
    return challenge(JSON.stringify({ ...this.refusal, 'openid-configuration': configurationUrl }));
  }

  protected abstract readonly refusal: object;
  protected abstract decode(text: string): MechanismStep;
}

export class OAuthBearer extends BearerMechanism {
  protected readonly refusal = { status: 'invalid_token' };

  /**
   * client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep
   * gs2-header  = ("n" / "y") "," ["a=" saslname] ","
   * kvpair      = key "=" value kvsep
   */
  protected decode(text: string): MechanismStep {
    const [, authzid = '', pairs] = /^[ny],(?:a=([^,]*))?,\x01((?:[A-Za-z]+=[\t\n\r\x20-\x7e]*\x01)*)\x01$/.exec(text) ?? [];
    if (pairs === undefined) return failed('OAUTHBEARER is a GS2 header and key=value pairs, each ended by 0x01.');
    if (/=(?!2C|3D)/.test(authzid)) return failed('The authorization identity is not a SASL name.');
    return { kind: 'token', token: bearerToken(pairs), authorizationId: authzid.replaceAll('=2C', ',').replaceAll('=3D', '=') };
  }
}

export class XOAuth2 extends BearerMechanism {
  protected readonly refusal = { status: '401', schemes: 'Bearer' };

  /** `user=ann@example.com 0x01 auth=Bearer token 0x01 0x01` */
  protected decode(text: string): MechanismStep {
    const [, user, pairs] = /^user=([^\x01]+)\x01((?:[A-Za-z]+=[^\x01]*\x01)+)\x01$/.exec(text) ?? [];
    if (user === undefined || pairs === undefined) return failed('XOAUTH2 is user=name and auth=Bearer token, each ended by 0x01.');
    return { kind: 'token', token: bearerToken(pairs), authorizationId: user };
  }
}

/** RFC 6750 §2.1. '' when there is none: RFC 7628 §4.3, a client that asks where to get one. */
function bearerToken(pairs: string): string {
  const auth = pairs.split('\x01').find((pair) => pair.startsWith('auth='));
  const [, token = ''] = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(auth?.slice('auth='.length) ?? '') ?? [];
  return token;
}
