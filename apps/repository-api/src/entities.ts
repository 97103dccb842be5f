import {
  contentTypesOf,
  countCollection,
  createContent,
  maxPageSize,
  readCollection,
  readNode,
  updateContent,
  type Address,
  type ContentEntity,
  type ContentTypes,
  type Query,
} from '@latchkey/content';
import { inTurn, type EntityManager } from '@latchkey/database';
import { deleteNode, readPermanent } from './deletion.js';
import { json, plain, versionTag, type Answer } from './answer.js';
import { badRequest } from './odata/fault.js';
import { both, parseOperationOptions, parseOptions, type Options } from './odata/options.js';
import { writeCursor } from './odata/cursor.js';
import { fieldOf } from './odata/present.js';
import { present } from './expand.js';
import { changePersonContent, concernsPerson, createPersonContent } from './people.js';
import type { ContentRequest } from './request.js';

/** `{"d":{…}}` with the version as the entity tag. */
async function entityAnswer(
  tx: EntityManager,
  request: ContentRequest,
  entity: ContentEntity,
  options: Options,
  { status = 200, types }: { status?: number; types?: ContentTypes } = {},
): Promise<Answer> {
  const [shown] = await present(tx, request, [entity], options, types);
  return json({ d: shown }, status, versionTag(entity.version));
}

/** GET of one content. Two statements, one round trip. */
export async function getEntity(request: ContentRequest, address: Address): Promise<Answer> {
  const options = parseOptions(request.query, request.caller.userId);
  return request.read(async (tx) => {
    const [entity, types] = await inTurn(readNode(tx, request.caller, address), contentTypesOf(tx, request.repository.id));
    return entityAnswer(tx, request, entity, options, { types });
  });
}

/**
 * GET of one field of a content, as `{"d":{…}}` or bare.
 *
 * @returns nothing when there is no such field.
 */
export async function getField(request: ContentRequest, entity: ContentEntity, name: string, raw: boolean): Promise<Answer | undefined> {
  const field = fieldOf(await request.read((tx) => contentTypesOf(tx, request.repository.id)), entity, name);
  if (!field) return undefined;
  return raw ? plain(field.value === null ? '' : String(field.value)) : json({ d: { [field.name]: field.value } });
}

function queryOf(options: Options): Query {
  return {
    reach: options.search ? 'subtree' : 'children',
    filter: both(options.search, options.filter),
    orderBy: options.orderBy,
    top: options.top,
    skip: options.skip,
    after: options.after,
  };
}

/**
 * GET of a collection. What `readCollection` needs, and beside it the types; one more when the total is asked for and does not
 * follow from the page.
 */
export async function getCollection(request: ContentRequest, path: string): Promise<Answer> {
  const options = parseOptions(request.query, request.caller.userId);
  const query = queryOf(options);
  return request.read(async (tx) => {
    const size = Math.min(options.top ?? maxPageSize, maxPageSize);
    // One more tells whether there is another page.
    const [found, types] = await inTurn(
      readCollection(tx, request.caller, { path }, { ...query, top: size > 0 ? size + 1 : 0 }),
      contentTypesOf(tx, request.repository.id),
    );
    const entities = found.slice(0, size);
    const last = found.length > size ? entities.at(-1) : undefined;
    const next = last ? { __next: nextLink(request, types, path, options, last) } : {};
    const count = options.countAll ? await total(tx, request, path, query, entities.length) : entities.length;
    return json({ d: { __count: count, results: await present(tx, request, entities, options, types), ...next } });
  });
}

/** Where the page after the one that ends with `last` is: the same query from there on, without the key that it may hold. */
function nextLink(request: ContentRequest, types: ContentTypes, path: string, options: Options, last: ContentEntity): string {
  // The token can be read: it holds no more than the page shows.
  const values = options.orderBy.map(({ field }) => fieldOf(types, last, field)?.value ?? null);
  const passedOver = new Set(['skiptoken', 'skip', 'apikey']);
  const query = [...request.query].filter(([name]) => !passedOver.has(name.replace(/^\$/, '').toLowerCase()));
  const written = [...query, ['$skiptoken', writeCursor({ values, id: last.id })]].map(
    ([name, value = '']) => `${name}=${encodeURIComponent(value)}`,
  );
  return `${request.basePath}/odata.svc${path.split('/').map(encodeURIComponent).join('/')}?${written.join('&')}`;
}

async function total(tx: EntityManager, request: ContentRequest, path: string, query: Query, found: number): Promise<number> {
  const { skip = 0, top = maxPageSize, after } = query;
  const isLastPage = !after && found < Math.min(top, maxPageSize) && (found > 0 || skip === 0);
  return isLastPage ? skip + found : countCollection(tx, request.caller, { path }, query);
}

/** GET of `…/$count`: how many the collection holds, whatever `$top` and `$skip` say. One statement. */
export async function getCount(request: ContentRequest, path: string): Promise<Answer> {
  const query = queryOf(parseOptions(request.query, request.caller.userId));
  return plain(String(await request.read((tx) => countCollection(tx, request.caller, { path }, query))));
}

/** POST of a new content below another. */
export async function postContent(request: ContentRequest, parent: Address): Promise<Answer> {
  const options = parseOperationOptions(request.query);
  const { __ContentType: type, Name: name, ...fields } = request.body();
  if (typeof type !== 'string') throw badRequest('__ContentType must name the content type of the new content.');
  if (fields['__ContentTemplate']) throw badRequest('There are no content templates here: leave __ContentTemplate out.');
  if (type.toLowerCase() === 'user')
    return answerLater(request, await createPersonContent(request, parent, name ?? undefined, fields), options, 201);
  return request.write(async (tx) => {
    const entity = await createContent(tx, request.caller, parent, { type, name: name ?? undefined, fields });
    return entityAnswer(tx, request, entity, options, { status: 201 });
  });
}

/** Presents what an earlier transaction has written. */
function answerLater(request: ContentRequest, entity: ContentEntity, options: Options, status = 200): Promise<Answer> {
  return request.read((tx) => entityAnswer(tx, request, entity, options, { status }));
}

/** PATCH, which changes the fields that are there, or PUT, which replaces them all. */
export async function changeContent(request: ContentRequest, address: Address, { replace }: { replace: boolean }): Promise<Answer> {
  const options = parseOperationOptions(request.query);
  const fields = request.body();
  if (Array.isArray(fields['Members'])) throw badRequest('Members are changed by AddMembers and RemoveMembers.');
  if (concernsPerson(fields)) return answerLater(request, await changePersonContent(request, address, fields, { replace }), options);
  return request.write(async (tx) => {
    const entity = await updateContent(tx, request.caller, address, { fields, replace, ifVersion: request.ifVersion });
    return entityAnswer(tx, request, entity, options);
  });
}

/** DELETE of a content and all that is below it: into the trash, or for good with `?permanent=true`. */
export async function removeContent(request: ContentRequest, address: Address): Promise<Answer> {
  await deleteNode(request, address, { permanent: readPermanent(request.query.get('permanent')), ifVersion: request.ifVersion });
  return { status: 200 };
}
