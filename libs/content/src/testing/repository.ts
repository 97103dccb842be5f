import { newId, type Database } from '@latchkey/database';
import { createContentRoot } from '../root.js';

/** A repository made for a test, of a tenant made for it. */
export interface TestRepository {
  tenantId: string;
  repositoryId: string;
  slug: string;
}

/** Makes a tenant with one repository and its content root, as provisioning would, but without clients and keys. */
export async function makeRepository(database: Database, slug = `repo-${newId().slice(-12)}`): Promise<TestRepository> {
  const [tenantId, repositoryId] = [newId(), newId()];
  await database.transaction('system', async (tx) => {
    await tx.query('INSERT INTO tenants (id, name) VALUES ($1, $2)', [tenantId, `Tenant of ${slug}`]);
    await tx.query('INSERT INTO repository_slugs (slug, repository_id, tenant_id) VALUES ($1, $2, $3)', [slug, repositoryId, tenantId]);
    await tx.query(
      `INSERT INTO repositories (tenant_id, id, slug, name, environment, settings) VALUES ($1, $2, $3, $3, 'production', $4)`,
      [tenantId, repositoryId, slug, JSON.stringify({ allowedOrigins: [], accessTokenSeconds: 600, toolTokenSeconds: 3600 })],
    );
    await createContentRoot(tx, { tenantId, repositoryId, name: slug });
  });
  return { tenantId, repositoryId, slug };
}
