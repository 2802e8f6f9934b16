/**
 * The grammar of RFC 5228 §8.2:
 *
 *   start     = commands
 *   command   = identifier arguments (";" / block)
 *   arguments = *argument [ test / test-list ]
 *   argument  = string-list / number / tag
 *   block     = "{" commands "}"
 */
import { type Token, tokens } from './lexer.ts';
import { nestingMax, nodesMax, scriptBytesMax } from './limits.ts';
import { type Argument, type Node, SieveError, type StringItem } from './syntax.ts';

/** Throws SieveError. */
export function parse(source: string): readonly Node[] {
  if (Buffer.byteLength(source) > scriptBytesMax) throw new SieveError(1, `the script is larger than ${scriptBytesMax} bytes.`);
  const parser = new Parser(source.replace(/^\ufeff/, ''));
  const nodes = parser.commands(0);
  if (parser.next.kind !== 'end') throw new SieveError(parser.next.line, `${describe(parser.next)} stands where a command was expected.`);
  return nodes;
}

class Parser {
  readonly #tokens: Generator<Token>;
  next: Token;
  #nodes = 0;

  constructor(source: string) {
    this.#tokens = tokens(source);
    this.next = this.#tokens.next().value;
  }

  #isAt(kind: Token['kind']): boolean {
    return this.next.kind === kind;
  }

  #take(): Token {
    const token = this.next;
    if (token.kind !== 'end') this.next = this.#tokens.next().value;
    return token;
  }

  #expect(kind: Token['kind'], what: string): Token {
    if (this.next.kind !== kind) throw new SieveError(this.next.line, `${what} was expected, and ${describe(this.next)} is there.`);
    return this.#take();
  }

  commands(depth: number): Node[] {
    const nodes: Node[] = [];
    while (this.next.kind === 'identifier') {
      const head = this.#head(0);
      if (this.#isAt('{')) {
        if (depth >= nestingMax) throw new SieveError(this.next.line, `blocks are nested deeper than ${nestingMax}.`);
        this.#take();
        const block = this.commands(depth + 1);
        this.#expect('}', 'the end of the block that began at line '.concat(String(head.line)));
        nodes.push({ ...head, block });
      } else {
        this.#expect(';', `a semicolon after ${head.name}`);
        nodes.push({ ...head, block: undefined });
      }
    }
    return nodes;
  }

  /** identifier arguments */
  #head(depth: number): Omit<Node, 'block'> {
    const { text: name, line } = this.#take() as Token & { text: string };
    if (++this.#nodes > nodesMax) throw new SieveError(line, `the script has more than ${nodesMax} commands and tests.`);
    const found: Argument[] = [];
    for (let argument = this.#argument(); argument !== undefined; argument = this.#argument()) found.push(argument);
    const tests: Node[] = [];
    const isTestList = this.next.kind === '(';
    if (isTestList) {
      this.#take();
      do tests.push(this.#test(depth + 1));
      while (this.#skip(','));
      this.#expect(')', 'the end of the list of tests');
    } else if (this.next.kind === 'identifier') tests.push(this.#test(depth + 1));
    return { name, line, arguments: found, tests, isTestList };
  }

  #test(depth: number): Node {
    if (depth > nestingMax) throw new SieveError(this.next.line, `tests are nested deeper than ${nestingMax}.`);
    if (this.next.kind !== 'identifier') throw new SieveError(this.next.line, `a test was expected, and ${describe(this.next)} is there.`);
    return { ...this.#head(depth), block: undefined };
  }

  #argument(): Argument | undefined {
    const token = this.next;
    switch (token.kind) {
      case 'number':
        this.#take();
        return { kind: 'number', value: token.value, line: token.line };
      case 'tag':
        this.#take();
        return { kind: 'tag', name: token.text, line: token.line };
      case 'string':
        this.#take();
        return { kind: 'string', value: token.text, line: token.line };
      case '[': {
        this.#take();
        const items: StringItem[] = [];
        do {
          const item = this.#expect('string', 'a string') as Token & { text: string };
          items.push({ value: item.text, line: item.line });
        } while (this.#skip(','));
        this.#expect(']', 'the end of the list of strings');
        return { kind: 'list', items, line: token.line };
      }
      default:
        return undefined;
    }
  }

  #skip(kind: Token['kind']): boolean {
    if (this.next.kind !== kind) return false;
    this.#take();
    return true;
  }
}

function describe(token: Token): string {
  switch (token.kind) {
    case 'end':
      return "the script's end";
    case 'identifier':
      return `the word ${token.text.slice(0, 40)}`;
    case 'tag':
      return `the tag :${token.text.slice(0, 40)}`;
    case 'string':
      return 'a string';
    case 'number':
      return 'a number';
    default:
      return token.kind;
  }
}
