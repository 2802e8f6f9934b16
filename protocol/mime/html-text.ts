/**
 * HTML made small and harmless before it is read as text: comments, scripts, styles and all attributes go (link targets and image sources would fill a preview), headings
 * become blocks. And a plain reader of what is left, for HTML that the proper one refuses. Both are linear.
 */

/** Elements whose content is not text of the message. */
const hiddenElements = new Set(['script', 'style', 'head', 'title', 'template', 'noscript', 'svg', 'object', 'select']);
/** Elements without a sign in text. */
const droppedElements = new Set([
  'img',
  'link',
  'meta',
  'base',
  'input',
  'html',
  'body',
  'font',
  'span',
  'a',
  'tbody',
  'thead',
  'tfoot',
  'colgroup',
  'col',
]);
/** Headings, which the proper reader would print in capitals, and the layout of tables, which it would run together. */
const blocks = new Set(['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'table', 'tr']);

/** Elements without content, and those that the next of their kind closes. */
const unnested = new Set(['br', 'hr', 'wbr', 'area', 'embed', 'source', 'track', 'param', 'p', 'li', 'dt', 'dd', 'option', 'optgroup']);

export interface CleanHtml {
  html: string;
  tags: number;
  /** Elements open at once, at most; more rather than less where they are not closed in order. */
  depth: number;
}

/** Tags without attributes, and the text between them. */
export function cleanHtml(source: string): CleanHtml {
  const pieces: string[] = [];
  const missing = new Set<string>();
  let tags = 0;
  let level = 0;
  let depth = 0;
  let position = 0;
  // A closing mark looked for in vain is not looked for again.
  const find = (mark: string, from: number): number => {
    if (missing.has(mark)) return -1;
    const found = source.indexOf(mark, from);
    if (found < 0) missing.add(mark);
    return found;
  };
  while (position < source.length) {
    const open = source.indexOf('<', position);
    pieces.push(source.slice(position, open < 0 ? source.length : open));
    if (open < 0) break;
    if (source.startsWith('<!--', open)) {
      const close = find('-->', open + 4);
      position = close < 0 ? open + 4 : close + 3;
      continue;
    }
    const match = /^<(\/?)([a-z][a-z0-9:-]{0,30})/i.exec(source.slice(open, open + 34));
    if (match === null) {
      const isDeclaration = source[open + 1] === '!' || source[open + 1] === '?';
      const close = isDeclaration ? find('>', open) : -1;
      if (close < 0) pieces.push('&lt;');
      position = close < 0 ? open + 1 : close + 1;
      continue;
    }
    const name = match[2]!.toLowerCase();
    const end = tagEnd(source, open + match[0].length, find);
    position = end;
    if (match[1] === '' && hiddenElements.has(name)) {
      position = hiddenEnd(source, name, end, missing);
      pieces.push(' ');
    } else if (name === 'td' || name === 'th') {
      pieces.push(' ');
    } else if (!droppedElements.has(name) && !hiddenElements.has(name)) {
      pieces.push(`<${match[1]}${blocks.has(name) ? 'div' : name}>`);
      tags++;
      if (!unnested.has(name)) level = Math.max(0, level + (match[1] === '' ? 1 : -1));
      depth = Math.max(depth, level);
    }
  }
  return { html: pieces.join(''), tags, depth };
}

/** After the `>` of a tag; one inside a quoted attribute value does not count. */
function tagEnd(source: string, from: number, find: (mark: string, from: number) => number): number {
  for (let i = from; i < source.length; i++) {
    const char = source[i];
    if (char === '>') return i + 1;
    if ((char === '"' || char === "'") && source[i - 1] === '=') {
      const close = find(char, i + 1);
      if (close > 0) i = close;
    }
  }
  return source.length;
}

function hiddenEnd(source: string, name: string, from: number, missing: Set<string>): number {
  const mark = `</${name}`;
  if (missing.has(mark)) return from;
  for (let i = source.indexOf('</', from); i >= 0; i = source.indexOf('</', i + 2)) {
    if (source.slice(i, i + mark.length).toLowerCase() !== mark) continue;
    const close = source.indexOf('>', i);
    return close < 0 ? source.length : close + 1;
  }
  // Never closed: its content is shown rather than the rest of the message lost.
  missing.add(mark);
  return from;
}

const blockElements = /^<\/?(?:p|div|br|li|ul|ol|blockquote|pre|hr|dl|dt|dd|section|article|header|footer|center|address|form)>$/;

/** Text of cleaned HTML: blocks begin lines, entities are read. */
export function plainHtmlText(cleaned: string): string {
  return cleaned
    .replace(/\s+/g, ' ')
    .replace(/<[^<>]*>/g, (tag) => (blockElements.test(tag) ? '\n' : ''))
    .replace(/&(#x?[0-9a-f]{1,7}|[a-z]{2,8});?/gi, (whole, name: string) => entity(name) ?? whole)
    .replace(/ ?\n ?/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

const entities = new Map(
  Object.entries({
    amp: '&',
    lt: '<',
    gt: '>',
    quot: '"',
    apos: "'",
    nbsp: ' ',
    copy: '©',
    reg: '®',
    euro: '€',
    pound: '£',
    hellip: '…',
    ndash: '–',
    mdash: '—',
    lsquo: '‘',
    rsquo: '’',
    ldquo: '“',
    rdquo: '”',
    bull: '•',
    middot: '·',
    trade: '™',
    auml: 'ä',
    ouml: 'ö',
    uuml: 'ü',
    szlig: 'ß',
    eacute: 'é',
    egrave: 'è',
    agrave: 'à',
    ccedil: 'ç',
    ntilde: 'ñ',
  }),
);

function entity(name: string): string | undefined {
  if (!name.startsWith('#')) return entities.get(name.toLowerCase());
  const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number.parseInt(name.slice(1), 10);
  return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : undefined;
}
