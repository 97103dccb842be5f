import type { Cursor, Expression, Order } from '@latchkey/content';
import { badRequest } from './fault.js';
import { parseCursor } from './cursor.js';
import { parseFilter } from './filter-text.js';
import { parseQueryText } from './query-text.js';

/** How much is said about a content besides its fields. */
export type Metadata = 'no' | 'minimal' | 'full';

/** What the query of a request asks for. */
export interface Options {
  /** Names of fields, with `Reference/Field` for one of an expanded reference; all if absent. */
  select: string[] | undefined;
  expand: string[];
  metadata: Metadata;
  filter: Expression | undefined;
  /** What `query=` says; it is looked for in the whole subtree. */
  search: Expression | undefined;
  orderBy: Order[];
  top: number | undefined;
  skip: number;
  /** Where an earlier page ended. */
  after: Cursor | undefined;
  /** The count is of everything rather than of the page. */
  countAll: boolean;
}

type Reader = (options: Options, value: string, userId: number) => void;

const readers: Record<string, Reader> = {
  select: (options, value) => {
    const names = list(value);
    requireShort('$select', names, 200);
    options.select = names.includes('*') ? undefined : names;
  },
  expand: (options, value) => {
    options.expand = list(value);
  },
  metadata: (options, value) => {
    const known = (['no', 'minimal', 'full'] as const).find((name) => name === value.toLowerCase());
    if (!known) throw badRequest('metadata must be no, minimal or full.');
    options.metadata = known;
  },
  filter: (options, value) => {
    if (value.trim() !== '') options.filter = both(options.filter, parseFilter(value));
  },
  query: (options, value, userId) => {
    if (value.trim() !== '') options.search = parseQueryText(value, userId);
  },
  orderby: (options, value) => {
    const fields = list(value);
    requireShort('$orderby', fields, 16);
    options.orderBy = fields.map(readOrder);
  },
  top: (options, value) => {
    options.top = wholeNumber('$top', value);
  },
  skip: (options, value) => {
    options.skip = wholeNumber('$skip', value);
  },
  skiptoken: (options, value) => {
    options.after = parseCursor(value);
  },
  inlinecount: (options, value) => {
    const known = /^(?:(allpages)|none)$/i.exec(value);
    if (!known) throw badRequest('$inlinecount must be allpages or none.');
    options.countAll ||= known[1] !== undefined;
  },
  count: (options, value) => {
    options.countAll ||= readFlag('$count', value);
  },
  format: (_, value) => {
    if (value.toLowerCase() !== 'json') throw badRequest('$format must be json.');
  },
  enableautofilters: (options, value) => {
    if (readFlag('enableautofilters', value))
      options.filter = both(options.filter, { kind: 'not', term: { kind: 'isOf', type: 'SystemFolder' } });
  },
  // No content has a lifespan here, so it hides nothing.
  enablelifespanfilter: (_, value) => void readFlag('enablelifespanfilter', value),
  // Read before anything else; see authentication.ts.
  apikey: () => undefined,
  permanent: () => undefined,
};

/** Readers that change nothing about what is answered to an operation, where clients send all sorts of things. */
const forOperations = new Set(['select', 'expand', 'metadata']);

/**
 * Reads the query of a request for content. Names come in any case, with or without `$`.
 *
 * @throws ODataFault 400 that names an option which is not understood, or comes twice.
 */
export function parseOptions(query: URLSearchParams, userId: number): Options {
  const options = noOptions();
  const seen = new Set<string>();
  for (const [name, value] of query) {
    const known = name.replace(/^\$/, '').toLowerCase();
    const read = Object.hasOwn(readers, known) ? readers[known] : undefined;
    if (!read) throw badRequest(`The query option ${JSON.stringify(name)} is not understood.`);
    if (seen.has(known)) throw badRequest(`The query option ${JSON.stringify(name)} is there twice.`);
    seen.add(known);
    read(options, value, userId);
  }
  return options;
}

/** Reads what the query of an operation says about its answer; everything else is the operation's own or is passed over. */
export function parseOperationOptions(query: URLSearchParams): Options {
  const options = noOptions();
  for (const [name, value] of query) {
    const known = name.replace(/^\$/, '').toLowerCase();
    if (forOperations.has(known)) readers[known]?.(options, value, 0);
  }
  return options;
}

function noOptions(): Options {
  return {
    select: undefined,
    expand: [],
    metadata: 'full',
    filter: undefined,
    search: undefined,
    orderBy: [],
    top: undefined,
    skip: 0,
    after: undefined,
    countAll: false,
  };
}

/** Both, or the one there is. */
export function both(left: Expression | undefined, right: Expression | undefined): Expression | undefined {
  return left && right ? { kind: 'and', terms: [left, right] } : (left ?? right);
}

function requireShort(option: string, items: string[], most: number): void {
  if (items.length > most) throw badRequest(`${option} may name at most ${most} fields.`);
}

function list(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function readOrder(text: string): Order {
  const [, field, direction = 'asc'] = /^([\p{L}_][\p{L}\p{N}_]*)(?:\s+(asc|desc))?$/iu.exec(text) ?? [];
  if (!field) throw badRequest(`$orderby is not understood at ${JSON.stringify(text)}.`);
  return { field, descending: direction.toLowerCase() === 'desc' };
}

function wholeNumber(name: string, value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw badRequest(`${name} must be a whole number.`);
  return Number(value);
}

function readFlag(name: string, value: string): boolean {
  if (!/^(?:true|false)$/i.test(value)) throw badRequest(`${name} must be true or false.`);
  return value.toLowerCase() === 'true';
}
