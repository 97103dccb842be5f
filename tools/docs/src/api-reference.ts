import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** As much of OpenAPI 3.1 as the tenant API uses. */
export interface Api {
  info: { description: string };
  paths: Record<string, Record<string, Operation>>;
}

interface Operation {
  summary: string;
  tags: string[];
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: Schema }[];
  requestBody?: { content: Content };
  responses: Record<string, { description: string; content?: Content }>;
}

type Content = Record<string, { schema?: Schema }>;

export interface Schema {
  type?: string | string[];
  description?: string;
  format?: string;
  enum?: unknown[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
}

let api: Api | undefined;

/** The document of the tenant API, written by the compiled API itself. */
export function readApi(): Api {
  if (api) return api;
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-docs-'));
  const file = join(folder, 'openapi.json');
  execFileSync(process.execPath, [join(import.meta.dirname, '../../../apps/tenant-api/dist/write-openapi.js'), file]);
  api = JSON.parse(readFileSync(file, 'utf8')) as Api;
  rmSync(folder, { recursive: true });
  return api;
}

interface Call {
  method: string;
  path: string;
  operation: Operation;
}

/** The calls of the API under the headings that it gives them, and the address of the page of each. */
export function operationsByTag({ paths }: Api): { tag: string; address: string; calls: Call[] }[] {
  const calls = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const tags = Map.groupBy(calls, ({ operation }) => operation.tags[0] ?? 'Other');
  return [...tags].map(([tag, calls]) => ({ tag, address: tag.toLowerCase().replaceAll(/[^a-z]+/g, '-'), calls }));
}

/** The pages of the reference, as VitePress takes them for a dynamic route. */
export function referencePages(): { params: { page: string }; content: string }[] {
  const { info } = readApi();
  return operationsByTag(readApi()).map(({ tag, address, calls }) => ({
    params: { page: address },
    content: [`# ${tag}`, plain(info.description), ...calls.map(describeCall)].join('\n\n'),
  }));
}

/** One call as Markdown: what it does, what it takes, what it answers. */
export function describeCall({ method, path, operation }: Call): string {
  const { summary, parameters = [], requestBody, responses } = operation;
  const sent = requestBody?.content['application/json']?.schema;
  const [status, answer] = Object.entries(responses).find(([code]) => code.startsWith('2')) ?? ['', undefined];
  const [type = '', { schema } = {}] = Object.entries(answer?.content ?? {})[0] ?? [];
  return [
    `## ${plain(summary)}`,
    `\`\`\`http\n${method} ${path}\n\`\`\``,
    table(
      'Parameters',
      parameters.map(({ name, in: where, required, description, schema = {} }) => ({
        name: where === 'path' ? `{${name}}` : name,
        note: [where === 'path' || required ? '' : 'optional', where === 'header' ? 'header' : '', typeOf(schema)],
        about: description ?? schema.description,
      })),
    ),
    sent && table('Body', fieldsOf(sent)),
    `**Answers** ${status}${schema ? '' : ', without a body'}${type === 'application/json' || type === '' ? '' : ` as \`${type}\``}.`,
    schema && details('What is in it', table('', fieldsOf(schema, false))),
  ]
    .filter(Boolean)
    .join('\n\n');
}

interface Field {
  name: string;
  note: string[];
  about: string | undefined;
}

/** Every member of a body, those of an object within it by their path: `toolClient.secret.value`, `items[].id`. */
function fieldsOf(schema: Schema, sent = true, prefix = ''): Field[] {
  const variants = schema.oneOf ?? schema.anyOf;
  if (variants) {
    const fields = variants.flatMap((variant) => fieldsOf(variant, sent, prefix));
    return fields.filter(({ name }, index) => fields.findIndex((field) => field.name === name) === index);
  }
  if (schema.items) return fieldsOf(schema.items, sent, `${prefix}[]`);
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const optional = sent && !schema.required?.includes(name) ? 'optional' : '';
    return [{ name: path, note: [optional, typeOf(property)], about: property.description }, ...fieldsOf(property, sent, path)];
  });
}

function typeOf(schema: Schema): string {
  if (schema.enum) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(' or ');
  const variants = schema.oneOf ?? schema.anyOf;
  if (variants) return [...new Set(variants.map(typeOf))].join(' or ');
  if (schema.items) return `array of ${typeOf(schema.items)}${schema.maxItems ? `, at most ${schema.maxItems}` : ''}`;
  const type = [schema.type ?? 'any'].flat().join(' or ');
  const bounds = [
    schema.format && schema.format !== 'uri' ? schema.format : '',
    boundsOf(schema.minimum, schema.maximum, ''),
    boundsOf(schema.minLength, schema.maxLength, ' characters'),
    schema.default === undefined ? '' : `\`${JSON.stringify(schema.default)}\` if absent`,
  ].filter(Boolean);
  return [type, ...bounds].join(', ');
}

/** Bounds that are those of every whole number say nothing. */
function boundsOf(least = Number.MIN_SAFE_INTEGER, most = Number.MAX_SAFE_INTEGER, unit: string): string {
  const [hasLeast, hasMost] = [least > Number.MIN_SAFE_INTEGER, most < Number.MAX_SAFE_INTEGER];
  if (hasLeast && hasMost) return `${least} to ${most}${unit}`;
  if (hasMost) return `at most ${most}${unit}`;
  return hasLeast ? `at least ${least}${unit}` : '';
}

function table(title: string, fields: Field[]): string {
  if (fields.length === 0) return '';
  const rows = fields.map(
    ({ name, note, about = '' }) => `| \`${name}\` | ${cell(note.filter(Boolean).join(', '))} | ${cell(plain(about))} |`,
  );
  return `${title === '' ? '' : `**${title}**\n\n`}| name | is | means |\n|---|---|---|\n${rows.join('\n')}`;
}

const details = (title: string, body: string) => (body === '' ? '' : `::: details ${title}\n${body}\n:::`);

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** Text of the API in a page that takes `<` for markup. */
const plain = (text: string) => text.replaceAll('<', '&lt;').replaceAll('{{', '&#123;&#123;');
