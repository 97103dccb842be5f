import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createTestDatabase, type TestDatabase } from './testing/index.js';

const script = fileURLToPath(new URL('../../../tools/seed/distribution.mjs', import.meta.url));
let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.drop());

function look() {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, test.ownerUrl], { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

describe('the schema', () => {
  it('can be distributed by repository or tenant, but for what is known to stand against it', () => {
    expect(look()).toEqual({ status: 0, output: expect.not.stringMatching(/NEW|GONE/) });
  });

  it('is found out when a key or a reference forgets the repository', async () => {
    await test.owner.query(`
      CREATE UNIQUE INDEX planted_key ON clients (name);
      CREATE TABLE planted (repository_id uuid NOT NULL, id uuid NOT NULL, other uuid, PRIMARY KEY (repository_id, id), UNIQUE (other, repository_id));
      CREATE TABLE planted_too (repository_id uuid NOT NULL, id uuid PRIMARY KEY);
      ALTER TABLE planted ADD CONSTRAINT planted_reference FOREIGN KEY (other) REFERENCES planted_too (id);`);
    const { status, output } = look();
    expect(status).toBe(1);
    expect(output.match(/^NEW: .*$/gm)).toEqual([
      'NEW: planted_key on clients is unique by name, without repository_id',
      'NEW: planted_too_pkey on planted_too is unique by id, without repository_id',
      'NEW: planted_reference leads from planted to planted_too',
    ]);
  });
});
