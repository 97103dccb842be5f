import { Problem } from '@latchkey/contracts';
import type { ContentTypes, FieldDefinition } from './content-types.js';
import { parseTime } from './field-values.js';
import { isBelow, keyOf, type Parameters } from './statement.js';

/** A value that stands in a filter. */
export type Literal = string | number | boolean | null;

export const comparisons = ['eq', 'ne', 'gt', 'ge', 'lt', 'le'] as const;
export type Comparison = (typeof comparisons)[number];

export const textTests = ['contains', 'startswith', 'endswith'] as const;
export type TextTest = (typeof textTests)[number];

/** What can be made of a field's value before it is compared. */
export const fieldFunctions = ['length', 'tolower', 'toupper', 'trim', 'year', 'month', 'day', 'hour', 'minute', 'second'] as const;
export type FieldFunction = (typeof fieldFunctions)[number];

/** A function with what it takes besides the field; places are counted from 0, and -1 says that the text is not in it. */
export type AppliedFunction = FieldFunction | { name: 'substring'; start: number; length?: number } | { name: 'indexof'; text: string };

/** Which nodes are meant. It is built from what a caller wrote and never holds SQL. */
export type Expression =
  | { kind: 'and' | 'or'; terms: Expression[] }
  | { kind: 'not'; term: Expression }
  | { kind: 'compare'; field: string; functions?: AppliedFunction[]; comparison: Comparison; value: Literal }
  | { kind: 'text'; test: TextTest; field: string; functions?: AppliedFunction[]; value: string }
  /** A reference field leads to this node, or to any. */
  | { kind: 'refers'; field: string; target: number | 'any' }
  /** Of this type or one derived from it. */
  | { kind: 'isOf'; type: string }
  /** At this path or below it. */
  | { kind: 'inTree'; path: string };

export interface Order {
  field: string;
  descending: boolean;
}

/** A row at which a page ended: the values by which it was ordered, and its id. */
export interface Cursor {
  values: Literal[];
  id: number;
}

/** A column that is told to those only who may open the node: null for whoever sees it and no more. */
const ofOpened = (column: string) => `(CASE WHEN f.fields IS NOT NULL THEN ${column} END)`;

/** Fields that are columns rather than members of `fields`, as expressions over the node `n`. */
const columns: Record<string, string> = {
  Id: 'n.id',
  ParentId: 'n.parent_id',
  Name: 'n.name',
  Path: 'n.path',
  Type: 'n.type',
  Version: ofOpened('n.version'),
  // To the millisecond, as callers get to know them.
  CreationDate: ofOpened(`date_trunc('milliseconds', n.created_at)`),
  CreatedById: ofOpened('n.created_by'),
  ModificationDate: ofOpened(`date_trunc('milliseconds', n.modified_at)`),
  ModifiedById: ofOpened('n.modified_by'),
};

/** Columns that are never null. */
const alwaysThere = new Set(['Id', 'Name', 'Path', 'Type']);

/** References that are columns. */
const referenceColumns: Record<string, string | undefined> = { CreatedBy: columns['CreatedById'], ModifiedBy: columns['ModifiedById'] };

function invalid(detail: string): Problem {
  return new Problem('invalid-request', detail);
}

function fieldNamed(name: string, types: ContentTypes): FieldDefinition {
  const field = types.field(name);
  if (!field) throw invalid(`There is no field ${JSON.stringify(name)}.`);
  return field;
}

/**
 * The field's value in SQL, typed, null when there is none. A name that gets here is a name out of the types, never one
 * that a caller wrote.
 */
function valueOf(field: FieldDefinition, types: ContentTypes): string {
  if (field.name === 'IsFolder')
    return `(n.type IN (${types
      .derivedFrom('Folder')
      .map((name) => `'${name}'`)
      .join(', ')}))`;
  const column = columns[field.name];
  if (column) return column;
  const text = `(f.fields ->> '${field.name}')`;
  if (field.kind === 'Binary') throw invalid(`The field ${field.name} is a file: it cannot be compared or sorted by.`);
  if (field.kind === 'Reference') throw invalid(`The field ${field.name} refers to other content: it cannot be compared or sorted by.`);
  if (field.kind === 'Integer' || field.kind === 'Number') return `${text}::numeric`;
  return field.kind === 'Boolean' ? `${text}::boolean` : text;
}

/** People's alphabetical order, the same on every server whatever its locale. */
const collation = ' COLLATE "und-x-icu"';

const isText = (field: FieldDefinition) => field.kind === 'ShortText' || field.kind === 'LongText';

/**
 * The order of the rows of a collection, ending with the id so that it is total.
 *
 * @throws Problem `invalid-request` for a field that no type has.
 */
export function orderOf(orderBy: Order[], types: ContentTypes): string {
  const keys = orderBy.map(({ field: name, descending }) => {
    const field = fieldNamed(name, types);
    const value = valueOf(field, types);
    return `${value}${isText(field) ? collation : ''} ${descending ? 'DESC NULLS LAST' : 'ASC NULLS FIRST'}`;
  });
  return [...keys, 'n.id'].join(', ');
}

/**
 * True for the rows that come after the cursor's in the order that `orderOf` gives. It compares values and not positions, so
 * rows that are added, changed or gone meanwhile neither repeat nor hide others.
 *
 * @throws Problem `invalid-request` when the cursor does not go with the order.
 */
export function isAfter({ values, id }: Cursor, orderBy: Order[], parameters: Parameters, types: ContentTypes): string {
  if (values.length !== orderBy.length) throw invalid('The cursor is of another order.');
  const keys = orderBy.map(({ field: name, descending }, index) => {
    const field = fieldNamed(name, types);
    const left = valueOf(field, types);
    const value = values[index] ?? null;
    if (value === null) return { equal: `${left} IS NULL`, after: descending ? 'false' : `${left} IS NOT NULL` };
    const right = literalFor(field, value, parameters);
    const order = isText(field) ? collation : '';
    return {
      equal: `${left} IS NOT DISTINCT FROM ${right}`,
      after: descending ? `(${left} < ${right}${order} OR ${left} IS NULL)` : `${left} > ${right}${order}`,
    };
  });
  const last = `n.id > ${parameters.add(id)}::integer`;
  const branches = [...keys.map(({ after }) => after), last].map((after, index) =>
    [...keys.slice(0, index).map(({ equal }) => equal), after].join(' AND '),
  );
  return `(${branches.map((branch) => `(${branch})`).join(' OR ')})`;
}

const operators: Record<Exclude<Comparison, 'ne'>, string> = { eq: '=', gt: '>', ge: '>=', lt: '<', le: '<=' };

/**
 * The expression as a condition on the node `n` and its fields `f`. It is true or false and never null: a field without a
 * value is equal to null only, and neither greater nor less than anything.
 *
 * @param isSeen a condition that is true for a node `n` that the caller may know of: what a reference leads to.
 * @throws Problem `invalid-request` for a field or type that is not there, or a value of another kind than the field's.
 */
export function conditionOf(expression: Expression, parameters: Parameters, types: ContentTypes, isSeen: () => string): string {
  switch (expression.kind) {
    case 'and':
    case 'or':
      return `(${expression.terms.map((term) => conditionOf(term, parameters, types, isSeen)).join(expression.kind === 'and' ? ' AND ' : ' OR ')})`;
    case 'not':
      return `(NOT ${conditionOf(expression.term, parameters, types, isSeen)})`;
    case 'compare':
      return comparisonOf(expression, parameters, types);
    case 'text':
      return textTestOf(expression, parameters, types);
    case 'refers':
      return referenceTestOf(expression, parameters, types, isSeen);
    case 'isOf': {
      const names = types.derivedFrom(expression.type);
      if (names.length === 0) throw invalid(`There is no content type ${JSON.stringify(expression.type)}.`);
      return `(n.type = ANY (${parameters.add(names)}::text[]))`;
    }
    case 'inTree': {
      const key = keyOf(parameters.add(textOrRefuse(expression.path)));
      return `(n.path_key = ${key} OR ${isBelow(key)})`;
    }
  }
}

/** References of a node are known to whoever may open it, as far as they lead to what the caller sees. */
function referenceTestOf(
  { field: name, target }: Expression & { kind: 'refers' },
  parameters: Parameters,
  types: ContentTypes,
  isSeen: () => string,
): string {
  const field = fieldNamed(name, types);
  if (field.kind !== 'Reference') throw invalid(`The field ${field.name} refers to nothing.`);
  const column = referenceColumns[field.name];
  if (column) return target === 'any' ? `(${column} IS NOT NULL)` : `(${column} IS NOT DISTINCT FROM ${parameters.add(target)}::integer)`;
  if (!isStored(field)) throw invalid(`The field ${field.name} cannot be filtered by.`);
  const [table, node, leadsTo] =
    field.name === 'Members' ? ['content_group_members', 'group_id', 'member_id'] : ['content_references', 'node_id', 'target_id'];
  return `(f.fields IS NOT NULL AND n.id IN (
    SELECT r.${node} FROM ${table} r JOIN content_nodes n ON n.repository_id = $1 AND n.id = r.${leadsTo}
    WHERE r.repository_id = $1 ${field.name === 'Members' ? '' : `AND r.field = '${field.name}'`}
      ${target === 'any' ? '' : `AND r.${leadsTo} = ${parameters.add(target)}::integer`} AND ${isSeen()}))`;
}

/** Roles of users are reckoned, not stored. */
const isStored = ({ name }: FieldDefinition) => name !== 'AllRoles' && name !== 'DirectRoles';

function comparisonOf(
  { field: name, functions = [], comparison, value }: Expression & { kind: 'compare' },
  parameters: Parameters,
  types: ContentTypes,
): string {
  const { field, sql: left } = applied(functions, fieldNamed(name, types), parameters, types);
  if (value === null) {
    if (comparison === 'eq') return `(${left} IS NULL)`;
    return comparison === 'ne' ? `(${left} IS NOT NULL)` : 'false';
  }
  const right = literalFor(field, value, parameters);
  if (comparison === 'ne') return `(${left} IS DISTINCT FROM ${right})`;
  const order = isText(field) && comparison !== 'eq' ? collation : '';
  const condition = `${left}${functions.length > 0 && isText(field) ? collation : ''} ${operators[comparison]} ${right}${order}`;
  // Bare, so that an index can serve it, where there is always a value.
  return functions.length === 0 && alwaysThere.has(field.name) ? `(${condition})` : `((${condition}) IS TRUE)`;
}

/** Functions of texts, and the part of a date and time that the others give. */
const textFunctions: Partial<Record<FieldFunction, string>> = { tolower: 'lower', toupper: 'upper', trim: 'btrim' };

/** The field's value after the functions, the innermost first, and a field of the kind that this is. */
function applied(
  functions: AppliedFunction[],
  field: FieldDefinition,
  parameters: Parameters,
  types: ContentTypes,
): { field: FieldDefinition; sql: string } {
  return functions.reduce(
    (inner, called) => {
      const name = typeof called === 'string' ? called : called.name;
      const ofText = typeof called === 'string' ? textFunctions[called] : undefined;
      const isOfText = ofText !== undefined || name === 'length' || typeof called !== 'string';
      if (isOfText ? !isText(inner.field) : inner.field.kind !== 'DateTime')
        throw invalid(`${name} needs a ${isOfText ? 'text' : 'date and time'}, and the field ${field.name} is none.`);
      if (ofText) return { field: { ...inner.field, name: '' }, sql: `${ofText}(${inner.sql} COLLATE "und-x-icu")` };
      const number: FieldDefinition = { ...inner.field, name: '', kind: 'Number' };
      if (typeof called !== 'string') {
        if (called.name === 'indexof')
          return { field: number, sql: `(strpos(${inner.sql}, ${parameters.add(textOrRefuse(called.text))}::text) - 1)::numeric` };
        const places = [called.start + 1, ...(called.length === undefined ? [] : [called.length])];
        const range = places.map((place) => `${parameters.add(place)}::integer`).join(', ');
        return { field: { ...inner.field, name: '' }, sql: `substr(${inner.sql}, ${range})` };
      }
      if (name === 'length') return { field: number, sql: `length(${inner.sql})::numeric` };
      return { field: number, sql: `floor(extract(${name} FROM (${inner.sql})::timestamptz AT TIME ZONE 'UTC'))` };
    },
    { field, sql: valueOf(field, types) },
  );
}

/** The placeholder of a value, checked to be of the field's kind. */
function literalFor(field: FieldDefinition, value: string | number | boolean, parameters: Parameters): string {
  switch (field.kind) {
    case 'Integer':
    case 'Number':
      if (typeof value !== 'number') throw invalid(`The field ${field.name} is a number: compare it with one.`);
      // An integer column's index serves integers only.
      return `${parameters.add(value)}::${columns[field.name] && isInteger(value) ? 'integer' : 'numeric'}`;
    case 'Boolean':
      if (typeof value !== 'boolean') throw invalid(`The field ${field.name} is true or false: compare it with one of them.`);
      return `${parameters.add(value)}::boolean`;
    case 'DateTime': {
      const time = typeof value === 'string' ? parseTime(value) : undefined;
      if (!time) throw invalid(`The field ${field.name} is a date and time: compare it with one such as datetime'2026-11-21T08:30:00Z'.`);
      return `${parameters.add(time)}::${columns[field.name] ? 'timestamptz' : 'text'}`;
    }
    default:
      return `${parameters.add(textFor(field, value))}::text`;
  }
}

/** True for what PostgreSQL keeps in 32 bits. */
const isInteger = (value: number) => Number.isInteger(value) && Math.abs(value) <= 2_147_483_647;

function textTestOf(
  { field: name, functions = [], test, value }: Expression & { kind: 'text' },
  parameters: Parameters,
  types: ContentTypes,
): string {
  const { field, sql: left } = applied(functions, fieldNamed(name, types), parameters, types);
  if (!isText(field)) throw invalid(`${test} needs a text, and the field ${field.name} is none.`);
  const right = `${parameters.add(textFor(field, value))}::text`;
  const tests: Record<TextTest, string> = {
    contains: `strpos(${left}, ${right}) > 0`,
    startswith: `starts_with(${left}, ${right})`,
    endswith: `right(${left}, length(${right})) = ${right}`,
  };
  return `((${tests[test]}) IS TRUE)`;
}

function textFor(field: FieldDefinition, value: string | number | boolean): string {
  if (typeof value !== 'string') throw invalid(`The field ${field.name} is a text: compare it with one in quotes.`);
  return textOrRefuse(value);
}

function textOrRefuse(value: string): string {
  if (value.includes('\0') || !value.isWellFormed()) throw invalid('A text in a filter must be well-formed and without NUL.');
  return value;
}
