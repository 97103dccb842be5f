import {
  contentTypesOf,
  membersOf,
  readBinaries,
  readNodes,
  readTargets,
  rolesOf,
  type ContentEntity,
  type FieldDefinition,
} from '@latchkey/content';
import type { EntityManager } from '@latchkey/database';
import { badRequest } from './odata/fault.js';
import type { Options } from './odata/options.js';
import { firstSegments, presentEntity } from './odata/present.js';
import type { ContentRequest } from './request.js';

/** References that one request may expand, and how far into each other: each costs statements. */
const maxExpansions = 20;
const maxDepth = 4;

/**
 * Presents entities with what their expanded references lead to, as far as the caller may see it. One statement, and
 * one or two for each reference that is expanded.
 *
 * @throws ODataFault 400 for an expansion of something that is no reference, or too many of them.
 */
export async function present(
  tx: EntityManager,
  request: ContentRequest,
  entities: ContentEntity[],
  options: Pick<Options, 'select' | 'expand' | 'metadata'>,
): Promise<Record<string, unknown>[]> {
  if (options.expand.length > maxExpansions) throw badRequest(`$expand may name at most ${maxExpansions} references.`);
  if (options.expand.some((path) => path.split('/').length > maxDepth)) throw badRequest(`$expand may go ${maxDepth} deep.`);
  const types = await contentTypesOf(tx, request.repository.id);
  const expanded = new Map<string, Map<number, unknown>>();
  const selected = firstSegments(options.select ?? []);
  for (const [name, nested] of firstSegments(options.expand)) {
    const field = types.field(name);
    if (field?.kind !== 'Reference') throw badRequest(`$expand: ${JSON.stringify(name)} is not a reference that can be expanded.`);
    const links = await linksOf(tx, request, entities, field);
    const ids = [...new Set([...links.values()].flat())];
    const select = selected.get(name);
    const wish = { ...options, select: select && select.length > 0 ? select : undefined, expand: nested };
    const shown = await presentById(tx, request, ids, wish);
    const show = (id: number) => shown.get(id);
    expanded.set(
      field.name,
      new Map(
        [...links].map(([id, link]) => [id, typeof link === 'number' ? show(link) : link.map(show).filter((one) => one !== undefined)]),
      ),
    );
  }
  const holding = entities.filter((entity) => entity.fields && types.fieldsOf(entity.type).some(({ kind }) => kind === 'Binary'));
  const binaries = await readBinaries(
    tx,
    request.repository.id,
    holding.map(({ id }) => id),
  );
  return entities.map((entity) => presentEntity(entity, { types, options, expanded, binaries, basePath: request.basePath }));
}

async function presentById(
  tx: EntityManager,
  request: ContentRequest,
  ids: number[],
  options: Pick<Options, 'select' | 'expand' | 'metadata'>,
): Promise<Map<number, unknown>> {
  const referred = [...(await readNodes(tx, request.caller, ids)).values()];
  const shown = await present(tx, request, referred, options);
  return new Map(referred.map(({ id }, index) => [id, shown[index]]));
}

/** Where a reference leads, by the content's id: to one content or to several. Only what the caller may open is told. */
async function linksOf(
  tx: EntityManager,
  { repository, caller }: ContentRequest,
  entities: ContentEntity[],
  field: FieldDefinition,
): Promise<Map<number, number | number[]>> {
  const opened = entities.filter((entity) => entity.fields);
  const of = (type: string) => opened.filter((entity) => entity.type === type).map(({ id }) => id);
  const several = (ids: number[], found: Map<number, number[]>) => new Map(ids.map((id) => [id, found.get(id) ?? []]));
  switch (field.name) {
    case 'CreatedBy':
      return new Map(opened.map((entity) => [entity.id, entity.createdBy]));
    case 'ModifiedBy':
      return new Map(opened.map((entity) => [entity.id, entity.modifiedBy]));
    case 'Members':
      return several(of('Group'), await membersOf(tx, caller.repositoryId, of('Group')));
    case 'AllRoles':
    case 'DirectRoles':
      return several(of('User'), await rolesOf(tx, repository.id, of('User'), { directly: field.name === 'DirectRoles' }));
    default: {
      const found = await readTargets(tx, caller.repositoryId, opened, field.name);
      return field.multiple
        ? several(
            opened.map(({ id }) => id),
            found,
          )
        : new Map([...found].map(([id, [target = 0]]) => [id, target]));
    }
  }
}
