/** Reads XML strictly enough to find what is not well-formed: every tag closed, every attribute quoted, every & a reference. Anything else throws. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** Its own text, trimmed. */
  readonly text: string;
}

export function parseXml(source: string): XmlElement {
  const token = /<\?xml [^?]*\?>|<!DOCTYPE [^>]*>|<\/([\w:.-]+)>|<([\w:.-]+)((?:\s+[\w:.-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
  const top = { name: '', attributes: {}, children: [] as XmlElement[], text: '' };
  const open: (typeof top)[] = [top];
  while (token.lastIndex < source.length) {
    const at = token.lastIndex;
    const match = token.exec(source);
    if (match === null) throw new Error(`not XML: ${source.slice(at, at + 60)}`);
    const [, closed, opened, attributes = '', slash, text] = match;
    const inner = open.at(-1)!;
    if (text !== undefined) inner.text += decode(text);
    else if (closed !== undefined) {
      if (inner.name !== closed) throw new Error(`</${closed}> closes <${inner.name}>`);
      inner.text = inner.text.trim();
      open.pop();
    } else if (opened !== undefined) {
      const pairs = Array.from(attributes.matchAll(/([\w:.-]+)="([^"]*)"/g), ([, key, value]) => [key!, decode(value!)]);
      const element = { name: opened, attributes: Object.fromEntries(pairs) as Record<string, string>, children: [], text: '' };
      inner.children.push(element);
      if (slash === '') open.push(element);
    }
  }
  if (open.length !== 1 || top.children.length !== 1 || top.text.trim() !== '') throw new Error('there is not one whole element');
  return top.children[0]!;
}

function decode(text: string): string {
  const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&([^;]*;?)/g, (whole, reference: string) => {
    const character = named[reference.slice(0, -1)];
    if (character === undefined || !reference.endsWith(';')) throw new Error(`not a reference: ${whole}`);
    return character;
  });
}

/** The elements of a name, at any depth. */
export function elementsOf(element: XmlElement, name: string): readonly XmlElement[] {
  return [...(element.name === name ? [element] : []), ...element.children.flatMap((child) => elementsOf(child, name))];
}

/** The children's texts by their names. */
export const textsOf = ({ children }: XmlElement): Record<string, string> =>
  Object.fromEntries(children.map(({ name, text }) => [name, text]));

/** A property list's dict (Apple's DTD): keys and values by turns. */
export function plistDict({ children }: XmlElement): Record<string, unknown> {
  const pairs: [string, unknown][] = [];
  for (let at = 0; at < children.length; at += 2) pairs.push([children[at]!.text, plistValue(children[at + 1]!)]);
  return Object.fromEntries(pairs);
}

function plistValue(element: XmlElement): unknown {
  switch (element.name) {
    case 'dict':
      return plistDict(element);
    case 'array':
      return element.children.map(plistValue);
    case 'integer':
      return Number(element.text);
    case 'string':
      return element.text;
    case 'true':
    case 'false':
      return element.name === 'true';
    default:
      throw new Error(`<${element.name}> is none of a property list`);
  }
}
