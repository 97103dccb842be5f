import { newId } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { hashPassword } from './password.js';
import { findByName, nameKey, signIn } from './sign-in.js';

let test: TestDatabase;
const repository = { tenantId: newId(), id: newId(), slug: 'acme', environment: 'production' as const };
const other = { ...repository, id: newId(), slug: 'other' };
const password = 'correct horse battery staple';

beforeAll(async () => {
  test = await createTestDatabase();
  await test.owner.query(
    `INSERT INTO repository_users (repository_id, id, tenant_id, login_name, email, name)
     SELECT $1, n, $2, 'Person' || n, 'Person' || n || '@Example.com', 'Person' FROM generate_series(1000, 10999) n`,
    [repository.id, repository.tenantId],
  );
  await test.owner.query('ANALYZE repository_users');
});
afterAll(() => test.drop());

const add = (id: number, loginName: string, email: string | null, hash: string | null = null) =>
  test.owner.query(
    'INSERT INTO repository_users (repository_id, id, tenant_id, login_name, email, name, password_hash) VALUES ($1, $2, $3, $4, $5, $4, $6)',
    [repository.id, id, repository.tenantId, loginName, email, hash],
  );

const found = async (typed: string, where = repository) => (await findByName(test.database, where, typed))?.id ?? null;

describe('the look-up of who signs in', () => {
  it('reads two indexes and never the users of the repository, with 10,000 of them and under row-level security', async () => {
    const plan = await test.database.read({ repositoryId: repository.id }, (tx) =>
      tx.query<{ 'QUERY PLAN': string }[]>(
        `EXPLAIN (ANALYZE, COSTS OFF) SELECT * FROM repository_users u
         WHERE u.repository_id = $1 AND (u.login_key = $2 OR u.email_key = $2) ORDER BY u.login_key = $2 DESC`,
        [repository.id, 'person5000@example.com'],
      ),
    );
    const lines = plan.map((row) => row['QUERY PLAN']).join('\n');
    expect(lines).not.toContain('Seq Scan');
    for (const index of ['repository_users_login_name', 'repository_users_email']) expect(lines).toContain(`Index Scan on ${index}`);
  });

  it('takes a login name or an address in any case, and with spaces around it', async () => {
    for (const typed of ['Person1234', 'PERSON1234', ' person1234@example.COM\t']) expect(await found(typed)).toBe(1234);
  });

  it('means the login name where it is spelled like the address of someone else, as it was possible once', async () => {
    await add(20_000, 'anna', 'shared@example.com');
    await expect(add(20_001, 'shared@example.com', 'bert@example.com')).rejects.toThrow('address of another user');
    await test.owner.query('ALTER TABLE repository_users DISABLE TRIGGER apart_when_made');
    await add(20_001, 'shared@example.com', 'bert@example.com');
    await test.owner.query('ALTER TABLE repository_users ENABLE TRIGGER apart_when_made');
    expect(await found('shared@example.com')).toBe(20_001);
  });

  it('finds nobody of another repository, and nobody by what cannot be a name', async () => {
    expect(await found('person1234', other)).toBeNull();
    for (const typed of ['', '  ', 'person1234\0', '\0', '%', 'person_234']) expect(await found(typed)).toBeNull();
  });

  it('uses the very key that the database made, also beyond ASCII', async () => {
    for (const [index, name] of ['ÄRGER', 'ΣΊΣΥΦΟΣ', 'İstanbul', 'ﬀ', 'STRAẞE'].entries()) {
      await add(30_000 + index, name, null);
      const { rows } = await test.owner.query<{ login_key: string }>('SELECT login_key FROM repository_users WHERE login_name = $1', [
        name,
      ]);
      expect([name, rows[0]?.login_key]).toEqual([name, nameKey(name)]);
      expect(await found(name)).toBe(30_000 + index);
    }
  });

  it('does not sign in a user who has no password, whatever is typed', async () => {
    expect(await signIn(test.database, repository, 'person2000', '')).toEqual({ refused: true, userId: 2000 });
    await add(40_000, 'clara', null, await hashPassword(password));
    expect(await signIn(test.database, repository, 'CLARA', password)).toEqual({ userId: 40_000, generation: 1 });
  });
});
