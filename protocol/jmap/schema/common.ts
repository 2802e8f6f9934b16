/** Types of RFC 8620 §1 and the arguments of the standard methods (§5), as schemas: types, checks and documentation come from them. */
import { type TObject, type TProperties, type TSchema, Type } from 'typebox';
import { idCharsMax } from '../limits.ts';

export const Id = Type.String({ minLength: 1, maxLength: idCharsMax, pattern: '^#?[A-Za-z0-9_-]+$' });
/** Ids that a client asks for: what is none is not found, rather than refused. */
export const AskedId = Type.String();
const Int = Type.Integer({ minimum: -9007199254740991, maximum: 9007199254740991 });
export const UnsignedInt = Type.Integer({ minimum: 0, maximum: 9007199254740991 });
export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
/** null and absent mean the same. */
export const maybe = <T extends TSchema>(schema: T) => Type.Optional(nullable(schema));

const closed = { additionalProperties: false };
const AccountId = Type.String();

export const strict = <P extends TProperties>(properties: P) => Type.Object(properties, closed);

/** Arguments of any method on an account. */
export const onAccount = <P extends TProperties>(properties: P) => strict({ accountId: AccountId, ...properties });

export const getArguments = <P extends TProperties>(more: P) =>
  onAccount({ ids: maybe(Type.Array(AskedId)), properties: maybe(Type.Array(Type.String())), ...more });

export const changesArguments = onAccount({ sinceState: Type.String(), maxChanges: maybe(UnsignedInt) });

const Changes = Type.Record(Type.String(), Type.Unknown());

export const setArguments = <P extends TProperties>(more: P) =>
  onAccount({
    ifInState: maybe(Type.String()),
    create: maybe(Type.Record(Type.String(), Changes)),
    update: maybe(Type.Record(Type.String(), Changes)),
    destroy: maybe(Type.Array(AskedId)),
    ...more,
  });

/** Filters are trees: protocol/jmap/filter.ts reads them. */
const Filter = maybe(Type.Record(Type.String(), Type.Unknown()));

export const Comparator = Type.Object({
  property: Type.String(),
  isAscending: Type.Optional(Type.Boolean()),
  collation: Type.Optional(Type.String()),
  keyword: Type.Optional(Type.String()),
});

export const queryArguments = <P extends TProperties>(more: P) =>
  onAccount({
    filter: Filter,
    sort: maybe(Type.Array(Comparator)),
    position: Type.Optional(Int),
    anchor: maybe(AskedId),
    anchorOffset: Type.Optional(Int),
    limit: maybe(UnsignedInt),
    calculateTotal: Type.Optional(Type.Boolean()),
    ...more,
  });

export const queryChangesArguments = <P extends TProperties>(more: P) =>
  onAccount({
    filter: Filter,
    sort: maybe(Type.Array(Comparator)),
    sinceQueryState: Type.String(),
    maxChanges: maybe(UnsignedInt),
    upToId: maybe(AskedId),
    calculateTotal: Type.Optional(Type.Boolean()),
    ...more,
  });

export type ArgumentsSchema = TObject<TProperties>;
