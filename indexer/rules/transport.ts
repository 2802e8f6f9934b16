/**
 * The organisation's rules at work: asked after the verdict and before delivery (inbound), or before a message leaves its sender's outbox (outbound).
 *
 * Each recipient has a copy of their own, which rules change, until something final happens to it: drop, bounce or redirect. Rules are asked in order;
 * all see the message as it came. What cannot be done is told by the hooks' fallback or by throwing StorageError 'unavailable': the message then waits.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { Rule, RuleAction, RuleDirection } from '../../storage/directory/rule-records.ts';
import type { ScanResults } from '../ses/header-block.ts';
import { Questioned, recipientsMet } from './conditions.ts';
import { withBanner, withField } from './edit-message.ts';
import { addedRecipientsMax } from './limits.ts';

export interface TransportMessage {
  readonly direction: RuleDirection;
  readonly bytes: Buffer;
  /** '' for the null path; undefined: unknown. */
  readonly envelopeFrom: string | undefined;
  readonly recipients: readonly string[];
  /** What a scanner that we trust said. */
  readonly results: ScanResults;
  /** The same for the same message at every attempt, and different from all others. */
  readonly key: string;
}

/** What becomes of one recipient's copy. */
export interface RecipientCopy {
  readonly address: string;
  /** The recipient for whom a rule added or redirected this copy. */
  readonly via?: string;
  readonly bytes: Buffer;
  readonly fate: 'deliver' | 'drop' | 'bounce';
  /** Undefined: as the verdict has it. */
  readonly placement?: 'inbox' | 'junk';
  /** Path of the mailbox that a rule chose. */
  readonly mailbox?: readonly string[];
  /** What a bounced sender reads. */
  readonly bounceMessage?: string;
  /** The rules that changed it, by name. */
  readonly rules: readonly string[];
}

export interface Journal {
  readonly to: string;
  readonly recipients: readonly string[];
  readonly bytes: Buffer;
}

export interface TransportOutcome {
  readonly copies: readonly RecipientCopy[];
  readonly journals: readonly Journal[];
}

/** What a hook decided for the recipients it was asked about; addresses that are not in it: nothing. */
export interface HookAnswer {
  readonly bytes: Buffer;
  readonly actions: ReadonlyMap<string, 'drop' | 'bounce' | 'junk' | 'neverJunk'>;
  /** What the sender reads of each recipient that is refused. */
  readonly bounceMessages?: ReadonlyMap<string, string>;
}

export interface HookCall extends Omit<TransportMessage, 'recipients'> {
  readonly recipients: readonly string[];
}

export interface TransportPorts {
  readonly rules: () => readonly Rule[];
  /** Throws StorageError 'unavailable' where the fallback is to wait. A hook that is not there is a failed one. */
  readonly askHook?: (hook: string, call: HookCall) => Promise<HookAnswer>;
}

/** The port that the pipeline and the outbox call. */
export interface Transport {
  /** Whether apply() can have anything to say. */
  hasRules(direction: TransportMessage['direction']): boolean;
  /** Undefined: no rule has anything to say. */
  apply(message: TransportMessage): Promise<TransportOutcome | undefined>;
}

interface Copy {
  readonly address: string;
  readonly via?: string;
  bytes: Buffer;
  fate: RecipientCopy['fate'];
  placement?: 'inbox' | 'junk';
  mailbox?: readonly string[];
  bounceMessage?: string;
  rules: readonly string[];
  /** No later rule is asked about it. */
  isSettled: boolean;
}

export class RuleTransport implements Transport {
  readonly #ports: TransportPorts;

  constructor(ports: TransportPorts) {
    this.#ports = ports;
  }

  hasRules(direction: TransportMessage['direction']): boolean {
    return this.#ports.rules().some((rule) => rule.direction === direction);
  }

  async apply(message: TransportMessage): Promise<TransportOutcome | undefined> {
    const rules = this.#ports.rules().filter(({ direction }) => direction === message.direction);
    if (rules.length === 0) return undefined;
    const questioned = new Questioned(message.bytes, message.envelopeFrom, message.results);
    const run = new Run(message, this.#ports.askHook);
    for (const rule of rules) {
      const open = run.copies.filter(({ isSettled }) => !isSettled);
      if (open.length === 0) break;
      const met = new Set(
        recipientsMet(
          rule.conditions,
          questioned,
          open.map(({ address }) => address),
        ),
      );
      const copies = open.filter(({ address }) => met.has(address));
      if (copies.length > 0) await run.follow(rule, copies);
    }
    return { copies: [...run.copies, ...run.added], journals: run.journals };
  }
}

/** One message on its way through the rules. */
class Run {
  readonly copies: Copy[];
  readonly added: Copy[] = [];
  readonly journals: Journal[] = [];
  readonly #message: TransportMessage;
  readonly #askHook: TransportPorts['askHook'];

  constructor(message: TransportMessage, askHook: TransportPorts['askHook']) {
    this.#message = message;
    this.#askHook = askHook;
    this.copies = message.recipients.map((address) => ({ address, bytes: message.bytes, fate: 'deliver', rules: [], isSettled: false }));
  }

  async follow(rule: Rule, copies: readonly Copy[]): Promise<void> {
    for (const copy of copies) copy.rules = [...copy.rules, rule.name];
    for (const action of rule.actions) {
      const open = copies.filter(({ isSettled }) => !isSettled);
      if (open.length === 0) return;
      await this.#act(action, open);
    }
  }

  async #act(action: RuleAction, copies: readonly Copy[]): Promise<void> {
    switch (action.do) {
      case 'drop':
        for (const copy of copies) settle(copy, 'drop');
        return;
      case 'bounce':
        for (const copy of copies) settle(copy, 'bounce', action.message);
        return;
      case 'junk':
        for (const copy of copies) copy.placement = 'junk';
        return;
      case 'neverJunk':
        for (const copy of copies) copy.placement = 'inbox';
        return;
      case 'move':
        for (const copy of copies) copy.mailbox = action.mailbox;
        return;
      case 'redirect': {
        // Whom it names already is not sent round.
        const elsewhere = copies.filter(({ address }) => address !== action.to);
        if (elsewhere.length > 0) this.#add(action.to, elsewhere);
        for (const copy of elsewhere) settle(copy, 'drop');
        return;
      }
      case 'addRecipient':
        this.#add(action.to, copies);
        return;
      case 'addHeader':
        change(copies, (bytes) => withField(bytes, action.name, action.value));
        return;
      case 'banner':
        change(copies, (bytes) => withBanner(bytes, action.text));
        return;
      case 'journal':
        for (const [bytes, group] of groupsOf(copies)) {
          this.journals.push({ to: action.to, recipients: group.map(({ address }) => address), bytes });
        }
        return;
      case 'hook':
        await this.#ask(action.hook, copies);
        return;
      case 'stop':
        for (const copy of copies) copy.isSettled = true;
    }
  }

  /** One copy for whoever is added, however many recipients bring them in. */
  #add(to: string, copies: readonly Copy[]): void {
    const first = copies[0]!;
    const isThere = [...this.copies, ...this.added].some(({ address, fate }) => address === to && fate === 'deliver');
    if (isThere || this.added.length >= addedRecipientsMax) return;
    const { bytes, placement, rules } = first;
    this.added.push({ address: to, via: first.address, bytes, fate: 'deliver', ...(placement && { placement }), rules, isSettled: true });
  }

  async #ask(hook: string, copies: readonly Copy[]): Promise<void> {
    if (this.#askHook === undefined) throw new StorageError('unavailable', `There is no hook ${hook} in the configuration.`);
    for (const [bytes, group] of groupsOf(copies)) {
      const answer = await this.#askHook(hook, { ...this.#message, bytes, recipients: group.map(({ address }) => address) });
      for (const copy of group) {
        copy.bytes = answer.bytes;
        const decided = answer.actions.get(copy.address);
        if (decided === 'drop' || decided === 'bounce') settle(copy, decided, answer.bounceMessages?.get(copy.address));
        else if (decided !== undefined) copy.placement = decided === 'junk' ? 'junk' : 'inbox';
      }
    }
  }
}

function settle(copy: Copy, fate: 'drop' | 'bounce', bounceMessage?: string): void {
  copy.fate = fate;
  copy.isSettled = true;
  if (bounceMessage !== undefined) copy.bounceMessage = bounceMessage;
}

/** Copies that share their bytes. */
function groupsOf(copies: readonly Copy[]): Map<Buffer, Copy[]> {
  return Map.groupBy(copies, ({ bytes }) => bytes);
}

function change(copies: readonly Copy[], edit: (bytes: Buffer) => Buffer): void {
  for (const [bytes, group] of groupsOf(copies)) {
    const edited = edit(bytes);
    for (const copy of group) copy.bytes = edited;
  }
}
