import { Problem, type Fault } from '@latchkey/contracts';
import type { ContentTypeDefinition, ContentTypes, FieldDefinition, FieldValue } from './content-types.js';

const defaultMaxLength = { ShortText: 450, LongText: 100_000 };

/** What is wrong with a value, or the form in which it is kept. */
type Checked = { value: FieldValue } | { fault: string };

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
): Record<string, FieldValue> {
  const definitions = new Map(types.fieldsOf(type.name).map((field) => [field.name.toLowerCase(), field]));
  const fields: Record<string, FieldValue> = {};
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
      if (field.required && !field.readOnly && (fields[field.name] ?? null) === null)
        faults.push({ pointer: pointerTo(field.name), detail: 'is required' });
    }
  }
  if (faults.length > 0)
    throw new Problem('invalid-request', faults.map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`).join('; '), {
      errors: faults,
    });
  return fields;

  function take(field: FieldDefinition, value: unknown): void {
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
      return checkText(value, field.maxLength ?? defaultMaxLength[field.kind]);
    case 'Integer':
      // Clients keep these in 32 bits. Forms send digits.
      return checkNumber(
        value,
        (number) => Number.isInteger(number) && Math.abs(number) <= 2_147_483_647,
        'must be a whole number of 32 bits',
      );
    case 'Number':
      return checkNumber(value, Number.isFinite, 'must be a number');
    case 'Boolean':
      if (typeof value === 'boolean') return { value };
      return value === 'true' || value === 'false' ? { value: value === 'true' } : { fault: 'must be true or false' };
    case 'DateTime': {
      const time = typeof value === 'string' ? parseTime(value) : undefined;
      return time === undefined ? { fault: 'must be a date and time such as 2026-11-21T08:30:00Z' } : { value: time };
    }
    case 'Reference':
      return { fault: 'cannot be written' };
  }
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

const timePattern = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?(?:Z|[+-]\d\d:\d\d)?)?$/i;

/**
 * A date and time in UTC to the millisecond, always of the same length, so that texts compare as times do. A time without
 * a zone means UTC.
 *
 * @returns nothing when the text is not one.
 */
export function parseTime(text: string): string | undefined {
  if (!timePattern.test(text)) return undefined;
  const hasZone = /(?:Z|[+-]\d\d:\d\d)$/i.test(text) || !/[T ]/i.test(text);
  const time = new Date(hasZone ? text : `${text}Z`);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}
