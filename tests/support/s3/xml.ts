/** As much XML as S3 speaks: elements and text, no attributes that matter. */

export type XmlValue = string | number | boolean | undefined | XmlElements | readonly XmlElements[] | readonly string[];
export interface XmlElements {
  readonly [name: string]: XmlValue;
}

const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';

export function formatXml(root: string, elements: XmlElements, isInNamespace = true): string {
  const attribute = isInNamespace ? ` xmlns="${namespace}"` : '';
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${attribute}>${formatElements(elements)}</${root}>`;
}

function formatElements(elements: XmlElements): string {
  let out = '';
  for (const [name, value] of Object.entries(elements)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one === undefined) continue;
      out += `<${name}>${typeof one === 'object' ? formatElements(one) : escapeXml(String(one))}</${name}>`;
    }
  }
  return out;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"'\r\n\t]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function unescapeXml(text: string): string {
  const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex: string, decimal: string, name: string) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
    return decimal ? String.fromCodePoint(Number(decimal)) : (named[name] ?? whole);
  });
}

/** The text of every `<name>` in `xml`, at any depth, inner elements as they stand. */
export function findAll(xml: string, name: string): string[] {
  return Array.from(xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'g')), (match) => match[1] ?? '');
}

export function findText(xml: string, name: string): string | undefined {
  const [inner] = findAll(xml, name);
  return inner === undefined ? undefined : unescapeXml(inner);
}
