/** Whether a message meets a rule's conditions, and for which of its recipients. Pure but for what it remembers of the message. */
import { isGroup, parseAddresses } from '../../protocol/mime/address.ts';
import { partName } from '../../protocol/mime/body-lists.ts';
import { fieldValue, scanHeader } from '../../protocol/mime/header.ts';
import { asText } from '../../protocol/mime/header-forms.ts';
import { type Part, parseStructure } from '../../protocol/mime/structure.ts';
import { canonicalAddress } from '../../storage/directory/address.ts';
import type { RuleCondition } from '../../storage/directory/rule-records.ts';
import type { ScanResults } from '../ses/header-block.ts';
import { editedBytesMax } from './limits.ts';

/** What conditions are asked of: the message as it came, whatever rules have done to it since. */
export class Questioned {
  readonly bytes: Buffer;
  readonly senders: readonly string[];
  readonly results: ScanResults;
  #fields: readonly { readonly name: string; readonly value: string }[] | undefined;
  #attachments: readonly { readonly type: string; readonly name: string }[] | undefined;

  constructor(bytes: Buffer, envelopeFrom: string | undefined, results: ScanResults) {
    this.bytes = bytes;
    this.results = results;
    this.senders = sendersOf(bytes, envelopeFrom);
  }

  get fields(): readonly { readonly name: string; readonly value: string }[] {
    this.#fields ??= scanHeader(this.bytes).fields.map((field) => ({ name: field.name, value: asText(fieldValue(this.bytes, field)) }));
    return this.#fields;
  }

  get attachments(): readonly { readonly type: string; readonly name: string }[] {
    if (this.bytes.length > editedBytesMax) return [];
    this.#attachments ??= [...leaves(parseStructure(this.bytes).root)].map((part) => ({
      type: `${part.type}/${part.subtype}`,
      name: (partName(part) ?? '').toLowerCase(),
    }));
    return this.#attachments;
  }
}

/** Canonical. As WorkMail has it: the envelope's sender, then the From field's addresses. */
export function sendersOf(bytes: Buffer, envelopeFrom: string | undefined): string[] {
  const { fields } = scanHeader(bytes);
  const from = fields.filter(({ name }) => name === 'from').flatMap((field) => addressesOf(fieldValue(bytes, field)));
  return [envelopeFrom ?? '', ...from].flatMap((address) => canonicalAddress(address) ?? []);
}

/** The recipients for whom all conditions hold. */
export function recipientsMet(conditions: readonly RuleCondition[], message: Questioned, recipients: readonly string[]): readonly string[] {
  const ofMessage = conditions.filter(({ test }) => test !== 'recipient');
  if (!ofMessage.every((condition) => holds(condition, message) !== (condition.not === true))) return [];
  return recipients.filter((recipient) => {
    const address = canonicalAddress(recipient) ?? recipient;
    return conditions.every(
      (condition) => condition.test !== 'recipient' || matchesAny(condition.patterns, address) !== (condition.not === true),
    );
  });
}

function holds(condition: RuleCondition, message: Questioned): boolean {
  switch (condition.test) {
    case 'recipient':
      return true;
    case 'sender':
      return message.senders.length === 0
        ? condition.patterns.includes('*')
        : message.senders.some((sender) => matchesAny(condition.patterns, sender));
    case 'header': {
      const { name, contains, equals } = condition;
      return message.fields.some((field) => {
        if (field.name !== name) return false;
        const value = field.value.trim().toLowerCase();
        return (
          (contains === undefined || value.includes(contains.toLowerCase())) && (equals === undefined || value === equals.toLowerCase())
        );
      });
    }
    case 'size': {
      const { length } = message.bytes;
      return (condition.above === undefined || length > condition.above) && (condition.below === undefined || length < condition.below);
    }
    case 'verdict': {
      const result = message.results[condition.verdict];
      return result !== undefined && condition.values.includes(result.toUpperCase());
    }
    case 'attachment':
      return message.attachments.some(({ type, name }) => condition.types.some((wanted) => isOfType(wanted, type, name)));
  }
}

/** `address` is in lower case. A pattern is an address, a domain, `*.domain` for those below it, or `*`. */
export function matchesAny(patterns: readonly string[], address: string): boolean {
  const domain = address.slice(address.lastIndexOf('@') + 1);
  return patterns.some((pattern) => {
    if (pattern === '*' || pattern === address || pattern === domain) return true;
    return pattern.startsWith('*.') && domain.endsWith(pattern.slice(1));
  });
}

function isOfType(wanted: string, type: string, name: string): boolean {
  if (wanted.startsWith('.')) return name.endsWith(wanted);
  return wanted.endsWith('/*') ? type.startsWith(wanted.slice(0, -1)) : type === wanted;
}

function* leaves(part: Part): Generator<Part> {
  if (part.children !== undefined) for (const child of part.children) yield* leaves(child);
  else {
    yield part;
    if (part.message !== undefined) yield* leaves(part.message.root);
  }
}

/** Header values hold addresses in any of their forms. */
export function addressesOf(value: string): string[] {
  return parseAddresses(value)
    .flatMap((address) => (isGroup(address) ? address.members : [address]))
    .filter(({ host }) => host !== '')
    .map(({ mailbox, host }) => `${mailbox}@${host}`);
}
