import type { Binary, ContentEntity, ContentTypes, FieldValue } from '@latchkey/content';
import type { Options } from './options.js';

/** Fields that a reader gets who may see a content but not open it. */
const alwaysShown = new Set(['Id', 'ParentId', 'Name', 'Path', 'Type', 'IsFolder']);

export interface Presentation {
  types: ContentTypes;
  options: Pick<Options, 'select' | 'metadata'>;
  /** What is shown for a reference that is expanded, by the field's name and the content's id. */
  expanded: Map<string, Map<number, unknown>>;
  /** Files that the contents hold, by the content's id. */
  binaries: Map<number, Binary[]>;
  /** What stands before `/odata.svc` in an address of this repository, without the host. */
  basePath: string;
}

/** A content as it is answered: the selected fields of its type, null where there is no value. */
export function presentEntity(entity: ContentEntity, presentation: Presentation): Record<string, unknown> {
  const { options, expanded } = presentation;
  const wanted = options.select && firstSegments(options.select);
  const shown: Record<string, unknown> = {};
  if (options.metadata !== 'no') shown['__metadata'] = metadataOf(entity, presentation);
  for (const field of presentation.types.fieldsOf(entity.type)) {
    if (wanted && !wanted.has(field.name.toLowerCase())) continue;
    if (!entity.fields && !alwaysShown.has(field.name)) continue;
    const references = expanded.get(field.name);
    if (references) shown[field.name] = references.get(entity.id) ?? (field.multiple ? [] : null);
    else if (field.kind === 'Binary') shown[field.name] = mediaResource(entity, field.name, presentation);
    else if (field.kind === 'Reference') shown[field.name] = deferred(entity, field.name, presentation);
    else shown[field.name] = valueOf(presentation.types, entity, field.name);
  }
  return shown;
}

/** Paths such as `CreatedBy/Name` by their first segment in lower case, with what follows it. */
export function firstSegments(paths: string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const path of paths) {
    const [first = '', ...rest] = path.split('/');
    const nested = groups.get(first.toLowerCase()) ?? [];
    groups.set(first.toLowerCase(), rest.length > 0 ? [...nested, rest.join('/')] : nested);
  }
  return groups;
}

/** What a content has in a field that is no reference, whether it may be shown or not; null for none. */
export function valueOf(types: ContentTypes, entity: ContentEntity, field: string): FieldValue {
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
      return types.derivedFrom('Folder').includes(entity.type);
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
export function fieldOf(types: ContentTypes, entity: ContentEntity, name: string): { name: string; value: FieldValue } | undefined {
  const field = types.fieldsOf(entity.type).find((known) => known.name.toLowerCase() === name.toLowerCase());
  if (!field || field.kind === 'Reference' || (!entity.fields && !alwaysShown.has(field.name))) return undefined;
  return { name: field.name, value: valueOf(types, entity, field.name) };
}

/** A file as it is described in place of its bytes; null when there is none. */
function mediaResource(entity: ContentEntity, field: string, presentation: Presentation): unknown {
  const binary = presentation.binaries.get(entity.id)?.find((known) => known.field === field);
  if (!binary) return null;
  const address = `${uriOf(entity, presentation)}/${field}/$value`;
  return {
    __mediaresource: { edit_media: address, media_src: address, content_type: binary.contentType, media_etag: `"${binary.blobId}"` },
  };
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
