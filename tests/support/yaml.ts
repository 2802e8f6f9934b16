/** Reads the YAML that docker-compose.yml keeps to: maps, lists, plain and quoted scalars, flow lists, `|` blocks. Anything else throws. */
export type Yaml = string | null | readonly Yaml[] | { readonly [key: string]: Yaml };

interface Line {
  readonly indent: number;
  readonly text: string;
  readonly raw: string;
}

export function parseYaml(text: string): Yaml {
  const lines = text.split('\n').map((raw): Line => ({ indent: raw.search(/\S|$/), text: raw.trim(), raw }));
  const reader = { lines, at: 0 };
  return readBlock(reader, 0);
}

interface Reader {
  readonly lines: readonly Line[];
  at: number;
}

const peek = (reader: Reader): Line | undefined => {
  while (reader.at < reader.lines.length && /^(#|$)/.test(reader.lines[reader.at]!.text)) reader.at++;
  return reader.lines[reader.at];
};

function readBlock(reader: Reader, indent: number): Yaml {
  if (peek(reader)?.text.startsWith('- ')) return readList(reader, indent);
  const map: Record<string, Yaml> = {};
  for (let line = peek(reader); line !== undefined && line.indent === indent; line = peek(reader)) {
    const [, key, value] = /^([\w.-]+):(?: +(.*))?$/.exec(line.text) ?? [];
    if (key === undefined || key in map) throw new Error(`line ${reader.at + 1}: ${line.raw}`);
    reader.at++;
    map[key] = readValue(reader, indent, value ?? '');
  }
  return map;
}

function readList(reader: Reader, indent: number): Yaml {
  const list: Yaml[] = [];
  for (let line = peek(reader); line?.indent === indent && line.text.startsWith('- '); line = peek(reader)) {
    reader.at++;
    list.push(readValue(reader, indent, line.text.slice(2)));
  }
  return list;
}

function readValue(reader: Reader, indent: number, value: string): Yaml {
  if (value === '|') {
    const block: string[] = [];
    while (reader.at < reader.lines.length && (reader.lines[reader.at]!.indent > indent || reader.lines[reader.at]!.text === '')) {
      block.push(reader.lines[reader.at++]!.text);
    }
    return block.join('\n');
  }
  if (value === '') {
    const next = peek(reader);
    return next !== undefined && next.indent > indent ? readBlock(reader, next.indent) : null;
  }
  if (value.startsWith('[') || value.startsWith('"')) return JSON.parse(value) as Yaml;
  if (/^[&*{>%@`'!]| #|: /.test(value)) throw new Error(`not read here: ${value}`);
  return value;
}
