import JSON5 from 'json5';
import { badRequest } from './fault.js';

/** What a caller sent, by name. */
export type Body = Record<string, unknown>;

/** What a body must be, as zod says it. */
interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: { issues: { path: PropertyKey[]; message: string }[] } };
}

/**
 * What the caller sent, if it is what it should be.
 *
 * @param fieldOf what the caller calls a member of it.
 * @throws ODataFault 400 that names the fields which are wrong.
 */
export function checked<T>(schema: Schema<T>, value: unknown, fieldOf = (member: string) => member): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw badRequest(parsed.error.issues.map(({ path, message }) => `${fieldOf(path.join('.'))}: ${message}`).join('; '));
}

/** Lists and objects in each other, at most: what is deeper is no content, and too deep to be looked at. */
const maxDepth = 32;

/** Characters of a body that is not quite JSON, at most. */
const maxLooseLength = 20_000;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads a body by its shape, because existing clients send JSON as text/plain: a JSON object, `models=[{…}]`, or a form.
 * Nothing at all is an empty object.
 *
 * @throws ODataFault 400 when it is none of these.
 */
export function parseBody(bytes: Buffer | undefined): Body {
  const text = decode(bytes).trim();
  if (text === '') return {};
  if (text.startsWith('{') || text.startsWith('[')) return asObject(parseJson(text));
  const models = /^models=/i.exec(text);
  if (models) return parseModels(text.slice(models[0].length));
  if (/^[\w$@.%[\]-]+=/.test(text)) return Object.fromEntries(new URLSearchParams(text));
  throw badRequest('The body is neither JSON nor a form.');
}

function decode(bytes: Buffer | undefined): string {
  try {
    return bytes ? utf8.decode(bytes) : '';
  } catch {
    throw badRequest('The body is not UTF-8.');
  }
}

/** The .NET client sends it as it is, a form would percent-encode it. */
function parseModels(text: string): Body {
  return asObject(parseJson(/^[[{]/.test(text) ? text : (new URLSearchParams(`models=${text}`).get('models') ?? '')));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return parseLooseJson(text);
  }
}

/**
 * Documentation of existing clients shows bodies with single quotes, and people paste them. It takes fifty times as long as JSON,
 * and nobody has said yet who they are: so it is for what people paste.
 */
function parseLooseJson(text: string): unknown {
  if (text.length > maxLooseLength) throw badRequest('The body is not valid JSON.');
  try {
    return JSON5.parse(text);
  } catch {
    throw badRequest('The body is not valid JSON.');
  }
}

function asObject(value: unknown): Body {
  const single: unknown = Array.isArray(value) && value.length <= 1 ? (value[0] ?? {}) : value;
  if (typeof single !== 'object' || single === null || Array.isArray(single)) throw badRequest('The body must be one JSON object.');
  if (isDeeperThan(maxDepth, single)) throw badRequest(`The body is nested more than ${maxDepth} deep.`);
  return single as Body;
}

function isDeeperThan(depth: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => isDeeperThan(depth - 1, inner));
}
