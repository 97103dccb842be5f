import { builtInTypes, type ContentEntity, type FieldValue } from '@latchkey/content';
import { badRequest } from './fault.js';
import type { Options } from './options.js';

/** References that lead to the user who did it, with the field's id beside it. */
const userReferences = ['CreatedBy', 'ModifiedBy'] as const;
type UserReference = (typeof userReferences)[number];

/** Fields that a reader gets who may see a content but not open it. */
const alwaysShown = new Set(['Id', 'ParentId', 'Name', 'Path', 'Type', 'IsFolder']);

/**
 * Finds what `$expand` names.
 *
 * @throws ODataFault 400 for a field that is no reference.
 */
export function expandedReferences(options: Options): UserReference[] {
  return options.expand.map((name) => {
    const reference = userReferences.find((known) => known.toLowerCase() === name.toLowerCase());
    if (!reference) throw badRequest(`$expand: ${JSON.stringify(name)} is not a reference that can be expanded.`);
    return reference;
  });
}

/** Ids of the contents that the expanded references lead to. */
export function referredIds(entities: ContentEntity[], references: UserReference[]): number[] {
  return [
    ...new Set(
      entities.flatMap((entity) => references.map((reference) => (reference === 'CreatedBy' ? entity.createdBy : entity.modifiedBy))),
    ),
  ];
}

export interface Presentation {
  options: Options;
  expanded: UserReference[];
  /** Contents that references lead to, as far as the caller may see them. */
  referred: Map<number, ContentEntity>;
  /** What stands before `/odata.svc` in an address of this repository, without the host. */
  basePath: string;
}

/** A content as it is answered: the selected fields of its type, null where there is no value. */
export function presentEntity(entity: ContentEntity, presentation: Presentation): Record<string, unknown> {
  const { options, expanded } = presentation;
  const wanted = options.select && new Map(groupSelect(options.select));
  const shown: Record<string, unknown> = {};
  if (options.metadata !== 'no') shown['__metadata'] = metadataOf(entity, presentation);
  for (const field of builtInTypes.fieldsOf(entity.type)) {
    const nested = wanted?.get(field.name.toLowerCase());
    if (wanted && !nested) continue;
    if (!entity.fields && !alwaysShown.has(field.name)) continue;
    if (field.kind === 'Reference') {
      const reference = userReferences.find((known) => known === field.name);
      shown[field.name] =
        reference && expanded.includes(reference)
          ? presentReferred(entity, reference, nested, presentation)
          : deferred(entity, field.name, presentation);
    } else shown[field.name] = valueOf(entity, field.name);
  }
  return shown;
}

/** What is selected by field, with what is selected within a reference: `CreatedBy/Name`. */
function groupSelect(select: string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const name of select) {
    const [field = '', ...rest] = name.split('/');
    const nested = groups.get(field.toLowerCase()) ?? [];
    groups.set(field.toLowerCase(), rest.length > 0 ? [...nested, rest.join('/')] : nested);
  }
  return groups;
}

function presentReferred(
  entity: ContentEntity,
  reference: UserReference,
  select: string[] | undefined,
  presentation: Presentation,
): unknown {
  const referred = presentation.referred.get(reference === 'CreatedBy' ? entity.createdBy : entity.modifiedBy);
  const options = { ...presentation.options, select: select && select.length > 0 ? select : undefined };
  return referred ? presentEntity(referred, { ...presentation, options, expanded: [] }) : null;
}

function valueOf(entity: ContentEntity, field: string): FieldValue {
  switch (field) {
    case 'Id':
      return entity.id;
    case 'ParentId':
      return entity.parentId ?? 0;
    case 'Name':
      return entity.name;
    case 'Path':
      return entity.path;
    case 'Type':
      return entity.type;
    case 'IsFolder':
      return builtInTypes.derivedFrom('Folder').includes(entity.type);
    case 'Version':
      return entity.version;
    case 'CreationDate':
      return entity.createdAt.toISOString();
    case 'CreatedById':
      return entity.createdBy;
    case 'ModificationDate':
      return entity.modifiedAt.toISOString();
    case 'ModifiedById':
      return entity.modifiedBy;
    default:
      return entity.fields?.[field] ?? null;
  }
}

/** The value of one field of a content, by its name in any case; nothing when the type has none or it may not be shown. */
export function fieldOf(entity: ContentEntity, name: string): { name: string; value: FieldValue } | undefined {
  const field = builtInTypes.fieldsOf(entity.type).find((known) => known.name.toLowerCase() === name.toLowerCase());
  if (!field || field.kind === 'Reference' || (!entity.fields && !alwaysShown.has(field.name))) return undefined;
  return { name: field.name, value: valueOf(entity, field.name) };
}

/** The address of a content, from the root of the host. */
function uriOf(entity: ContentEntity, { basePath }: Presentation): string {
  const slash = entity.path.lastIndexOf('/');
  const parent = entity.path.slice(0, slash).split('/').map(encodeURIComponent).join('/');
  return `${basePath}/odata.svc${parent}('${encodeURIComponent(entity.name)}')`;
}

function metadataOf(entity: ContentEntity, presentation: Presentation): Record<string, unknown> {
  const head = { uri: uriOf(entity, presentation), type: entity.type };
  return presentation.options.metadata === 'full' ? { ...head, actions: [], functions: [] } : head;
}

function deferred(entity: ContentEntity, field: string, presentation: Presentation): unknown {
  return { __deferred: { uri: `${uriOf(entity, presentation)}/${field}` } };
}
