import { contentTypesOf } from '@latchkey/content';
import { json, type Answer } from './answer.js';
import { csdlJson, csdlXml } from './odata/csdl.js';
import { badRequest } from './odata/fault.js';
import type { ContentRequest } from './request.js';

/** GET of `$metadata`: the content types as CSDL, in XML unless `$format=json` asks for JSON. */
export async function getMetadata(request: ContentRequest): Promise<Answer> {
  const format = request.query.get('$format') ?? request.query.get('format') ?? 'xml';
  const isJson = /^json$|^application\/json/i.test(format);
  if (!isJson && !/^(?:xml|application\/xml)$/i.test(format)) throw badRequest('$format must be xml or json.');
  const types = await request.read((tx) => contentTypesOf(tx, request.repository.id));
  if (isJson) return json(csdlJson(types));
  return { status: 200, body: csdlXml(types), contentType: 'application/xml;charset=utf-8' };
}
