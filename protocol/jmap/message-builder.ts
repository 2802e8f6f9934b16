/**
 * Builds the message of an Email that a client creates (RFC 8621 §4.6): the part tree from bodyStructure or from textBody, htmlBody and attachments,
 * then its bytes. Every rule that the client may break ends in SetFailure 'invalidProperties' with the property's name, or its path for those of parts:
 * `bodyStructure/subParts/0/charset`.
 */
import { Value } from 'typebox/value';
import { defaultBodyProperties } from './email-content.ts';
import { invalidProperties, SetFailure } from './errors.ts';
import { namedHeaderProperties, parseHeaderProperty } from './header-property.ts';
import { formatField, formatHeaderValue, formatParameters } from './header-writer.ts';
import { createdPartDepthMax, createdPartsMax, maxSizeAttachmentsPerEmail } from './limits.ts';
import { type BodyPartSettings, type EmailSettings, EmailSettings as EmailSettingsSchema } from './schema/email.ts';
import { encodeQuotedPrintable, wrapBase64 } from './transfer-writer.ts';

export interface BuildPorts {
  /** Bytes and type of a blob; undefined where there is none. */
  readonly blob: (blobId: string) => { readonly bytes: Buffer; readonly type: string | undefined } | undefined;
  /** Fresh for each boundary, letters and digits. */
  readonly boundary: () => string;
  /** For a message without one, without brackets. */
  readonly messageId: () => string;
  /** Now, for a message without a Date. */
  readonly now: number;
}

interface BuiltPart {
  readonly headers: string[];
  readonly body: Buffer;
}

const settingNames = new Set(Object.keys(EmailSettingsSchema.properties));
const partSettingNames = new Set([...defaultBodyProperties, 'subParts']);

/** Ids of all blobs that the parts name. */
export function blobIdsOf(email: EmailSettings): string[] {
  const ids: string[] = [];
  const visit = (part: BodyPartSettings, depth: number): void => {
    if (depth > createdPartDepthMax || ids.length > createdPartsMax) throw invalidProperties('There are too many parts.', 'bodyStructure');
    if (typeof part.blobId === 'string') ids.push(part.blobId);
    for (const child of part.subParts ?? []) visit(child as BodyPartSettings, depth + 1);
  };
  const { bodyStructure, textBody, htmlBody, attachments } = email;
  for (const part of [...(bodyStructure ? [bodyStructure] : []), ...(textBody ?? []), ...(htmlBody ?? []), ...(attachments ?? [])]) {
    visit(part as BodyPartSettings, 0);
  }
  return ids;
}

/** Checks the properties of a created Email. Throws SetFailure. */
export function readEmailSettings(value: Readonly<Record<string, unknown>>): EmailSettings {
  const faults = Value.Errors(EmailSettingsSchema, value);
  if (faults.length > 0) {
    const names = faults.map(({ instancePath, params }) =>
      instancePath === ''
        ? ((params as { requiredProperties?: string[] }).requiredProperties?.[0] ?? 'mailboxIds')
        : namedAs(instancePath.slice(1)),
    );
    const exact = names.filter((name) => !names.some((other) => other.startsWith(`${name}/`)));
    throw invalidProperties(`${exact[0]} ${faults[0]!.message}.`, ...new Set(exact));
  }
  const unknown = Object.keys(value).filter((name) => !settingNames.has(name) && parseHeaderProperty(name) === undefined);
  if (unknown.length > 0) throw invalidProperties(`${unknown[0]} cannot be set.`, ...unknown);
  const email = value as EmailSettings;
  if (email.bodyStructure) {
    const besides = (['textBody', 'htmlBody', 'attachments'] as const).filter((name) => email[name] !== undefined && email[name] !== null);
    if (besides.length > 0) throw invalidProperties('bodyStructure stands alone.', ...besides);
  }
  for (const [name, type] of [
    ['textBody', 'text/plain'],
    ['htmlBody', 'text/html'],
  ] as const) {
    const parts = email[name];
    if (parts === undefined || parts === null) continue;
    if (parts.length !== 1 || (parts[0]!.type ?? type) !== type)
      throw invalidProperties(`${name} has exactly one part, of type ${type}.`, name);
  }
  return email;
}

/** A path in what is said of parts; of anything else the property. */
const namedAs = (path: string) =>
  /^(bodyStructure|bodyValues|textBody|htmlBody|attachments)\b/.test(path) ? path : path.replace(/\/.*/s, '');

/** The message's bytes. Throws SetFailure ('invalidProperties', 'blobNotFound', 'tooLarge'). */
export function buildMessage(email: EmailSettings, ports: BuildPorts): Buffer {
  const builder = new PartBuilder(email, ports);
  const { root, path } = rootPart(email, builder);
  const headers = emailHeaders(email, ports, new Set(root.headers.map(fieldName)));
  const taken = new Set(headers.map(fieldName));
  const doubled = root.headers.map(fieldName).find((name) => taken.has(name));
  if (doubled !== undefined) {
    const part = (path.endsWith('/0') ? email[path.slice(0, -2)] : [email.bodyStructure]) as readonly object[];
    throw invalidProperties(`${doubled} is set twice.`, ...headerPaths(part[0]!, doubled, path));
  }
  return Buffer.concat([Buffer.from(`${headers.join('')}${root.headers.join('')}\r\n`), root.body]);
}

const fieldName = (field: string) => field.slice(0, field.indexOf(':')).toLowerCase();

/** A part's properties for a header field, and their paths. */
const headerProperties = (part: object, name: string) =>
  Object.keys(part).filter((property) => parseHeaderProperty(property)?.name.toLowerCase() === name);
const headerPaths = (part: object, name: string, path: string) => headerProperties(part, name).map((property) => `${path}/${property}`);

/** A client's Content-Type field of text that is not ASCII. */
const withCharset = (field: string) => (/^content-type:\s*text\//i.test(field) ? field.replace(/;?\s*$/, '; charset=utf-8\r\n') : field);

/** `ofRoot`: names of fields that the root part brings. */
function emailHeaders(email: EmailSettings, { messageId, now }: BuildPorts, ofRoot: ReadonlySet<string>): string[] {
  const fields = headerFields(email, (name) => namedHeaderProperties.get(name));
  const names = new Set(fields.map(fieldName));
  const forbidden = [...names].find((name) => name.startsWith('content-'));
  if (forbidden !== undefined)
    throw invalidProperties(
      `${forbidden} belongs to the parts.`,
      ...Object.keys(email).filter((key) => key.toLowerCase().startsWith(`header:${forbidden}`)),
    );
  if (!names.has('date') && !ofRoot.has('date'))
    fields.unshift(formatField('Date', formatHeaderValue('asDate', new Date(now).toISOString().replace(/\.\d+/, ''))!));
  if (!names.has('message-id') && !ofRoot.has('message-id')) fields.push(formatField('Message-ID', `<${messageId()}>`));
  if (!names.has('mime-version') && !ofRoot.has('mime-version')) fields.push('MIME-Version: 1.0\r\n');
  return fields;
}

/** Fields of all header properties of an Email or a part, whose path is `within`. */
function headerFields(from: Readonly<Record<string, unknown>>, named: (name: string) => string | undefined, within = ''): string[] {
  const fields: string[] = [];
  const seen = new Map<string, string>();
  for (const [property, value] of Object.entries(from)) {
    const header = parseHeaderProperty(named(property) ?? property);
    if (header === undefined || value === null || value === undefined) continue;
    const name = header.name.toLowerCase();
    const other = seen.get(name);
    if (other !== undefined) throw invalidProperties(`${header.name} is set twice.`, within + other, within + property);
    seen.set(name, property);
    if (header.isAll && !Array.isArray(value)) throw invalidProperties(`${property} is a list.`, within + property);
    for (const one of header.isAll ? (value as unknown[]) : [value]) {
      const text = formatHeaderValue(header.form, one);
      if (text === undefined) throw invalidProperties(`${property} does not have the form ${header.form}.`, within + property);
      fields.push(formatField(header.name, text));
    }
  }
  return fields;
}

/** The part whose fields are the message's, and the path of the property that it is made of. */
function rootPart(email: EmailSettings, builder: PartBuilder): { root: BuiltPart; path: string } {
  const alone = (part: BodyPartSettings, path: string, defaults: object) => ({
    root: builder.part({ ...defaults, ...part } as BodyPartSettings, path, 0),
    path,
  });
  if (email.bodyStructure) return alone(email.bodyStructure as BodyPartSettings, 'bodyStructure', {});
  const multipart = (subtype: string, parts: readonly BuiltPart[]) => ({ root: builder.multipart(subtype, parts, [], ''), path: '' });
  const made = (['textBody', 'htmlBody'] as const).flatMap((name) => {
    const part = email[name]?.[0];
    const type = name === 'textBody' ? 'text/plain' : 'text/html';
    return part === undefined ? [] : [{ name, ...alone(part as BodyPartSettings, `${name}/0`, { type }) }];
  });
  const attachments = (email.attachments ?? []).map((part, index) => ({
    root: builder.part({ disposition: 'attachment', ...part } as BodyPartSettings, `attachments/${index}`, 0),
    // What the HTML shows where it names it, so that by §4.1.4 it is an attachment still, and no part of the body.
    isShown: Boolean(email.htmlBody?.[0] && part.disposition === 'inline' && part.cid),
  }));
  const rootsOf = (isShown: boolean) => attachments.filter((one) => one.isShown === isShown).map(({ root }) => root);
  const [shown, files] = [rootsOf(true), rootsOf(false)];
  const bodies = made.map((body) => (body.name === 'htmlBody' && shown.length > 0 ? multipart('related', [body.root, ...shown]) : body));
  if (bodies.length === 0 && files.length === 0)
    return { root: { headers: ['Content-Type: text/plain; charset=us-ascii\r\n'], body: Buffer.alloc(0) }, path: '' };
  const body =
    bodies.length > 1
      ? multipart(
          'alternative',
          Array.from(bodies, ({ root }) => root),
        )
      : bodies[0];
  if (files.length === 0) return body!;
  return multipart('mixed', [...(body === undefined ? [] : [body.root]), ...files]);
}

/** The refusal of a part: of it all, or of properties of it. */
type Refuse = (description: string, ...properties: string[]) => SetFailure;

class PartBuilder {
  readonly #email: EmailSettings;
  readonly #ports: BuildPorts;
  #parts = 0;
  #attachmentBytes = 0;

  constructor(email: EmailSettings, ports: BuildPorts) {
    this.#email = email;
    this.#ports = ports;
  }

  part(part: BodyPartSettings, path: string, depth: number): BuiltPart {
    const bad: Refuse = (description, ...properties) =>
      invalidProperties(description, ...(properties.length === 0 ? [path] : properties.map((property) => `${path}/${property}`)));
    if (depth > createdPartDepthMax || ++this.#parts > createdPartsMax) throw bad('There are too many parts.');
    const unknown = Object.keys(part).filter((name) => !partSettingNames.has(name) && parseHeaderProperty(name) === undefined);
    if (unknown.length > 0) throw bad(`${unknown[0]} cannot be set on a part.`, ...unknown);
    const own = headerFields(part, () => undefined, `${path}/`);
    const encoding = 'content-transfer-encoding';
    if (hasField(own, encoding)) throw invalidProperties('The server chooses the transfer encoding.', ...headerPaths(part, encoding, path));
    const { partId, blobId, type, subParts } = part;
    if (subParts !== undefined && subParts !== null && (type === undefined || type === null || type.startsWith('multipart/'))) {
      if (partId || blobId) throw bad('A multipart has neither partId nor blobId.', 'partId', 'blobId');
      const children = subParts.map((child, index) => this.part(child as BodyPartSettings, `${path}/subParts/${index}`, depth + 1));
      return this.multipart((type ?? 'multipart/mixed').slice('multipart/'.length), children, own, path);
    }
    if (type?.startsWith('multipart/') === true) throw bad('A multipart has subParts.', 'subParts');
    if ((typeof partId === 'string') === (typeof blobId === 'string')) throw bad('A part has a partId or a blobId.', 'partId', 'blobId');
    return typeof partId === 'string' ? this.#text(part, partId, own, bad) : this.#blob(part, blobId as string, own, bad);
  }

  multipart(subtype: string, children: readonly BuiltPart[], own: readonly string[], path: string): BuiltPart {
    if (children.length === 0) throw invalidProperties('A multipart has parts.', `${path}/subParts`);
    const boundary = this.#ports.boundary();
    const chunks: Buffer[] = [];
    for (const { headers, body } of children)
      chunks.push(Buffer.from(`--${boundary}\r\n${headers.join('')}\r\n`), body, Buffer.from('\r\n'));
    chunks.push(Buffer.from(`--${boundary}--\r\n`));
    if (hasField(own, 'content-type')) throw invalidProperties('The Content-Type of a multipart is given by type.', path);
    return {
      headers: [formatField('Content-Type', `multipart/${subtype}; boundary="${boundary}"`), ...own],
      body: Buffer.concat(chunks),
    };
  }

  #text(part: BodyPartSettings, partId: string, own: readonly string[], bad: Refuse): BuiltPart {
    const values = this.#email.bodyValues ?? {};
    const given = Object.hasOwn(values, partId) ? values[partId] : undefined;
    if (given === undefined) throw bad(`bodyValues has no ${JSON.stringify(partId)}.`, 'partId');
    if (part.charset !== undefined && part.charset !== null) throw bad('The server chooses the charset of bodyValues.', 'charset');
    if (part.size !== undefined && part.size !== null) throw bad('The size of a part with partId follows from its text.', 'size');
    const contentType = own.find((field) => fieldName(field) === 'content-type');
    if (contentType !== undefined && /;\s*charset\s*\*?=/i.test(contentType))
      throw bad('The server chooses the charset of bodyValues.', ...headerProperties(part, 'content-type'));
    const type = part.type ?? 'text/plain';
    const text = given.value.replace(/\r\n?|\n/g, '\r\n');
    const isAscii = /^[\t\r\n\x20-\x7e]*$/.test(text);
    const isPlain = isAscii && text.split('\r\n').every((line) => line.length <= 998);
    const fields = isAscii ? own : own.map((field) => (field === contentType ? withCharset(field) : field));
    const headers = this.#contentHeaders(part, type, fields, type.startsWith('text/') ? (isAscii ? 'us-ascii' : 'utf-8') : undefined, bad);
    if (isPlain) return { headers: [...headers, 'Content-Transfer-Encoding: 7bit\r\n'], body: Buffer.from(text) };
    return { headers: [...headers, 'Content-Transfer-Encoding: quoted-printable\r\n'], body: Buffer.from(encodeQuotedPrintable(text)) };
  }

  #blob(part: BodyPartSettings, blobId: string, own: readonly string[], bad: Refuse): BuiltPart {
    const blob = this.#ports.blob(blobId);
    if (blob === undefined) throw new SetFailure({ type: 'blobNotFound', notFound: [blobId], description: `There is no blob ${blobId}.` });
    this.#attachmentBytes += blob.bytes.length;
    if (this.#attachmentBytes > maxSizeAttachmentsPerEmail)
      throw new SetFailure({ type: 'tooLarge', description: 'The attachments are too large.' });
    const type = part.type ?? blob.type ?? 'application/octet-stream';
    if (type.startsWith('multipart/')) throw bad('A multipart has subParts.', 'type');
    const headers = this.#contentHeaders(part, type, own, part.charset ?? undefined, bad);
    // RFC 2046 §5.2.1: a message inside a message is not encoded.
    if (type.toLowerCase() === 'message/rfc822') return { headers: [...headers, 'Content-Transfer-Encoding: 8bit\r\n'], body: blob.bytes };
    return { headers: [...headers, 'Content-Transfer-Encoding: base64\r\n'], body: Buffer.from(wrapBase64(blob.bytes)) };
  }

  #contentHeaders(part: BodyPartSettings, type: string, own: readonly string[], charset: string | undefined, bad: Refuse): string[] {
    const { name, disposition, cid, language, location } = part;
    const headers: string[] = [];
    const add = (field: string, value: string) => {
      if (hasField(own, field.toLowerCase())) throw bad(`${field} is set twice.`);
      headers.push(formatField(field, value));
    };
    if (!hasField(own, 'content-type')) {
      // RFC 2047 §5 forbids encoded words here, but older readers know no other name.
      headers.push(formatField('Content-Type', `${type}${formatParameters({ charset, name: name ?? undefined }, 'words')}`));
    }
    if (disposition || name)
      add('Content-Disposition', `${disposition ?? 'attachment'}${formatParameters({ filename: name ?? undefined }, 'rfc2231')}`);
    if (cid) add('Content-ID', `<${cid.replace(/[\s<>]/g, '')}>`);
    if (language && language.length > 0) add('Content-Language', language.map((tag) => tag.replace(/[^A-Za-z0-9-]/g, '')).join(', '));
    if (location) add('Content-Location', location.replace(/[^\x21-\x7e]/g, encodeURIComponent));
    return [...headers, ...own];
  }
}

function hasField(fields: readonly string[], name: string): boolean {
  return fields.some((field) => fieldName(field) === name);
}
