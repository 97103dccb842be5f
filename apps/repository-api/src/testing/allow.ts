import type { ProvisionedForTest, RunningApp } from './running-app.js';

/** Gives somebody every permission on a node and below it. */
export async function allowForTest(
  app: RunningApp,
  repository: ProvisionedForTest,
  { nodeId, identityId, bits = 31 }: { nodeId: number; identityId: number; bits?: number },
): Promise<void> {
  await app.test.owner.query(
    `INSERT INTO content_permissions (repository_id, tenant_id, node_id, identity_id, bits) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (repository_id, node_id, identity_id) DO UPDATE SET bits = excluded.bits`,
    [repository.id, repository.tenantId, nodeId, identityId, bits],
  );
}
