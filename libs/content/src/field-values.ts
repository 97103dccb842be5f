import { Problem, type Fault } from '@latchkey/contracts';
import type { ContentTypeDefinition, ContentTypes, FieldDefinition, FieldValue } from './content-types.js';
import type { Address } from './node.js';

/** Characters of a text when its field does not say how many. */
export const defaultMaxLength = { ShortText: 450, LongText: 100_000 };

/** What is wrong with a value, or the form in which it is kept. */
type Checked = { value: FieldValue } | { fault: string };

/** What a caller wrote, checked. */
export interface CheckedFields {
  /** Values by field name, as they are kept. */
  fields: Record<string, FieldValue>;
  /** Where references are to lead, by field name. Nobody has looked yet whether anything is there. */
  references: Record<string, Address[]>;
}

/** Nodes that one reference field leads to at most. */
const maxTargets = 1_000;

/**
 * Takes the fields of a type out of what a caller wrote, each in the form in which it is kept. Fields that the system
 * gives are passed over, since clients send back what they have read.
 *
 * @param whole the input is everything there is: what is required must be there.
 * @throws Problem `invalid-request` that names every field which the type does not have and every value that does not fit.
 */
export function checkFields(
  types: ContentTypes,
  type: ContentTypeDefinition,
  input: Record<string, unknown>,
  { whole }: { whole: boolean },
): CheckedFields {
  const definitions = new Map(types.fieldsOf(type.name).map((field) => [field.name.toLowerCase(), field]));
  const fields: Record<string, FieldValue> = {};
  const references: Record<string, Address[]> = {};
  const faults: Fault[] = [];
  for (const [name, value] of Object.entries(input)) {
    // Instructions to the server, such as __ContentType, are not fields.
    if (name.startsWith('__')) continue;
    const field = definitions.get(name.toLowerCase());
    if (!field) faults.push({ pointer: pointerTo(name), detail: `is not a field of the type ${type.name}` });
    else if (!field.readOnly && field.name !== 'Name') take(field, value);
  }
  if (whole) {
    for (const field of definitions.values()) {
      const isThere = field.kind === 'Reference' ? references[field.name]?.length : (fields[field.name] ?? null) !== null;
      if (field.required && !field.readOnly && !isThere) faults.push({ pointer: pointerTo(field.name), detail: 'is required' });
    }
  }
  if (faults.length > 0)
    throw new Problem('invalid-request', faults.map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`).join('; '), {
      errors: faults,
    });
  return { fields, references };

  function take(field: FieldDefinition, value: unknown): void {
    if (field.kind === 'Reference') {
      const targets = targetsOf(field, value);
      if (typeof targets === 'string') faults.push({ pointer: pointerTo(field.name), detail: targets });
      else references[field.name] = targets;
      return;
    }
    // The OData surface describes a binary in place of its bytes, and clients send back what they have read.
    if (field.kind === 'Binary') return;
    const checked = value === null && !field.required ? { value: null } : checkValue(field, value);
    if ('fault' in checked) faults.push({ pointer: pointerTo(field.name), detail: checked.fault });
    else fields[field.name] = checked.value;
  }
}

/** A JSON pointer (RFC 6901) to a member of the body. */
const pointerTo = (name: string) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;

function checkValue(field: FieldDefinition, value: unknown): Checked {
  switch (field.kind) {
    case 'ShortText':
    case 'LongText':
      return checkOption(field, checkText(value, field.maxLength ?? defaultMaxLength[field.kind]));
    case 'Integer':
      // Clients keep these in 32 bits. Forms send digits.
      return checkRange(
        field,
        checkNumber(value, (number) => Number.isInteger(number) && Math.abs(number) <= 2_147_483_647, 'must be a whole number of 32 bits'),
      );
    case 'Number':
      return checkRange(field, checkNumber(value, Number.isFinite, 'must be a number'));
    case 'Boolean':
      if (typeof value === 'boolean') return { value };
      return value === 'true' || value === 'false' ? { value: value === 'true' } : { fault: 'must be true or false' };
    case 'DateTime': {
      const time = typeof value === 'string' ? parseTime(value) : undefined;
      return time === undefined ? { fault: 'must be a date and time such as 2026-11-21T08:30:00Z' } : { value: time };
    }
    default:
      return { fault: 'cannot be written' };
  }
}

function checkOption(field: FieldDefinition, checked: Checked): Checked {
  if ('fault' in checked || !field.options || field.options.includes(String(checked.value))) return checked;
  return { fault: `must be one of ${field.options.join(', ')}` };
}

function checkRange({ minimum = -Infinity, maximum = Infinity }: FieldDefinition, checked: Checked): Checked {
  if ('fault' in checked || typeof checked.value !== 'number') return checked;
  if (checked.value < minimum) return { fault: `must be at least ${minimum}` };
  return checked.value > maximum ? { fault: `must be at most ${maximum}` } : checked;
}

/** Where a reference leads: ids, paths, objects with one of them, or a list of these. Words for the caller when it is none. */
function targetsOf(field: FieldDefinition, value: unknown): Address[] | string {
  const items: unknown[] = Array.isArray(value) ? value : value === null || value === '' ? [] : [value];
  if (field.required && items.length === 0) return 'is required';
  if (items.length > 1 && !field.multiple) return 'leads to one content at most';
  if (items.length > maxTargets) return `leads to ${maxTargets} contents at most`;
  const targets = items.map(targetOf);
  return targets.every((target) => target !== undefined) ? targets : 'must be an id, a path, or a list of them';
}

function targetOf(item: unknown): Address | undefined {
  if (typeof item === 'number') return { id: item };
  if (typeof item === 'string') return /^\d+$/.test(item) ? { id: Number(item) } : { path: item };
  if (typeof item !== 'object' || item === null) return undefined;
  const { Id: id, Path: path } = item as Record<string, unknown>;
  if (typeof id === 'number') return { id };
  return typeof path === 'string' ? { path } : undefined;
}

function checkText(value: unknown, maxLength: number): Checked {
  if (typeof value !== 'string') return { fault: 'must be a text' };
  if (value.length > maxLength) return { fault: `must be at most ${maxLength} characters` };
  // PostgreSQL keeps neither.
  if (value.includes('\0') || !value.isWellFormed()) return { fault: 'must be well-formed text without NUL' };
  return { value };
}

function checkNumber(value: unknown, fits: (number: number) => boolean, fault: string): Checked {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && fits(number) ? { value: number } : { fault };
}

const timePattern = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?)(Z|[+-]\d\d:\d\d)?)?$/i;

/**
 * A date and time in UTC to the millisecond, always of the same length, so that texts compare as times do. A time without
 * a zone means UTC. Years are 1 to 9999: PostgreSQL knows no year 0, and longer ones would not compare.
 *
 * @returns nothing when the text is not one.
 */
export function parseTime(text: string): string | undefined {
  const [, day, clock = '00:00', zone = 'Z'] = timePattern.exec(text) ?? [];
  // The 30th of February would be taken for a day in March.
  if (!day || isoOf(day)?.slice(0, 10) !== day) return undefined;
  const iso = isoOf(`${day}T${clock}${zone.toUpperCase()}`);
  return iso && /^(?!0000)\d{4}-/.test(iso) ? iso : undefined;
}

function isoOf(text: string): string | undefined {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}
