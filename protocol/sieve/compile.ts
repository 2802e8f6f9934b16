/**
 * From text to a script that can run: every command and test is looked up among the rows, its tags and values are checked, and what it needs must have
 * been required. Throws SieveError with the line and the reason of the first fault.
 */
import { commandRows, extensions, testRows } from './extensions/index.ts';
import { parse } from './parser.ts';
import type { Call, Row, ScriptFacts, TagRow, Value, ValueKind } from './row.ts';
import { type Argument, type Node, SieveError } from './syntax.ts';
import { decodeEncodedCharacters, readText, type Text } from './text.ts';

export interface Script {
  readonly commands: readonly Call[];
  /** Extensions that are required, implied ones too. */
  readonly requires: ReadonlySet<string>;
}

/** RFC 6131 §3, RFC 5235 §2: these bring what they extend. */
const implied: Readonly<Record<string, string>> = { 'vacation-seconds': 'vacation', spamtestplus: 'spamtest' };

/** These change how strings of the whole script are read: for `ihave` they are there only where they are required. */
const changesStrings: ReadonlySet<string> = new Set(['encoded-character', 'variables']);

export function compile(source: string): Script {
  const compiler = new Compiler();
  const commands = compiler.block(parse(source), undefined);
  return { commands, requires: compiler.requires };
}

class Compiler implements ScriptFacts {
  readonly requires = new Set<string>();
  /** Inside an `if ihave`: what is not known here is not run either (RFC 5463 §4). */
  #isLenient = false;
  /** Among the tests of a command that asks `ihave`: what stands behind it may be missing here. */
  #isAsking = false;
  /** The names of the loops around the command at hand. */
  readonly #loops: (string | undefined)[] = [];

  isRequired(extension: string): boolean {
    return this.requires.has(extension);
  }

  isInLoop(name: string | undefined): boolean {
    return name === undefined ? this.#loops.length > 0 : this.#loops.includes(name);
  }

  fail(line: number, reason: string): SieveError {
    return new SieveError(line, reason);
  }

  block(nodes: readonly Node[], parent: Row | undefined): Call[] {
    const calls: Call[] = [];
    let mayRequire = parent === undefined;
    let before: string | undefined;
    for (const node of nodes) {
      if (node.name === 'require') {
        if (!mayRequire) throw this.fail(node.line, 'require stands at the top, before all other commands.');
        this.#require(node);
        continue;
      }
      mayRequire = false;
      if ((node.name === 'elsif' || node.name === 'else') && before !== 'if' && before !== 'elsif') {
        throw this.fail(node.line, `${node.name} follows an if or an elsif.`);
      }
      before = node.name;
      calls.push(this.#command(node));
    }
    return calls;
  }

  #require({ line, arguments: args, tests, block }: Node): void {
    const [names, ...more] = args;
    if (
      names === undefined ||
      more.length > 0 ||
      tests.length > 0 ||
      block !== undefined ||
      (names.kind !== 'string' && names.kind !== 'list')
    ) {
      throw this.fail(line, 'require takes one string, or a list of strings.');
    }
    for (const { value, line: at } of names.kind === 'string' ? [names] : names.items) {
      if (!extensions.has(value)) throw this.fail(at, `there is no extension ${JSON.stringify(value.slice(0, 100))} here.`);
      this.enable(value);
    }
  }

  enable(extension: string): void {
    this.requires.add(extension);
    if (implied[extension] !== undefined) this.requires.add(implied[extension]);
  }

  #command(node: Node): Call {
    const row = commandRows.get(node.name);
    const hasIhave = node.tests.some(namesIhave);
    const wasLenient = this.#isLenient;
    if (row === undefined || !this.#hasAll(row)) {
      const reason = this.#absence(node.name, row, testRows.has(node.name) ? 'a test, and no command' : 'no command that there is here');
      if (wasLenient) return refusing(node, reason);
      throw this.fail(node.line, reason);
    }
    const calls = this.#tryInBlock(node, () => {
      const { tags, values } = this.#arguments(row, node);
      this.#isAsking = hasIhave && this.requires.has('ihave');
      const tests = this.#tests(row, node);
      this.#isAsking = false;
      this.#isLenient ||= hasIhave && this.requires.has('ihave');
      if (row.hasBlock === undefined && node.block !== undefined) throw this.fail(node.line, `${row.name} has no block.`);
      if (row.hasBlock && node.block === undefined) throw this.fail(node.line, `${row.name} needs a block in braces.`);
      if (row.isLoop) this.#loops.push(constantOf(tags.get('name')));
      const block = this.block(node.block ?? [], row);
      if (row.isLoop) this.#loops.pop();
      return this.#checked({ row, line: node.line, tags, values, tests, block });
    });
    // What follows in the same chain (elsif, else) is for those who have it not.
    this.#isLenient = wasLenient || (this.#isLenient && (row.name === 'if' || row.name === 'elsif'));
    return calls;
  }

  /** In a block that may be for other servers, a command that does not fit here is an error only if it is reached. */
  #tryInBlock(node: Node, make: () => Call): Call {
    if (!this.#isLenient || node.block !== undefined) return make();
    try {
      return make();
    } catch (error) {
      if (error instanceof SieveError) return refusing(node, error.reason);
      throw error;
    }
  }

  #tests(row: Row, node: Node): Call[] {
    const wanted = row.tests ?? 'none';
    if (wanted === 'none' && node.tests.length > 0) throw this.fail(node.line, `${row.name} takes no test.`);
    if (wanted === 'one' && (node.tests.length !== 1 || node.isTestList)) throw this.fail(node.line, `${row.name} takes one test.`);
    if (wanted === 'list' && !node.isTestList) throw this.fail(node.line, `${row.name} takes tests in parentheses.`);
    return node.tests.map((test) => this.#test(test));
  }

  #test(node: Node): Call {
    const row = testRows.get(node.name);
    if (row === undefined || !this.#hasAll(row)) {
      const reason = this.#absence(node.name, row, commandRows.has(node.name) ? 'a command, and no test' : 'no test that there is here');
      if (this.#isLenient || this.#isAsking) return refusing(node, reason);
      throw this.fail(node.line, reason);
    }
    const { tags, values } = this.#arguments(row, node);
    if (row.name === 'ihave') {
      for (const text of values[0]?.texts ?? [])
        if (typeof text === 'string' && extensions.has(text) && !changesStrings.has(text)) this.enable(text);
    }
    const tests = this.#tests(row, node);
    return this.#checked({ row, line: node.line, tags, values, tests, block: [] });
  }

  #checked(call: Omit<Call, 'data'>): Call {
    return { ...call, data: call.row.check?.(call, this) };
  }

  #hasAll({ extension }: { readonly extension?: string }): boolean {
    return extension === undefined || this.requires.has(extension);
  }

  #absence(name: string, row: Row | undefined, otherwise: string): string {
    if (row?.extension !== undefined) return `${name} needs require "${row.extension}".`;
    return `${name.slice(0, 100)} is ${otherwise}.`;
  }

  #arguments(row: Row, node: Node): { tags: Map<string, Value>; values: Value[] } {
    const tags = new Map<string, Value>();
    const groups = new Map<string, string>();
    const values: Value[] = [];
    const given = [...node.arguments];
    const wanted = row.values ?? [];
    const positional: Argument[] = [];
    for (let argument = given.shift(); argument !== undefined; argument = given.shift()) {
      if (argument.kind !== 'tag') {
        positional.push(argument);
        continue;
      }
      const { name, line } = argument;
      if (positional.length > 0) throw this.fail(line, `:${name} stands before the other arguments of ${row.name}.`);
      const tag = row.tags?.find((each) => each.name === name);
      if (tag === undefined) throw this.fail(line, `${row.name} has no tag :${name.slice(0, 100)}.`);
      if (!this.#hasAll(tag)) throw this.fail(line, `:${name} needs require "${tag.extension}".`);
      const group = tag.group ?? tag.name;
      const other = groups.get(group);
      if (other !== undefined)
        throw this.fail(line, other === name ? `:${name} is given twice.` : `:${name} and :${other} exclude each other.`);
      groups.set(group, name);
      tags.set(name, this.#tagValue(row, tag, line, given));
    }
    const isShort = positional.length < wanted.length;
    const kinds = isShort && row.isFirstOptional ? wanted.slice(1) : isShort && row.isLastOptional ? wanted.slice(0, -1) : wanted;
    if (positional.length !== kinds.length) {
      throw this.fail(
        node.line,
        `${row.name} takes ${countOf(kinds.length, row.isFirstOptional ?? row.isLastOptional)}, and has ${positional.length}.`,
      );
    }
    for (const [index, kind] of kinds.entries()) values.push(this.#value(row.name, positional[index]!, kind, false));
    return { tags, values };
  }

  #tagValue(row: Row, { name, takes, isConstant }: TagRow, line: number, given: Argument[]): Value {
    if (takes === undefined) return { number: 0, texts: [], line };
    const argument = given.shift();
    if (argument === undefined || argument.kind === 'tag') throw this.fail(line, `:${name} of ${row.name} takes ${nameOf(takes)}.`);
    return this.#value(`:${name}`, argument, takes, isConstant === true);
  }

  #value(of: string, argument: Argument, kind: ValueKind, isConstant: boolean): Value {
    const { line } = argument;
    const isRight =
      kind === 'number' ? argument.kind === 'number' : argument.kind === 'string' || (kind === 'strings' && argument.kind === 'list');
    if (!isRight) throw this.fail(line, `${of} takes ${nameOf(kind)}.`);
    if (argument.kind === 'number') return { number: argument.value, texts: [], line };
    const items = argument.kind === 'list' ? argument.items : argument.kind === 'string' ? [argument] : [];
    return { number: 0, texts: items.map((item) => this.#text(item.value, item.line, isConstant)), line };
  }

  #text(source: string, line: number, isConstant: boolean): Text {
    const text = this.requires.has('encoded-character') ? decodeEncodedCharacters(source, line) : source;
    if (!this.requires.has('variables')) return text;
    const read = readText(text);
    if (isConstant && typeof read !== 'string') throw this.fail(line, 'no variable may stand here.');
    return read;
  }
}

const constantOf = (value: Value | undefined) => (typeof value?.texts[0] === 'string' ? value.texts[0] : undefined);

const nameOf = (kind: ValueKind) => ({ number: 'a number', string: 'a string', strings: 'a string or a list of strings' })[kind];

function countOf(count: number, isOneOptional: true | undefined): string {
  const words = count === 0 ? 'no argument' : count === 1 ? 'one argument' : `${count} arguments`;
  return isOneOptional ? `${words}, or one more` : words;
}

const namesIhave = (node: Node): boolean => node.name === 'ihave' || node.tests.some(namesIhave);

/** RFC 5463 §4: what this server does not know is an error when it is reached. */
function refusing(node: Node, reason: string): Call {
  const run = (machine: { fail(reason: string): SieveError }): never => {
    throw machine.fail(reason);
  };
  const row: Row & { run: typeof run } = { name: node.name, kind: 'command', run };
  return { row, line: node.line, tags: new Map(), values: [], tests: [], block: [], data: undefined };
}
