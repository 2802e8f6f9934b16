/** XML as the set-up documents need it: text that is escaped wherever it stands, by the template itself. */

/** A piece that is XML already. */
export class Xml {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What stands in `${…}` is escaped, unless it is XML itself; of a list each. */
export function xml(parts: TemplateStringsArray, ...values: readonly (string | number | Xml | readonly Xml[])[]): Xml {
  const written = values.map((value) => {
    if (value instanceof Xml) return value.text;
    return typeof value === 'object' ? value.map(({ text }) => text).join('') : escapeXml(String(value));
  });
  return new Xml(parts.reduce((text, part, index) => text + part + (written[index] ?? ''), ''));
}

/** XML 1.0 §2.2: other controls cannot be written at all. */
function escapeXml(text: string): string {
  const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };
  return text.replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '').replace(/[&<>"']/g, (character) => escapes[character]!);
}

/** The predefined entities and character references of a text. */
export function unescapeXml(text: string): string {
  const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(
    /&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#x([0-9a-f]{1,6}));/gi,
    (whole, name?: string, decimal?: string, hex?: string) => {
      if (name !== undefined) return named[name.toLowerCase()]!;
      const code = decimal === undefined ? Number.parseInt(hex!, 16) : Number(decimal);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}
