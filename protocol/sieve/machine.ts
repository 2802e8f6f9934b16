/**
 * Runs a compiled script on a message, in bounded steps. Pure: what the outside says (mailboxes, remembered ids, other scripts) is asked through
 * the input, and what is to be done is handed back. Throws SieveError for a run that cannot go on; nothing has happened then.
 */
import type { Script } from './compile.ts';
import {
  actionsMax,
  includeDepthMax,
  includesMax,
  notificationsMax,
  redirectsMax,
  stepsMax,
  stringBytesMax,
  variablesMax,
} from './limits.ts';
import { costOf, type Match, type Matching, matchOne } from './match.ts';
import { type Entity, Message } from './message.ts';
import type { Action, Outcome, RunInput, Target, TrackedId } from './outcome.ts';
import type { Call, CommandRow, TestRow } from './row.ts';
import { SieveError } from './syntax.ts';
import { cutToBytes, type Text } from './text.ts';

/** Ends blocks on the way to whom it concerns. */
export type Jump = 'stop' | 'return' | { readonly breakTo: Call } | undefined;

/** What each included script has of its own (RFC 6609 §3). */
interface Frame {
  readonly script: Script;
  readonly variables: Map<string, string>;
  /** Names that RFC 6609's `global` has tied to the outside. */
  readonly globals: Set<string>;
  matches: readonly string[];
}

export function runScript(script: Script, input: RunInput): Outcome {
  const machine = new Machine(script, input);
  return machine.run();
}

export class Machine {
  readonly input: RunInput;
  readonly message: Message;
  readonly actions: Action[] = [];
  readonly tracked: TrackedId[] = [];
  readonly included = new Set<string>();
  readonly #globals = new Map<string, string>();
  #frame: Frame;
  #depth = 0;
  #includes = 0;
  #steps = 0;
  /** Where the run is: for errors. */
  #line = 1;
  isImplicitlyKept = true;
  /** Whether a branch of the chain of if, elsif, else at hand was taken. */
  isTaken = false;
  jump: Jump;
  addedHeaderBytes = 0;
  /** RFC 5232 §2: the internal variable. */
  flags: readonly string[] = [];
  /** foreverypart's parts, innermost last. */
  readonly parts: { readonly entity: Entity; readonly call: Call; readonly name: string | undefined }[] = [];

  constructor(script: Script, input: RunInput) {
    this.input = input;
    this.message = new Message(input.raw, input.root);
    this.#frame = frameOf(script);
  }

  run(): Outcome {
    this.runBlock(this.#frame.script.commands);
    if (this.isImplicitlyKept)
      this.addAction({ do: 'keep', flags: this.flags.length > 0 ? this.flags : undefined, bytes: this.message.bytes() });
    return { actions: this.actions, tracked: this.tracked, steps: this.#steps };
  }

  get script(): Script {
    return this.#frame.script;
  }

  runBlock(block: readonly Call[]): void {
    const outer = this.isTaken;
    this.isTaken = false;
    for (const call of block) {
      this.step();
      this.#line = call.line;
      (call.row as CommandRow).run(this, call);
      if (this.jump !== undefined) break;
    }
    this.isTaken = outer;
  }

  test(call: Call): boolean {
    this.step();
    this.#line = call.line;
    return (call.row as TestRow).run(this, call);
  }

  step(count = 1): void {
    this.#steps += count;
    if (this.#steps > stepsMax) throw this.fail(`the script took more than ${stepsMax} steps.`);
  }

  fail(reason: string): SieveError {
    return new SieveError(this.#line, reason);
  }

  include(script: Script): void {
    if (++this.#depth > includeDepthMax) throw this.fail(`scripts include one another deeper than ${includeDepthMax}.`);
    if (++this.#includes > includesMax) throw this.fail(`more than ${includesMax} scripts were included.`);
    const outer = this.#frame;
    this.#frame = frameOf(script);
    this.runBlock(script.commands);
    this.#frame = outer;
    this.#depth--;
    if (this.jump === 'return') this.jump = undefined;
  }

  /** A string with its variables in it. */
  text(text: Text): string {
    if (typeof text === 'string') return text;
    this.step();
    return cutToBytes(text.map((piece, index) => (index % 2 === 1 ? this.variable(piece) : piece)).join(''), stringBytesMax);
  }

  texts(texts: readonly Text[]): string[] {
    return texts.map((text) => this.text(text));
  }

  /** RFC 5229 §3: unknown variables are empty. */
  variable(name: string): string {
    if (/^[0-9]/.test(name)) return this.#frame.matches[Number(name)] ?? '';
    return this.#placeOf(name).get(bareName(name)) ?? '';
  }

  setVariable(name: string, value: string): void {
    const place = this.#placeOf(name);
    const key = bareName(name);
    if (!place.has(key) && place.size >= variablesMax) throw this.fail(`there are more than ${variablesMax} variables.`);
    place.set(key, cutToBytes(value, stringBytesMax));
  }

  tieToGlobal(name: string): void {
    this.#frame.globals.add(bareName(name));
  }

  #placeOf(name: string): Map<string, string> {
    const isGlobal = name.toLowerCase().startsWith('global.') || this.#frame.globals.has(bareName(name));
    return isGlobal ? this.#globals : this.#frame.variables;
  }

  /** Whether a value matches a pattern; sets the match variables (RFC 5229 §3.2). */
  match(matching: Matching, values: Iterable<string>, patterns: readonly string[]): boolean {
    const found = this.find(matching, values, patterns);
    if (found !== undefined && found !== true && this.script.requires.has('variables')) this.#frame.matches = found;
    return found !== undefined;
  }

  /** What the first match found. */
  find(matching: Matching, values: Iterable<string>, patterns: readonly string[]): Match {
    for (const value of values) {
      for (const pattern of patterns) {
        const found = this.#matchOne(matching, value, pattern);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  #matchOne(matching: Matching, value: string, pattern: string) {
    try {
      this.step(1 + Math.ceil(costOf(matching, value, pattern) / 1024));
      return matchOne(matching, value, pattern);
    } catch (error) {
      if (matching.type !== 'regex' || error instanceof SieveError) throw error;
      throw this.fail(error instanceof Error ? error.message : String(error));
    }
  }

  addAction(action: Action): void {
    if (this.actions.length >= actionsMax) throw this.fail(`there are more than ${actionsMax} actions.`);
    const count = (kind: Action['do']) => this.actions.filter((each) => each.do === kind).length;
    if (action.do === 'redirect' && count('redirect') >= redirectsMax) throw this.fail(`there are more than ${redirectsMax} redirects.`);
    if (action.do === 'notify' && count('notify') >= notificationsMax) {
      throw this.fail(`there are more than ${notificationsMax} notifications.`);
    }
    this.#refuseMixture(action);
    // RFC 5228 §2.10.3: into one mailbox once; the flags add up.
    const same = this.actions.findIndex((each) => isSamePlace(each, action));
    const known = this.actions[same];
    if (known?.do === 'keep' || known?.do === 'fileinto') {
      const flags = 'flags' in action && action.flags !== undefined ? [...new Set([...(known.flags ?? []), ...action.flags])] : known.flags;
      this.actions[same] = { ...known, flags };
    } else this.actions.push(action);
  }

  /** RFC 5429 §2.3, RFC 5230 §4.7: who is told that it was not taken in has no copy taken in. */
  #refuseMixture(action: Action): void {
    const isRefusal = ({ do: kind }: Action) => kind === 'reject' || kind === 'ereject';
    const refusal = this.actions.find(isRefusal);
    if (isRefusal(action)) {
      const other = this.actions.find((each) => each.do !== 'notify' && each.do !== 'discard');
      if (other !== undefined) throw this.fail(`${action.do} cannot go with ${other.do}.`);
    } else if (refusal !== undefined && action.do !== 'notify' && action.do !== 'discard') {
      throw this.fail(`${action.do} cannot go with ${refusal.do}.`);
    }
    if (action.do === 'vacation' && this.actions.some((each) => each.do === 'vacation')) {
      throw this.fail('vacation is done once only (RFC 5230 §4.7).');
    }
  }

  /** The entity that tests look at: the part at hand in foreverypart, else the message. */
  get entity(): Entity {
    return this.parts.at(-1)?.entity ?? this.message.entity;
  }
}

function isSamePlace(left: Action, right: Action): boolean {
  if (left.do === 'keep') return right.do === 'keep' && left.bytes === right.bytes;
  return left.do === 'fileinto' && right.do === 'fileinto' && placeOf(left) === placeOf(right) && left.bytes === right.bytes;
}

/** INBOX in any case (RFC 9051 §5.1). */
const placeOf = ({ mailbox, specialUse }: Target) => JSON.stringify([mailbox.replace(/^inbox(?=$|\/)/i, 'INBOX'), specialUse ?? '']);

const bareName = (name: string) => name.toLowerCase().replace(/^global\./, '');

function frameOf(script: Script): Frame {
  return { script, variables: new Map(), globals: new Set(), matches: [] };
}
