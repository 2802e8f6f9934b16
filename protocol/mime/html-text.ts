/**
 * HTML as the text that a reader sees, for search and preview: blocks begin lines, lists and quotes are marked, images and link targets are not shown. htmlparser2's
 * tokenizer knows the grammar; we keep no tree and no stack of elements (its parser does, in time with the square of the depth), so that any nesting takes linear
 * time. What is never closed hides nothing: the rest is read again without that mark, at most once for each kind of mark. Never throws.
 */
import { Tokenizer, type TokenizerCallbacks } from 'htmlparser2';
import { listDepthShown, quoteDepthShown } from './limits.ts';

/** What a tag does to the text around it. Blocks begin and end a line; a paragraph has empty lines around it. */
type Layout = 'cell' | 'line' | 'paragraph' | 'break' | 'hidden';

const layouts = new Map<string, Layout>([
  ['br', 'break'],
  ['td', 'cell'],
  ['th', 'cell'],
  ...namesOf('paragraph', 'p ul ol dl blockquote pre hr h1 h2 h3 h4 h5 h6'),
  ...namesOf(
    'line',
    'div table tr li dt dd article aside footer form header main nav section center address fieldset caption figure figcaption details summary',
  ),
  // Not text of the message.
  ...namesOf('hidden', 'script style head title template noscript svg object select'),
]);

function namesOf(kind: Layout, names: string): [string, Layout][] {
  return names.split(' ').map((name) => [name, kind]);
}

export function htmlText(source: string): string {
  const writer = new TextWriter();
  for (let rest = source; rest !== ''; ) {
    const reader = new TextReader(rest, writer);
    const tokenizer = new Tokenizer({}, reader);
    tokenizer.write(rest);
    tokenizer.end();
    rest = reader.unread();
  }
  return writer.end();
}

/** Text by lines: white space collapses, empty lines are at most one. */
class TextWriter {
  text = '';
  /** The current line as it comes. */
  line = '';
  /** Line ends due before the next line. */
  breaks = 0;
  /** `*` or the number of a list's item that has no text yet. */
  mark = '';
  quotes = 0;
  preformatted = 0;
  /** The number of the next item of each open list; 0 where items have none. */
  readonly lists: number[] = [];

  open(name: string, layout: Layout): void {
    this.endLine(layout === 'paragraph' ? 2 : 1);
    switch (name) {
      case 'li':
        this.openItem();
        return;
      case 'ul':
      case 'ol':
        this.lists.push(name === 'ol' ? 1 : 0);
        return;
      case 'blockquote':
        this.quotes++;
        return;
      case 'pre':
        this.preformatted++;
        return;
      case 'hr':
        this.line = '-'.repeat(40);
        this.endLine(2);
    }
  }

  close(name: string, layout: Layout): void {
    this.endLine(layout === 'paragraph' ? 2 : 1);
    switch (name) {
      case 'li':
        this.mark = '';
        return;
      case 'ul':
      case 'ol':
        this.lists.pop();
        this.mark = '';
        return;
      case 'blockquote':
        if (this.quotes > 0) this.quotes--;
        return;
      case 'pre':
        if (this.preformatted > 0) this.preformatted--;
    }
  }

  openItem(): void {
    const last = this.lists.length - 1;
    const number = this.lists[last] ?? 0;
    if (number > 0) this.lists[last] = number + 1;
    const indent = '   '.repeat(Math.max(0, Math.min(last, listDepthShown)));
    this.mark = number > 0 ? `${indent} ${number}. ` : `${indent} * `;
  }

  endLine(breaks: number): void {
    if (this.line !== '') this.writeLine();
    if (this.breaks < breaks) this.breaks = breaks;
  }

  breakLine(): void {
    this.endLine(0);
    this.breaks++;
  }

  writeLine(): void {
    const isPreformatted = this.preformatted > 0;
    let line = isPreformatted ? this.line.replace(/^\r?\n/, '').trimEnd() : this.line.replace(spaceRuns, ' ').trim();
    this.line = '';
    if (line === '') return;
    if (this.mark !== '') line = this.mark + line;
    this.mark = '';
    if (this.quotes > 0) line = quote(line, this.quotes);
    if (this.text !== '') this.text += this.breaks > 1 ? '\n\n' : '\n';
    this.text += line;
    this.breaks = 0;
  }

  end(): string {
    this.endLine(0);
    return this.text;
  }
}

/** HTML's white space, and U+200B, where a word may be broken. What is one space already is no match. */
const spaceRuns = /[\t\n\f\r\u200b][ \t\n\f\r\u200b]*| [ \t\n\f\r\u200b]+/g;

function quote(line: string, depth: number): string {
  const prefix = '> '.repeat(Math.min(depth, quoteDepthShown));
  return prefix + line.replaceAll('\n', `\n${prefix}`);
}

/** What is done where something is open at the end: its mark means nothing in the rest. The space lets no new mark arise. */
const unclosedComment = /<!--/g;
const unclosedSection = /<!\[CDATA\[/g;
const unclosedQuote = /=\s*["']/g;

class TextReader implements TokenizerCallbacks {
  readonly #source: string;
  readonly #writer: TextWriter;
  /** The hidden element that we are in. */
  #hidden = '';
  /** Where its content begins; -1 while its tag is being read. */
  #hiddenFrom = 0;
  /** Where the tag begins that is being read. */
  #tagFrom = -1;
  #commentFrom = -1;

  constructor(source: string, writer: TextWriter) {
    this.#source = source;
    this.#writer = writer;
  }

  /** What stands behind a mark that is never closed, without marks of its kind. */
  unread(): string {
    const source = this.#source;
    if (this.#hidden !== '' && this.#hiddenFrom >= 0)
      return source.slice(this.#hiddenFrom).replace(new RegExp(`<${this.#hidden}(?=[\\s/>])`, 'gi'), '<span');
    if (this.#commentFrom >= 0) return source.slice(this.#commentFrom).replace(unclosedComment, ' ').replace(unclosedSection, ' ');
    const tagEnd = this.#tagFrom < 0 ? -1 : source.indexOf('>', this.#tagFrom);
    return tagEnd < 0 ? '' : source.slice(tagEnd + 1).replace(unclosedQuote, '= ');
  }

  ontext(start: number, end: number): void {
    // -1 where a closing tag has no end.
    if (this.#hidden !== '' || start < 0) return;
    const writer = this.#writer;
    if (writer.line === '' && writer.preformatted === 0) {
      while (start < end && isSpace(this.#source.charCodeAt(start))) start++;
      if (start === end) return;
    }
    writer.line += this.#source.slice(start, end);
  }

  ontextentity(codePoint: number): void {
    if (this.#hidden === '') this.#writer.line += String.fromCodePoint(codePoint);
  }

  onopentagname(start: number, end: number): void {
    this.#tagFrom = start;
    const name = this.#source.slice(start, end).toLowerCase();
    if (this.#hidden !== '') {
      // The end of a head may be left out.
      if (this.#hidden === 'head' && name === 'body') this.#hidden = '';
      return;
    }
    const layout = layouts.get(name);
    if (layout === undefined) return;
    if (layout === 'break') this.#writer.breakLine();
    else if (layout === 'cell') this.#writer.line += ' ';
    else if (layout === 'hidden') {
      this.#writer.line += ' ';
      this.#hidden = name;
      this.#hiddenFrom = -1;
    } else this.#writer.open(name, layout);
  }

  onclosetag(start: number, end: number): void {
    const name = this.#source.slice(start, end).toLowerCase();
    if (this.#hidden !== '') {
      if (name === this.#hidden) this.#hidden = '';
      return;
    }
    const layout = layouts.get(name);
    if (layout === undefined || layout === 'hidden') return;
    if (layout === 'break') this.#writer.breakLine();
    else if (layout === 'cell') this.#writer.line += ' ';
    else this.#writer.close(name, layout);
  }

  onopentagend(end: number): void {
    this.#tagFrom = -1;
    if (this.#hiddenFrom < 0) this.#hiddenFrom = end + 1;
  }

  onselfclosingtag(): void {
    // XHTML, or what is meant for it: an empty element has nothing to hide.
    if (this.#hiddenFrom < 0) {
      this.#hidden = '';
      this.#hiddenFrom = 0;
    }
    this.#tagFrom = -1;
  }

  oncomment(start: number, end: number): void {
    if (end === this.#source.length) this.#commentFrom = start;
  }

  oncdata(start: number, end: number): void {
    if (end === this.#source.length) this.#commentFrom = start;
  }

  onattribname(): void {}
  onattribdata(): void {}
  onattribentity(): void {}
  onattribend(): void {}
  ondeclaration(): void {}
  onprocessinginstruction(): void {}
  onend(): void {}
}

function isSpace(code: number): boolean {
  return code === 32 || code === 10 || code === 13 || code === 9;
}
