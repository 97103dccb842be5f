import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { examples } from './examples.js';

interface Content {
  content?: Record<string, { schema?: { example?: unknown } }>;
}

interface Operation {
  summary?: string;
  requestBody?: Content;
  parameters?: { name: string; description?: string }[];
  responses: Record<string, Content>;
}

const folder = mkdtempSync(join(tmpdir(), 'latchkey-openapi-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The document as the build writes it, for whoever generates a client. */
function written(): Record<string, Record<string, Operation>> {
  const file = join(folder, 'openapi.json');
  execFileSync(process.execPath, [fileURLToPath(new URL('write-openapi.js', import.meta.url)), file]);
  return (JSON.parse(readFileSync(file, 'utf8')) as { paths: Record<string, Record<string, Operation>> }).paths;
}

describe('the OpenAPI document', () => {
  it('says of every route what it does, what each parameter means, and how it is refused', () => {
    const unsaid = Object.entries(written()).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { summary, parameters = [], responses }]) =>
        [
          ...(summary ? [] : ['summary']),
          ...parameters.flatMap(({ name, description }) => (description ? [] : [name])),
          ...('default' in responses ? [] : ['refusals']),
        ].map((what) => `${method} ${path}: ${what}`),
      ),
    );
    expect(unsaid).toEqual([]);
  });

  it('shows an example of every body, and in every answer of an object what the thing in it looks like', () => {
    const unshown = Object.entries(written()).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { requestBody, responses }]) => {
        const schemaOf = (content: Content | undefined) => content?.content?.['application/json']?.schema;
        const body = schemaOf(requestBody);
        const answer = schemaOf(responses['200'] ?? responses['201']);
        return [
          ...(body && body.example === undefined ? ['body'] : []),
          // Of a list, what its items look like.
          ...(answer && !JSON.stringify(answer).includes('"example"') ? ['answer'] : []),
        ].map((what) => `${method} ${path}: ${what}`);
      }),
    );
    expect(unshown).toEqual(['post /v1/repositories/{slug}/users/{id}/invite: answer']);
  });

  it.each([...examples])('shows in the examples what the schemas take and say, and nothing else: %#', (schema, example) => {
    // What is left out of a body gets its default.
    expect(schema.parse(example)).toMatchObject(example as object);
  });
});
