/** SASL LOGIN (draft-murchison-sasl-login): never a standard, but the only mechanism that some versions of Outlook and many devices speak. */
import { challenge, decodeText, failed, type Mechanism, type MechanismStep } from './mechanism.ts';

export class Login implements Mechanism {
  #login: string | undefined;

  start(): MechanismStep {
    // Outlook waits for exactly these words.
    return challenge('Username:');
  }

  step(message: Uint8Array): MechanismStep {
    // Some devices end the strings with a NUL.
    const text = decodeText(message)?.replace(/\0$/, '');
    if (text === undefined) return failed('The message is not UTF-8.');
    if (text === '') return failed('LOGIN needs a user name and a password.');
    if (this.#login !== undefined) return { kind: 'password', login: this.#login, password: text, authorizationId: '' };
    this.#login = text;
    return challenge('Password:');
  }
}
