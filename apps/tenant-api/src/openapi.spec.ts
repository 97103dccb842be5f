import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Operation {
  summary?: string;
  parameters?: { name: string; description?: string }[];
  responses: Record<string, unknown>;
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
});
