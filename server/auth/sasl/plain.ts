/** SASL PLAIN (RFC 4616): `[authzid] NUL authcid NUL passwd` in one message. */
import { challenge, decodeText, failed, type Mechanism, type MechanismStep } from './mechanism.ts';

export class Plain implements Mechanism {
  start(): MechanismStep {
    return challenge('');
  }

  step(message: Uint8Array): MechanismStep {
    const fields = decodeText(message)?.split('\0');
    if (fields === undefined) return failed('The message is not UTF-8.');
    const [authorizationId, login, password] = fields;
    if (fields.length !== 3 || authorizationId === undefined || !login || !password) {
      return failed('PLAIN is authzid NUL authcid NUL passwd.');
    }
    return { kind: 'password', login, password, authorizationId };
  }
}
