import { z } from 'zod';
import { Problem } from '@latchkey/contracts';
import { prepared, type EntityManager } from '@latchkey/database';
import { builtInTypes } from './built-in-types.js';
import { ContentTypes, type ContentTypeDefinition, type FieldDefinition, type FieldValue } from './content-types.js';
import { defaultMaxLength } from './field-values.js';
import { wellKnown } from './well-known.js';

/*
 * Content types of a repository's own are nodes of the type ContentType below /Root/System/Schema/ContentTypes. The node's
 * name is the type's; its field `Definition` says the rest, as JSON.
 */

/** Types that one repository may make, and fields that one of them may add. */
const maxTypes = 500;
const maxFields = 200;

/** A name can stand in a filter, and in SQL, as it is. */
const name = z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/, 'must be a letter, then letters, digits and underscores, 64 at most');

const number = z.number().min(-1e300).max(1e300);

const field = z
  .strictObject({
    name,
    kind: z.enum(['ShortText', 'LongText', 'Integer', 'Number', 'Boolean', 'DateTime', 'Reference', 'Binary']),
    displayName: z.string().max(450).optional(),
    required: z.boolean().optional(),
    maxLength: z.number().int().min(1).max(100_000).optional(),
    minimum: number.optional(),
    maximum: number.optional(),
    options: z.array(z.string().min(1).max(450)).min(1).max(500).optional(),
    multiple: z.boolean().optional(),
    allowedTypes: z.array(name).max(50).optional(),
  })
  .superRefine((value, context) => {
    const only = (member: keyof typeof value, kinds: string[]) => {
      if (value[member] !== undefined && !kinds.includes(value.kind)) {
        context.addIssue({ code: 'custom', path: [member], message: `is for ${kinds.join(' and ')} only` });
      }
    };
    only('maxLength', ['ShortText', 'LongText']);
    only('minimum', ['Integer', 'Number']);
    only('maximum', ['Integer', 'Number']);
    only('options', ['ShortText']);
    only('multiple', ['Reference']);
    only('allowedTypes', ['Reference']);
    if (value.required && value.kind === 'Binary')
      context.addIssue({ code: 'custom', path: ['required'], message: 'cannot be asked of a Binary' });
  });

/** What `Definition` holds. */
const definitionSchema = z.strictObject({
  parent: name,
  allowedChildTypes: z.array(name).max(100).optional(),
  fields: z.array(field).max(maxFields).default([]),
});

interface TypeRow {
  name: string;
  fields: Record<string, FieldValue>;
}

/** Types of repositories by repository id, as they were at a version. */
const remembered = new Map<string, { version: string; types: ContentTypes }>();
const maxRemembered = 1_000;

/**
 * The content types of a repository: the built-in ones and its own. One prepared statement by primary key; one more after a
 * type has changed, since they are remembered by their version.
 *
 * @param options.lock holds the row on which whoever changes the shape of the tree waits, until the transaction ends.
 */
export async function contentTypesOf(tx: EntityManager, repositoryId: string, { lock = false } = {}): Promise<ContentTypes> {
  const [counter] = await prepared<{ types_version: string | null }>(
    tx,
    `SELECT types_version FROM content_counters WHERE repository_id = $1 ${lock ? 'FOR UPDATE' : ''}`,
    [repositoryId],
  );
  // What is not in the scope of the transaction has no types of its own either.
  const version = counter?.types_version;
  if (!version) return builtInTypes;
  const known = remembered.get(repositoryId);
  if (known?.version === version) return known.types;
  const types = await loadTypes(tx, repositoryId);
  if (remembered.size >= maxRemembered) remembered.clear();
  remembered.set(repositoryId, { version, types });
  return types;
}

async function loadTypes(tx: EntityManager, repositoryId: string): Promise<ContentTypes> {
  const rows = await tx.query<TypeRow[]>('SELECT name, fields FROM content_nodes WHERE repository_id = $1 AND parent_id = $2 ORDER BY id', [
    repositoryId,
    wellKnown.contentTypes,
  ]);
  return typesFrom(rows);
}

function typesFrom(rows: TypeRow[]): ContentTypes {
  return new ContentTypes(parentsFirst([...builtInTypes.all(), ...rows.map(definitionFrom)]));
}

function definitionFrom(row: TypeRow): ContentTypeDefinition {
  const { parent, allowedChildTypes, fields } = definitionSchema.parse(JSON.parse(String(row.fields['Definition'])));
  const text = (fieldName: string) => String(row.fields[fieldName] ?? '');
  return {
    name: row.name,
    parent,
    displayName: text('DisplayName') || row.name,
    description: text('Description'),
    icon: text('Icon') || 'content',
    fields: fields.map(
      ({ displayName, ...rest }) => JSON.parse(JSON.stringify({ ...rest, displayName: displayName ?? rest.name })) as FieldDefinition,
    ),
    ...(allowedChildTypes ? { allowedChildTypes } : {}),
  };
}

/** @returns each type after its parent; a type whose parent is not there is left out. */
function parentsFirst(definitions: ContentTypeDefinition[]): ContentTypeDefinition[] {
  const byParent = new Map<string | null, ContentTypeDefinition[]>();
  for (const type of definitions) byParent.set(type.parent, [...(byParent.get(type.parent) ?? []), type]);
  const below = (parent: string | null): ContentTypeDefinition[] =>
    (byParent.get(parent) ?? []).flatMap((type) => [type, ...below(type.name)]);
  return below(null);
}

/** The `Definition` that a caller wrote, as text or as the object itself, in the form in which it is kept. */
function parseDefinition(value: unknown): z.infer<typeof definitionSchema> {
  const parsed = definitionSchema.safeParse(typeof value === 'string' ? parseJson(value) : value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => ({ pointer: `/${['Definition', ...path].join('/')}`, detail: message }));
  throw new Problem('invalid-request', faults.map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`).join('; '), { errors: faults });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid('is not JSON');
  }
}

/** A type's `Definition` as text, whichever form the caller wrote it in. Looks at its shape only. */
export function normalDefinition(input: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(input).map(([key, value]) =>
      key.toLowerCase() === 'definition' && value !== null ? ['Definition', JSON.stringify(parseDefinition(value))] : [key, value],
    ),
  );
}

/**
 * Before a type is written: refuses one that would not fit the others, or the content that there is. The transaction holds
 * the lock on the tree's shape. Up to four statements.
 *
 * @param before its definition until now; nothing for a new type.
 * @throws Problem `invalid-request`; `conflict` when content would no longer fit its type.
 */
export async function checkType(
  tx: EntityManager,
  repositoryId: string,
  after: { name: string; definition: string },
  before?: string,
): Promise<void> {
  const types = await loadTypes(tx, repositoryId);
  const { parent, fields, allowedChildTypes = [] } = parseDefinition(after.definition);
  if (!name.safeParse(after.name).success)
    throw invalid('must stand at a content whose Name is a letter, then letters, digits and underscores');
  const same = types.find(after.name);
  if (before === undefined && same) throw new Problem('already-exists', `There is a content type named ${same.name} already.`);
  if (before === undefined && types.all().length - builtInTypes.all().length >= maxTypes)
    throw invalid(`would be one of more than ${maxTypes} types`);
  requireParent(types, after.name, parent);
  for (const allowed of allowedChildTypes) requireType(types, after.name, allowed, 'allowedChildTypes');
  requireFields(types, after.name, parent, fields);
  if (before !== undefined) await requireFitting(tx, repositoryId, types, after.name, parseDefinition(before), { parent, fields });
  await changeTypesVersion(tx, repositoryId);
}

function requireParent(types: ContentTypes, typeName: string, parentName: string): void {
  const parent = types.find(parentName);
  if (parent?.name !== parentName) throw invalid(`names the parent ${parentName}, which is not a content type`);
  // Users, groups and the system's own places mean something to the product.
  const closed = ['User', 'Group', 'Domain', 'OrganizationalUnit', 'PortalRoot', 'SystemFolder', 'ContentType'];
  if (closed.some((name) => types.isA(parent, name))) throw invalid(`names the parent ${parentName}, from which no type can derive`);
  if (types.find(typeName) && types.isA(parent, typeName)) throw invalid('would make the type derive from itself');
}

function requireType(types: ContentTypes, typeName: string, wanted: string, member: string): void {
  const found = wanted === typeName || types.find(wanted)?.name === wanted;
  if (!found) throw invalid(`names ${wanted} in ${member}, which is not a content type`);
  const type = types.find(wanted);
  if (member === 'allowedChildTypes' && type?.restricted) throw invalid(`names ${wanted} in ${member}, which has places of its own`);
}

/** A field's name means the same kind of value everywhere, so that one can filter a collection of several types. */
function requireFields(types: ContentTypes, typeName: string, parent: string, fields: FieldDefinition[] | z.infer<typeof field>[]): void {
  const seen = new Set<string>();
  for (const { name: fieldName, kind, allowedTypes = [] } of fields) {
    const key = fieldName.toLowerCase();
    // What every object has anyway would be taken for a value.
    if (fieldName in Object.prototype) throw invalid(`has a field ${fieldName}, a name that no field can have`);
    if (seen.has(key)) throw invalid(`has the field ${fieldName} twice`);
    seen.add(key);
    for (const allowed of allowedTypes) requireType(types, typeName, allowed, 'allowedTypes');
    const inherited = types.fieldsOf(parent).find((known) => known.name.toLowerCase() === key);
    if (inherited) throw invalid(`has the field ${fieldName}, which ${parent} has already`);
    const elsewhere = types
      .all()
      .filter((type) => type.name !== typeName)
      .flatMap((type) => type.fields.map((known) => ({ type, known })))
      .find(({ known }) => known.name.toLowerCase() === key);
    if (!elsewhere) continue;
    const { type, known } = elsewhere;
    if (types.find(typeName) && types.isA(type, typeName)) throw invalid(`has the field ${fieldName}, which ${type.name} has already`);
    if (known.kind !== kind || known.name !== fieldName) {
      throw invalid(`has the field ${fieldName} as ${kind}; the type ${type.name} has it as ${known.name} of the kind ${known.kind}`);
    }
  }
}

interface TypeShape {
  parent: string;
  fields: z.infer<typeof field>[];
}

/** Content that is there, in the trash too, must fit afterwards as well as before. */
async function requireFitting(
  tx: EntityManager,
  repositoryId: string,
  types: ContentTypes,
  typeName: string,
  before: TypeShape,
  after: TypeShape,
): Promise<void> {
  const derived = types.derivedFrom(typeName);
  const harm = harmOf(before, after);
  if (before.parent !== after.parent && derived.length > 1)
    throw new Problem('conflict', `Types derive from ${typeName}: its parent cannot change.`);
  if (!harm) return;
  if (await isUsed(tx, repositoryId, derived)) throw new Problem('conflict', `There is content of the type ${typeName}, so ${harm}.`);
}

/** Why a change might leave content that does not fit; nothing when it cannot. */
function harmOf(before: TypeShape, after: TypeShape): string | undefined {
  if (before.parent !== after.parent) return 'its parent cannot change';
  for (const old of before.fields) {
    const now = after.fields.find(({ name }) => name === old.name);
    if (!now) return `its field ${old.name} cannot be taken away`;
    if (now.kind !== old.kind) return `its field ${old.name} cannot become another kind`;
    if (isNarrower(old, now)) return `its field ${old.name} cannot take fewer values than before`;
  }
  const demanded = after.fields.find(({ name, required }) => required && !before.fields.some((old) => old.name === name));
  return demanded && `its new field ${demanded.name} cannot be required`;
}

function isNarrower(old: z.infer<typeof field>, now: z.infer<typeof field>): boolean {
  const fewer = (before: string[] | undefined, after: string[] | undefined) =>
    after !== undefined && (before === undefined || !before.every((item) => after.includes(item)));
  return (
    (now.required === true && old.required !== true) ||
    longest(now) < longest(old) ||
    (now.minimum ?? -Infinity) > (old.minimum ?? -Infinity) ||
    (now.maximum ?? Infinity) < (old.maximum ?? Infinity) ||
    fewer(old.options, now.options) ||
    fewer(old.allowedTypes, now.allowedTypes) ||
    (old.multiple === true && now.multiple !== true)
  );
}

function longest({ kind, maxLength }: z.infer<typeof field>): number {
  return maxLength ?? (kind === 'ShortText' || kind === 'LongText' ? defaultMaxLength[kind] : 0);
}

/**
 * Before a type is deleted. The transaction holds the lock on the tree's shape.
 *
 * @throws Problem `conflict` when there is content of it, in the trash too, or another type needs it.
 */
export async function checkTypeUnused(tx: EntityManager, repositoryId: string, typeName: string): Promise<void> {
  const types = await loadTypes(tx, repositoryId);
  const needing = types
    .all()
    .find(
      (type) =>
        type.name !== typeName &&
        (type.parent === typeName ||
          type.allowedChildTypes?.includes(typeName) ||
          type.fields.some(({ allowedTypes }) => allowedTypes?.includes(typeName))),
    );
  if (needing) throw new Problem('conflict', `The type ${needing.name} needs the type ${typeName}.`);
  if (await isUsed(tx, repositoryId, [typeName]))
    throw new Problem('conflict', `There is content of the type ${typeName}, perhaps in the trash.`);
  await changeTypesVersion(tx, repositoryId);
}

async function isUsed(tx: EntityManager, repositoryId: string, typeNames: string[]): Promise<boolean> {
  const rows = await tx.query<unknown[]>('SELECT 1 FROM content_nodes WHERE repository_id = $1 AND type = ANY ($2::text[]) LIMIT 1', [
    repositoryId,
    typeNames,
  ]);
  return rows.length > 0;
}

async function changeTypesVersion(tx: EntityManager, repositoryId: string): Promise<void> {
  await tx.query('UPDATE content_counters SET types_version = gen_random_uuid() WHERE repository_id = $1', [repositoryId]);
}

const invalid = (detail: string) =>
  new Problem('invalid-request', `Definition ${detail}.`, { errors: [{ pointer: '/Definition', detail }] });
