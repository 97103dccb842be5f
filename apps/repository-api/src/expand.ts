import {
  contentTypesOf,
  membersOf,
  readBinaries,
  readNodes,
  readTargets,
  rolesOf,
  type ContentEntity,
  type ContentTypes,
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

/** Contents that one answer holds at most, each as often as it is in it: references into each other multiply. */
const maxShown = 250_000;

/**
 * Presents entities with what their expanded references lead to, as far as the caller may see it. One or two statements for
 * each reference that is expanded.
 *
 * @param types of the repository; asked for, with one statement more, where the caller does not have them.
 * @throws ODataFault 400 for an expansion of something that is no reference, too many of them, or one that leads to too much.
 */
export async function present(
  tx: EntityManager,
  request: ContentRequest,
  entities: ContentEntity[],
  options: Pick<Options, 'select' | 'expand' | 'metadata'>,
  types?: ContentTypes,
): Promise<Record<string, unknown>[]> {
  return (await presentSized(tx, request, entities, options, types ?? (await contentTypesOf(tx, request.repository.id)))).shown;
}

/** `present`, with how many contents are in what is shown for each, itself among them, by its id. */
async function presentSized(
  tx: EntityManager,
  request: ContentRequest,
  entities: ContentEntity[],
  options: Pick<Options, 'select' | 'expand' | 'metadata'>,
  types: ContentTypes,
): Promise<{ shown: Record<string, unknown>[]; sizes: Map<number, number> }> {
  if (options.expand.length > maxExpansions) throw badRequest(`$expand may name at most ${maxExpansions} references.`);
  if (options.expand.some((path) => path.split('/').length > maxDepth)) throw badRequest(`$expand may go ${maxDepth} deep.`);
  const expanded = new Map<string, Map<number, unknown>>();
  const selected = firstSegments(options.select ?? []);
  const sizes = new Map(entities.map(({ id }) => [id, 1]));
  for (const [name, nested] of firstSegments(options.expand)) {
    const field = types.field(name);
    if (field?.kind !== 'Reference') throw badRequest(`$expand: ${JSON.stringify(name)} is not a reference that can be expanded.`);
    const links = await linksOf(tx, request, entities, field);
    const ids = [...new Set([...links.values()].flat())];
    const select = selected.get(name);
    const wish = { ...options, select: select && select.length > 0 ? select : undefined, expand: nested };
    const referred = [...(await readNodes(tx, request.caller, ids)).values()];
    const inner = await presentSized(tx, request, referred, wish, types);
    for (const [id, link] of links)
      for (const target of [link].flat()) sizes.set(id, (sizes.get(id) ?? 1) + (inner.sizes.get(target) ?? 0));
    const shown = new Map(referred.map(({ id }, index) => [id, inner.shown[index]]));
    const show = (id: number) => shown.get(id);
    expanded.set(
      field.name,
      new Map(
        [...links].map(([id, link]) => [id, typeof link === 'number' ? show(link) : link.map(show).filter((one) => one !== undefined)]),
      ),
    );
  }
  if ([...sizes.values()].reduce((sum, size) => sum + size, 0) > maxShown)
    throw badRequest(`$expand leads to more than ${maxShown} contents: expand less, or ask for smaller pages.`);
  const holding = entities.filter((entity) => entity.fields && types.fieldsOf(entity.type).some(({ kind }) => kind === 'Binary'));
  const binaries = Map.groupBy(
    await readBinaries(
      tx,
      request.repository.id,
      holding.map(({ id }) => id),
    ),
    ({ nodeId }) => nodeId,
  );
  const shown = entities.map((entity) => presentEntity(entity, { types, options, expanded, binaries, basePath: request.basePath }));
  return { shown, sizes };
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
